"""Inserts that can say what happens on a conflict, in the words of each database."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """Return an insert into a table."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
