"""The one place that builds adapters from the configuration and joins them to the rooms.

One module for each process, so that none imports what it does not need: the receiver has no database, the keeper no
model runtime.
"""
