"""What all parts of a unit of work share: its connection, and inserts that let an existing row stand."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


class Work:
    """A part of one transaction."""

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def _insert(self, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
        """Return an insert that can say what happens on a conflict."""
        return postgresql.insert(table) if self._db.dialect.name == "postgresql" else sqlite.insert(table)

    def _add(self, table: sa.Table, **values: Any) -> None:
        """Insert a row; one that is there already stands."""
        self._db.execute(self._insert(table).values(**values).on_conflict_do_nothing())

    def _is_new(self, table: sa.Table, **values: Any) -> bool:
        """Insert a row and return True; one that is there already stands, and it is False."""
        insert = self._insert(table).values(**values).on_conflict_do_nothing()
        return self._db.execute(insert.returning(*table.primary_key.columns)).first() is not None
