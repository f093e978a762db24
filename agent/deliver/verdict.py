"""What the items of a version say about its case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from agent.core.case import CaseEvent, CaseState
from agent.core.ports import OutboxItem, OutboxStatus, Unit

NOT_OFFERED: Final = "SOP class or transfer syntax not accepted"
"""Why an item was refused that the destination takes from nobody: alone, this does not fail a case."""

_UNSETTLED: Final = frozenset({OutboxStatus.WAITING, OutboxStatus.SENT, OutboxStatus.AWAITING_REPORT})

_log = structlog.get_logger()


class Verdict(NamedTuple):
    """The event that follows, and why."""

    event: CaseEvent
    reason: str


def verdict(items: Sequence[OutboxItem]) -> Verdict | None:
    """Judge all items of a version; None while one of them is still on its way.

    ALL_CONFIRMED: every item is confirmed, or is of a kind that its destination does not offer to take while
    others are in. GAVE_UP: a destination has nothing, or refused an object for another reason, or time ran out.
    """
    if not items or any(i.status in _UNSETTLED for i in items):
        return None
    refused = [i for i in items if i.status is OutboxStatus.REFUSED]
    reached = {i.destination for i in items if i.status is OutboxStatus.CONFIRMED}
    fatal = [i for i in refused if i.error != NOT_OFFERED or i.destination not in reached]
    reason = "; ".join(f"{i.destination} {i.role}: {i.error}" for i in fatal or refused)
    return Verdict(CaseEvent.GAVE_UP if fatal else CaseEvent.ALL_CONFIRMED, reason)


def conclude(unit: Unit, case_id: int, at: datetime) -> None:
    """End the delivery of a version if all its items are settled, in the transaction that settled the last one.

    The case is locked before its items are read: else two destinations that settle their last items at the same time
    would each miss the other's, and nobody would end the delivery.
    """
    case = unit.lock(case_id)
    judged = verdict(unit.outbox_of(case_id))
    if judged is not None and case.state is CaseState.DELIVERING:
        unit.apply(case, judged.event, at, reason=judged.reason)
        _log.info("delivery_ended", case_id=case_id, state=judged.event.value, reason=judged.reason)
