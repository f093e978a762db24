"""Measurements of the agent and of its bundles, one command each, JSON on the last line."""
