"""The one place that builds adapters from the configuration and joins them to the rooms.

One module for each process, so that none needs what another has: the receiver no database, the keeper no model runtime.
"""
