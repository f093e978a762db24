"""Stores of every sort for the assembly as a whole."""

from tests.small_disk import tmpfs
from tests.state_stores import migrated_sqlite, postgres, store

__all__ = ["migrated_sqlite", "postgres", "store", "tmpfs"]
