"""Databases for deliveries that happen at the same time."""

from tests.state_stores import migrated_sqlite, postgres, sql_store, url

__all__ = ["migrated_sqlite", "postgres", "sql_store", "url"]
