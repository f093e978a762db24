"""Sending the stored bytes of a version again, because a person asks for it."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.firewall import stopped
from agent.core.ports import Store, Unit
from agent.core.release import unread

_ON_ITS_WAY: Final = frozenset({CaseState.READY, CaseState.RUNNING, CaseState.DELIVERING})


def resend(store: Store, case_id: int, now: datetime, configured: Collection[str]) -> Case:
    """Put every object of a version into the outbox again, under the same UIDs, and return the case.

    Each destination has its whole time again, also where the case is still on its way. `configured` are the names of
    those that there are: one that has another name now is another one, and gets nothing that was not made for it.

    Raises
    ------
    Permanent
        If there is no such case, it has no result, the firewall stops it, it waits for a radiologist's report, a later
        version took its place, it is not DONE, FAILED or DELIVERING, or it was for none of the configured destinations.
    """
    with store.unit() as unit:
        try:
            case = unit.lock(case_id)
        except KeyError:
            raise Permanent(f"there is no case {case_id}") from None
        names = {item.destination for item in unit.outbox_of(case_id)}
        if not names:
            raise Permanent(f"case {case_id} is {case.state} and has no result to send")
        if names.isdisjoint(configured):
            raise Permanent(
                f"case {case_id} is not sent again: it was for {_listed(names)}, and the configuration names"
                f" {_listed(configured)}. A destination that was renamed needs its old name"
            )
        if why := stopped(unit, case) or unread(unit, case) or _overtaken(unit, case):
            raise Permanent(f"case {case_id} is not sent again: {why}")
        if case.state is CaseState.DELIVERING:
            unit.queue_again(case_id, now)
            return case
        if case.state not in (CaseState.DONE, CaseState.FAILED):
            raise Permanent(f"case {case_id} is {case.state}: its result is not sent again")
        return unit.apply(case, CaseEvent.RESEND, now, reason="asked for by a person")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _overtaken(unit: Unit, case: Case) -> str:
    """Say which later version is on its way, or out: it would not name what is sent now."""
    for one in unit.versions(case):
        if one.version > case.version and (one.state in _ON_ITS_WAY or unit.references(one.id)):
            return f"version {one.version} took its place: see case {one.id}"
    return ""
