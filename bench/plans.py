"""How a database finds what it is asked for: statements that read a whole table are those that grow with history."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from agent.state import SqlStore

_WHOLE = ("SCAN ", "Seq Scan on ")


@dataclass
class Plans:
    """Statements that were run, each once, with the last parameters."""

    store: SqlStore
    seen: dict[str, Any] = field(default_factory=dict)

    def note(self, _db: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        """Remember a statement."""
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            self.seen[statement] = parameters

    def whole(self) -> Iterator[tuple[str, str]]:
        """Yield each step that reads a whole table or index, with its statement."""
        seen = dict(self.seen)
        with self.store.reading() as db:
            words = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
            for statement, parameters in seen.items():
                for row in db.exec_driver_sql(words + statement, parameters):
                    step = str(row[-1]).strip()
                    if any(word in step for word in _WHOLE):
                        yield step, " ".join(statement.split())

    def print(self) -> None:
        """Print the table."""
        for step, statement in self.whole():
            print(f"{step:<60} {statement[:200]}")


@contextmanager
def watched(store: SqlStore, *, is_on: bool) -> Iterator[Plans]:
    """Note what a store asks its database, if that is wanted."""
    plans = Plans(store)
    if is_on:
        sa.event.listen(store._engine, "before_cursor_execute", plans.note)
    yield plans
