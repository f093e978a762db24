"""What the items of a version say about its case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from agent.core.case import CaseEvent, CaseState
from agent.core.ports import OutboxItem, OutboxStatus, Unit
from agent.core.result import Kind

NOT_OFFERED: Final = "SOP class or transfer syntax not accepted"
"""Why an item was refused that the destination takes from nobody: alone, this does not fail a case."""

_NAMES: Final = {"1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR"}  # of the SOP classes that stand for others
_UNSETTLED: Final = frozenset({OutboxStatus.WAITING, OutboxStatus.SENT, OutboxStatus.AWAITING_REPORT})

_log = structlog.get_logger()


class Verdict(NamedTuple):
    """The event that follows, and why."""

    event: CaseEvent
    reason: str


def verdict(items: Sequence[OutboxItem]) -> Verdict | None:
    """Judge all items of a version; None while one of them is still on its way.

    ALL_CONFIRMED: every item is confirmed or, being spare, not needed; or its destination, which has others, does not
    offer to take its kind, has what stands for it, or does not take a rejection of earlier objects. GAVE_UP: a
    destination has nothing, or refused an object for another reason, or time ran out.
    """
    if not items or any(i.status in _UNSETTLED for i in items):
        return None
    refused = [i for i in items if i.status is OutboxStatus.REFUSED]
    in_place = [i for i in items if i.status is OutboxStatus.CONFIRMED and i.kind is not Kind.REJECTION]
    reached = {i.destination for i in in_place}
    fatal = [i for i in refused if i.destination not in reached or not _is_tolerable(i, items)]
    reason = "; ".join(f"{i.destination} {i.role}: {i.error}{_instead(i, items)}" for i in fatal or refused)
    return Verdict(CaseEvent.GAVE_UP if fatal else CaseEvent.ALL_CONFIRMED, reason)


def _is_tolerable(refused: OutboxItem, items: Sequence[OutboxItem]) -> bool:
    return refused.error == NOT_OFFERED or refused.kind is Kind.REJECTION or bool(_instead(refused, items))


def _instead(refused: OutboxItem, items: Sequence[OutboxItem]) -> str:
    """Say what the destination has in place of an object that it does not take."""
    stand_ins = [
        _NAMES.get(i.sop_class_uid, i.role)
        for i in items
        if (i.destination, i.instead_of) == (refused.destination, refused.sop_instance_uid)
        and i.status is OutboxStatus.CONFIRMED
    ]
    return f", {stand_ins[0]} sent instead" if stand_ins else ""


def conclude(unit: Unit, case_id: int, at: datetime) -> None:
    """End the delivery of a version if all its items are settled, in the transaction that settled the last one.

    A version that was given up is DONE after all when the last proof comes late.

    The case is locked before its items are read: else two destinations that settle their last items at the same time
    would each miss the other's, and nobody would end the delivery.
    """
    case = unit.lock(case_id)
    judged = verdict(unit.outbox_of(case_id))
    if judged is None:
        return
    proven_late = case.state is CaseState.FAILED and judged.event is CaseEvent.ALL_CONFIRMED
    if proven_late or case.state is CaseState.DELIVERING:
        unit.apply(case, judged.event, at, reason=judged.reason)
        _log.info("delivery_ended", case_id=case_id, state=judged.event.value, reason=judged.reason)
