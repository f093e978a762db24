"""What a person wants to see: counts and lists, read only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from agent.core.case import Case, CaseState
from agent.core.instance import End
from agent.core.ports import OutboxStatus
from agent.state.cases import case_of
from agent.state.tables import arrival, cases, outbox
from agent.state.work import Work


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of each."""

    cases: Mapping[CaseState, int]
    arrivals: Mapping[End, int]
    outbox: Mapping[tuple[str, OutboxStatus], int]  # by destination and status
    oldest_waiting: datetime | None  # when the oldest item that is not confirmed was queued


class Overview(Work):
    """Reading across cases, for the command line and the page."""

    def newest_cases(self, limit: int, states: Sequence[CaseState] = tuple(CaseState)) -> Sequence[Case]:
        """The versions opened last, newest first."""
        query = sa.select(cases).where(cases.c.state.in_(states)).order_by(cases.c.id.desc()).limit(limit)
        return [case_of(row) for row in self._db.execute(query)]

    def counts(self) -> Counts:
        """Count what there is."""
        oldest = sa.select(sa.func.min(outbox.c.queued_at)).where(
            outbox.c.status.in_([OutboxStatus.WAITING, OutboxStatus.SENT])
        )
        items = sa.select(outbox.c.destination, outbox.c.status, sa.func.count())
        grouped = items.group_by(outbox.c.destination, outbox.c.status)
        return Counts(
            cases=self._count(cases.c.state),
            arrivals=self._count(arrival.c.ending),
            outbox={(destination, status): n for destination, status, n in self._db.execute(grouped)},
            oldest_waiting=self._db.execute(oldest).scalar_one(),
        )

    def _count(self, column: sa.Column[Any]) -> dict[Any, int]:
        rows = self._db.execute(sa.select(column, sa.func.count()).group_by(column))
        return {value: int(number) for value, number in rows}
