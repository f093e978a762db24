"""Fixtures of the contract tests."""

from tests.state_stores import migrated_sqlite, postgres, store

__all__ = ["migrated_sqlite", "postgres", "store"]
