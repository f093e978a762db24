"""Reading for people: how many there are of everything. Nothing here changes anything."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from agent.core.case import CaseState
from agent.core.instance import End
from agent.core.ports import OutboxStatus
from agent.state import tables as t
from agent.state.reads import count_awaiting
from agent.state.stories import held_since

MOST_REASONS: Final = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of everything the agent holds."""

    cases: Mapping[str, int]  # by state
    arrivals: Mapping[str, int]  # by end
    reasons: Mapping[str, int]  # of the arrivals that are not used, the most frequent first
    outbox: Mapping[str, int]  # "destination: status" -> objects
    oldest_waiting: datetime | None  # in the outbox
    open_associations: int
    oldest_held: datetime | None = None  # since when a case has been held that nobody decided
    awaiting_report: int = 0  # cases whose results wait until a radiologist has read the index study
    oldest_awaiting_report: datetime | None = None


def overview(connection: sa.Connection) -> Overview:
    """Count everything."""
    counted: dict[str, dict[tuple[str, str], int]] = {"cases": {}, "arrivals": {}, "outbox": {}}
    for row in connection.execute(
        sa.select(t.tally).where(t.tally.c.number > 0).order_by(t.tally.c.name, t.tally.c.detail)
    ):
        counted[row.subject][row.name, row.detail] = row.number
    waiting = sa.select(sa.func.min(t.outbox.c.queued_at)).where(
        t.IS_UNDERWAY, t.outbox.c.status == OutboxStatus.WAITING
    )
    awaiting, oldest_awaiting = connection.execute(count_awaiting()).one()
    return Overview(
        cases={state: number for (state, _), number in counted["cases"].items()},
        arrivals=dict(_summed((end, number) for (end, _), number in counted["arrivals"].items())),
        reasons=dict(_reasons(counted["arrivals"]).most_common(MOST_REASONS)),
        outbox={
            f"{destination}: {status}": number
            for (destination, status), number in counted["outbox"].items()
            if status != OutboxStatus.SPARE  # not needed so far
        },
        oldest_waiting=connection.execute(waiting).scalar(),
        oldest_held=connection.execute(
            sa.select(sa.func.min(held_since())).select_from(t.cases).where(t.IS_HELD)
        ).scalar(),
        awaiting_report=int(awaiting),
        oldest_awaiting_report=oldest_awaiting,
        open_associations=int(
            connection.execute(sa.select(sa.func.count()).select_from(t.association).where(t.IS_OPEN)).scalar_one()
        ),
    )


def pinned_since(connection: sa.Connection) -> datetime | None:
    """Return when the oldest case was opened that is not finished and keeps its images; each look has an index."""
    opened = sa.select(sa.func.min(t.cases.c.opened_at))
    underway = sa.select(t.outbox.c.case_id).where(t.IS_UNDERWAY)
    looks = (
        opened.where(t.IS_HELD),
        opened.where(t.IS_READY),
        opened.where(t.IS_SCHEDULED, t.cases.c.state.in_([CaseState.COLLECTING, CaseState.RUNNING])),
        opened.where(t.cases.c.id.in_(underway), t.cases.c.state == CaseState.DELIVERING),
    )
    return min((at for look in looks if (at := connection.execute(look).scalar())), default=None)


def _reasons(arrivals: Mapping[tuple[str, str], int]) -> Counter[str]:
    used = End.COLLECTED.value
    return _summed((reason, number) for (end, reason), number in arrivals.items() if reason and end != used)


def _summed(numbers: Iterable[tuple[str, int]]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, number in numbers:
        summed[name] += number
    return summed
