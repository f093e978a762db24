"""The waiting objects of one case over one association; each is settled as soon as its response is there."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Final

import structlog

from agent.core.archive import StoreOutcome
from agent.core.case import Case, CaseState
from agent.core.dimse_status import C_STORE, Judgement, judge, spell
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.firewall import stopped
from agent.core.ports import OutboxItem, OutboxStatus, Unit
from agent.core.result import Kind, ResultObject
from agent.crashpoint import crashpoint
from agent.deliver.route import Route
from agent.deliver.settings import Confirm
from agent.deliver.verdict import NOT_OFFERED

_TAKEN: Final = frozenset({Judgement.STORED, Judgement.STORED_WITH_WARNING})
_NOT_REJECTED: Final = range(0xA770, 0xA778)
"""dcm4chee's answers to a rejection of what it does not have or has rejected already: of no use to try again."""

_log = structlog.get_logger()


def send_case(route: Route, due: Sequence[OutboxItem]) -> int:
    """Send waiting objects of one case, in sending order, and return how many were settled.

    What fails waits alone; the rest goes on, but for what needs it.

    Raises
    ------
    Unreachable
        If there was no association, or it ended before anything left; Unanswered where a response did not come in time.
    """
    objects = _load(route, due)
    if not objects:
        return 0
    unsettled = {item.sop_instance_uid: item for item, _ in objects}
    left: set[str] = set()
    try:
        _store(route, unsettled, left, [one for _, one in objects])
    except Transient as exc:
        _put_off(route, unsettled, left, exc)
    except Permanent as exc:
        for item in unsettled.values():
            route.settle(item, OutboxStatus.REFUSED, error=str(exc))
    return len(objects) - len(unsettled)


def _put_off(route: Route, unsettled: Mapping[str, OutboxItem], left: Collection[str], exc: Transient) -> None:
    """Blame what left and was not answered; where nothing left, the destination. What else waits stays due."""
    _log.warning("delivery_put_off", case_id=_case_id(unsettled), destination=route.name, reason=str(exc))
    tried = [item for uid, item in unsettled.items() if uid in left]
    if not tried:
        route.put_off(list(unsettled.values()), OutboxStatus.WAITING, timedelta(0), str(exc))
        raise Unreachable(str(exc)) from exc
    wait = route.wait_after(exc, max(item.attempts for item in tried) + 1)
    route.put_off(tried, OutboxStatus.WAITING, wait, str(exc))
    if isinstance(exc, Unreachable):
        raise exc


def _case_id(unsettled: Mapping[str, OutboxItem]) -> int:
    return next(iter(unsettled.values())).case_id


def _load(route: Route, due: Sequence[OutboxItem]) -> list[tuple[OutboxItem, ResultObject]]:
    """Read what may be sent now: the case may have moved on since it was found due."""
    with route.store.unit() as unit:
        case = unit.lock(due[0].case_id)
        if case.state is not CaseState.DELIVERING or _is_stopped(unit, case, route):
            return []
        by_uid = {one.sop_instance_uid: one for one in unit.result_objects(case.id)}
        waiting = {
            i.sop_instance_uid: i
            for i in unit.outbox_of(case.id)
            if (i.destination, i.status) == (route.name, OutboxStatus.WAITING)
        }
        going: dict[str, OutboxItem] = {}
        for item in route.unchanged(unit, due):
            lacking = [waiting[n] for n in by_uid[item.sop_instance_uid].needs if n in waiting and n not in going]
            if not lacking:
                going[item.sop_instance_uid] = item
            elif (until := max(other.next_at for other in lacking)) > route.now():
                error = f"waits for {lacking[0].role}, which it needs"
                unit.settle(item, OutboxStatus.WAITING, route.now(), next_at=until, error=error)
        return [(item, by_uid[uid]) for uid, item in going.items()]


def _store(route: Route, unsettled: dict[str, OutboxItem], left: set[str], objects: Sequence[ResultObject]) -> None:
    """Store the objects; note in `left` what leaves, and take out of `unsettled` what was settled."""
    crashpoint("deliver.before_first_store")
    answers = route.archive.store(
        [one.encoded for one in objects],
        needs={one.sop_instance_uid: one.needs for one in objects},
        may_send=lambda uid: _leaves(route, unsettled[uid], left),
    )
    with closing(answers) as outcomes:
        for outcome in outcomes:
            crashpoint("deliver.after_answer")
            if not _settle(route, unsettled[outcome.sop_instance_uid], outcome):
                left.remove(outcome.sop_instance_uid)
                continue
            del unsettled[outcome.sop_instance_uid]
            if unsettled:
                crashpoint("deliver.between_stores")
    crashpoint("deliver.after_last_store")


def _leaves(route: Route, item: OutboxItem, left: set[str]) -> bool:
    """Whether an object may leave: the case may have been held or merged since the last one did.

    That it leaves is noted first: whoever dies before the answer leaves a result that stays as it is.
    """
    with route.store.unit() as unit:
        case = unit.lock(item.case_id)
        if case.state is not CaseState.DELIVERING or _is_stopped(unit, case, route):
            return False
        unit.about_to_send([item], route.now())
    left.add(item.sop_instance_uid)
    return True


def _is_stopped(unit: Unit, case: Case, route: Route) -> bool:
    """Whether the firewall stops a version; then it is withdrawn, and nothing more of it leaves."""
    why = stopped(unit, case)
    if why:
        unit.withdraw(case, route.now(), why)
        _log.error("delivery_stopped", case_id=case.id, reason=why)
    return bool(why)


def _settle(route: Route, item: OutboxItem, outcome: StoreOutcome) -> bool:
    """Note what an answer means; return False where the object is to be sent again."""
    judgement = _judge(item, outcome.status)
    status = "" if outcome.status is None else spell(C_STORE, outcome.status)
    about = {"sop_instance_uid": item.sop_instance_uid, "case_id": item.case_id, "destination": route.name}
    if outcome.status is not None and judgement not in _TAKEN:
        _note_answer(route, item)
    if judgement is Judgement.RETRY:
        _log.warning("object_put_off", status=status, **about)
        route.put_off([item], OutboxStatus.WAITING, route.delay(item.attempts + 1), f"C-STORE status {status}")
        return False
    if judgement not in _TAKEN:
        why = NOT_OFFERED if judgement is Judgement.NOT_OFFERED else f"C-STORE status {status}"
        _log.warning("object_refused", status=status or NOT_OFFERED, **about)
        route.refuse(item, why)
        return True
    if route.settings.confirm == Confirm.NONE:
        route.settle(item, OutboxStatus.CONFIRMED)
    else:
        # a peer that fails to commit, again and again, is not to be sent to in a tight loop
        patient = route.settings.confirm == Confirm.COMMITMENT and item.attempts
        route.settle(item, OutboxStatus.SENT, wait=route.delay(item.attempts) if patient else None)
    _log.info("object_stored", status=status, **about)
    return True


def _judge(item: OutboxItem, status: int | None) -> Judgement:
    if status is None:
        return Judgement.NOT_OFFERED
    return Judgement.REFUSED if item.kind is Kind.REJECTION and status in _NOT_REJECTED else judge(status)


def _note_answer(route: Route, item: OutboxItem) -> None:
    with route.store.unit() as unit:
        unit.answered(item)
