"""Stores of every sort for the assembly as a whole."""

from tests.state_stores import migrated_sqlite, postgres, store

__all__ = ["migrated_sqlite", "postgres", "store"]
