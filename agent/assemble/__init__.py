"""Assemble: arrivals become cases, and cases wait until the evidence says that they are complete."""
