"""What all parts of a unit of work share: its connection, what it puts off, and what it looked up already."""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from agent.state.inserting import insert_into
from agent.state.later import Later
from agent.state.tally import Tally

_Found = TypeVar("_Found")


class Work:
    """A part of one transaction.

    Most methods use `_db`. Those that thousands of instances go through put their rows off (`_later`) and remember what
    they looked up (`_once`), until something else in the unit reads or writes.
    """

    def __init__(self, db: sa.Connection) -> None:
        self._connection = db
        self._tally = Tally(db)
        self._later = Later(db, self._tally)
        self._known: dict[Hashable, Any] = {}

    @property
    def _db(self) -> sa.Connection:
        """The connection, for whatever may change rows: what was put off is written, what was found forgotten."""
        self._later.write()
        self._known.clear()
        return self._connection

    @property
    def _reads(self) -> sa.Connection:
        """The connection, for looking only: all that was put off is written."""
        self._later.write()
        return self._connection

    def flush(self) -> None:
        """Write what was put off, and what changed of the counts. Raises StaleCase if somebody else moved a case."""
        self._later.write()
        self._tally.write()

    def _once(self, key: Hashable, look: Callable[[], _Found]) -> _Found:
        """Return what was found under a key, or look now."""
        if key not in self._known:
            self._known[key] = look()
        found: _Found = self._known[key]
        return found

    def _insert(self, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
        """Return an insert that can say what happens on a conflict."""
        return insert_into(self._connection.dialect.name, table)

    def _add(self, table: sa.Table, **values: Any) -> None:
        """Insert a row; one that is there already stands."""
        self._db.execute(self._insert(table).values(**values).on_conflict_do_nothing())

    def _is_new(self, table: sa.Table, **values: Any) -> bool:
        """Insert a row and return True; one that is there already stands, and it is False."""
        insert = _insert_new(self._connection.dialect.name, table)
        return self._db.execute(insert, values).first() is not None

    def _is_new_apart(self, table: sa.Table, **values: Any) -> bool:
        """Do the same in a table that nothing which was put off or found has to do with."""
        insert = _insert_new(self._connection.dialect.name, table)
        return self._connection.execute(insert, values).first() is not None


@cache
def _insert_new(dialect: str, table: sa.Table) -> sa.Executable:
    return insert_into(dialect, table).on_conflict_do_nothing().returning(*table.primary_key.columns)
