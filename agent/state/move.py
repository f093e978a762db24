"""What an event does to a case: pure, so that every store moves cases alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agent.core.case import Case, CaseEvent, CaseState, advance
from agent.core.errors import Permanent
from agent.core.ports import OutboxStatus
from agent.core.result import ResultObject

_BRINGS_NEWS: Final = frozenset({CaseEvent.INSTANCE_STORED, CaseEvent.FACTS_CHANGED})
_WATCHED_FROM_NOW: Final = frozenset({CaseEvent.ALL_CONFIRMED, CaseEvent.GAVE_UP})


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One line of a case's history."""

    at: datetime
    event: CaseEvent
    from_state: CaseState
    to_state: CaseState
    attempt: int  # after the event
    reason: str


def claimed_by(worker: str) -> str:
    """Return the reason that a case has while a worker holds it."""
    return f"claimed by {worker}"


def move(case: Case, event: CaseEvent, at: datetime, *, reason: str = "", due_at: datetime | None = None) -> Case:
    """Return the case as `event` leaves it.

    Parameters
    ----------
    reason
        Why. An event that leaves the state as it is keeps the reason that stands there unless it brings its own.
    due_at
        When the case is looked at again; None: never, but for what ends a version: facts may change after it, so it
        is looked at from then on. For CLAIMED, the end of the lease: required.

    Raises
    ------
    IllegalTransition
        If `event` cannot happen in the case's state.
    ValueError
        If a case would be claimed without a lease.
    """
    state = advance(case.state, event)
    claimed = event is CaseEvent.CLAIMED
    if claimed and due_at is None:
        raise ValueError("a case is claimed until some time: due_at is missing")
    return replace(
        case,
        state=state,
        attempt=case.attempt + claimed,
        changed_at=at if event in _BRINGS_NEWS else case.changed_at,
        due_at=due_at or (at if event in _WATCHED_FROM_NOW else None),
        ready_at=_ready_at(case, event, state, at),
        reason=reason or (case.reason if state is case.state else ""),
    )


def _ready_at(case: Case, event: CaseEvent, state: CaseState, at: datetime) -> datetime | None:
    if event is CaseEvent.COMPLETE:
        return at
    return None if state is CaseState.COLLECTING else case.ready_at


def sending_order(by_destination: Iterable[Sequence[ResultObject]]) -> list[ResultObject]:
    """Join what each destination gets, in its order, into one list in which every object stands once.

    An object that an earlier destination does not get follows the object that it follows at its own.
    """
    joined: list[ResultObject] = []
    for objects in by_destination:
        place = 0
        for wanted in objects:
            known = [n for n, have in enumerate(joined) if have.sop_instance_uid == wanted.sop_instance_uid]
            if not known:
                joined.insert(place, wanted)
            place = (known[0] if known else place) + 1
    return joined


def queued_as(one: ResultObject) -> OutboxStatus:
    """Return how an object begins, and begins again, at each destination."""
    return OutboxStatus.SPARE if one.instead_of else OutboxStatus.WAITING


def check_spares(to_send: Sequence[ResultObject]) -> None:
    """Raise Permanent if an object stands for one that the same destination does not get: nobody would ever send it."""
    there = {one.sop_instance_uid for one in to_send}
    if alone := [one.role for one in to_send if one.instead_of and one.instead_of not in there]:
        raise Permanent(f"{alone[0]} stands for an object that its destination does not get")
