"""Counts of rows by what they are, kept while rows change: to count a million for every look takes too long."""

from collections import Counter
from functools import cache

import sqlalchemy as sa

from agent.core.case import Case
from agent.state.inserting import insert_into
from agent.state.tables import arrival, outbox, tally


class Tally:
    """What one unit adds and takes away.

    It is written once, last and in order: so nobody waits long for a count that another one changes, and no two wait
    for each other.
    """

    def __init__(self, db: sa.Connection) -> None:
        self._db = db
        self._changes: Counter[tuple[str, str, str]] = Counter()

    def add(self, subject: str, name: str, detail: str = "", number: int = 1) -> None:
        """Count something in, or out."""
        self._changes[subject, str(name), str(detail)] += number

    def moved(self, case: Case, to: Case) -> None:
        """Count a case where it is now."""
        self.add("cases", case.state, number=-1)
        self.add("cases", to.state)

    def rewrite_arrivals(self, which: sa.ColumnElement[bool], end: str, reason: str) -> None:
        """Count records out that are about to get another end, and in again under it."""
        kinds = sa.select(arrival.c.ending, arrival.c.reason, sa.func.count()).where(which)
        for before, why, number in self._db.execute(kinds.group_by(arrival.c.ending, arrival.c.reason)).all():
            self.add("arrivals", before, why, -number)
            self.add("arrivals", end, reason, number)

    def rewrite_outbox(self, which: sa.ColumnElement[bool], status: str | None) -> None:
        """Count items out that are about to get another status, and in again under it; None: they are deleted."""
        kinds = sa.select(outbox.c.destination, outbox.c.status, sa.func.count()).where(which)
        for destination, before, number in self._db.execute(
            kinds.group_by(outbox.c.destination, outbox.c.status)
        ).all():
            self.add("outbox", destination, before, -number)
            if status is not None:
                self.add("outbox", destination, status, number)

    def write(self) -> None:
        """Write what changed."""
        rows = [
            {"subject": subject, "name": name, "detail": detail, "number": number}
            for (subject, name, detail), number in sorted(self._changes.items())
            if number
        ]
        self._changes.clear()
        if rows:
            self._db.execute(_add(self._db.dialect.name), rows)


@cache
def _add(dialect: str) -> sa.Executable:
    insert = insert_into(dialect, tally)
    more = {"number": tally.c.number + insert.excluded.number}
    return insert.on_conflict_do_update(index_elements=["subject", "name", "detail"], set_=more)
