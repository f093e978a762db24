"""The waiting objects of one case over one association; each is settled as soon as its response is there."""

from collections.abc import Sequence
from contextlib import closing

import structlog

from agent.core.archive import StoreOutcome
from agent.core.case import Case, CaseState
from agent.core.dimse_status import C_STORE, Judgement, judge, spell
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.firewall import stopped
from agent.core.ports import OutboxItem, OutboxStatus, Unit
from agent.core.result import ResultObject
from agent.crashpoint import crashpoint
from agent.deliver.route import Route
from agent.deliver.settings import Confirm
from agent.deliver.verdict import NOT_OFFERED

_log = structlog.get_logger()


def send_case(route: Route, due: Sequence[OutboxItem]) -> int:
    """Send the waiting objects of one case, in sending order, and return how many were settled.

    A failure that may pass stops the case, so that nothing overtakes what it needs; the rest waits with it.

    Raises
    ------
    Unreachable
        If there was no association.
    """
    case_id = due[0].case_id
    objects = _load(route, due)
    if not objects:
        return 0
    unsettled = {item.sop_instance_uid: item for item, _ in objects}
    try:
        _store(route, unsettled, [one for _, one in objects])
    except Transient as exc:
        rest = list(unsettled.values())
        route.put_off(rest, OutboxStatus.WAITING, route.wait_after(exc, max(i.attempts for i in rest) + 1), str(exc))
        _log.warning("delivery_put_off", case_id=case_id, destination=route.name, reason=str(exc))
        if isinstance(exc, Unreachable):
            raise
    except Permanent as exc:
        for item in unsettled.values():
            route.settle(item, OutboxStatus.REFUSED, error=str(exc))
    return len(objects) - len(unsettled)


def _load(route: Route, due: Sequence[OutboxItem]) -> list[tuple[OutboxItem, ResultObject]]:
    """Read what is still to be sent: the case may have moved on since it was found due.

    That it is about to leave is noted first: whoever dies before the answer leaves a result that stays as it is.
    """
    with route.store.unit() as unit:
        case = unit.lock(due[0].case_id)
        if case.state is not CaseState.DELIVERING or _is_stopped(unit, case, route):
            return []
        items = route.unchanged(unit, due)
        unit.about_to_send(items, route.now())
        by_uid = {one.sop_instance_uid: one for one in unit.result_objects(case.id)}
        return [(item, by_uid[item.sop_instance_uid]) for item in items]


def _store(route: Route, unsettled: dict[str, OutboxItem], objects: Sequence[ResultObject]) -> None:
    """Store the objects, and take out of `unsettled` what was settled.

    After a failure that may pass nothing more leaves; what is under way then is settled all the same.
    """
    crashpoint("deliver.before_first_store")
    case_id = next(iter(unsettled.values())).case_id
    failures: list[Transient] = []
    answers = route.archive.store(
        [one.encoded for one in objects],
        needs={one.sop_instance_uid: one.needs for one in objects},
        may_send=lambda: not failures and _goes_on(route, case_id),
    )
    with closing(answers) as outcomes:
        for outcome in outcomes:
            crashpoint("deliver.after_answer")
            try:
                _settle(route, unsettled[outcome.sop_instance_uid], outcome)
            except Transient as exc:
                failures.append(exc)
                continue
            del unsettled[outcome.sop_instance_uid]
            if unsettled:
                crashpoint("deliver.between_stores")
    if failures:
        raise failures[0]
    crashpoint("deliver.after_last_store")


def _goes_on(route: Route, case_id: int) -> bool:
    """Whether the next object may leave: the case may have been held or merged since the last one did."""
    with route.store.unit() as unit:
        case = unit.lock(case_id)
        return case.state is CaseState.DELIVERING and not _is_stopped(unit, case, route)


def _is_stopped(unit: Unit, case: Case, route: Route) -> bool:
    """Whether the firewall stops a version; then it is withdrawn, and nothing more of it leaves."""
    why = stopped(unit, case)
    if why:
        unit.withdraw(case, route.now(), why)
        _log.error("delivery_stopped", case_id=case.id, reason=why)
    return bool(why)


def _settle(route: Route, item: OutboxItem, outcome: StoreOutcome) -> None:
    judgement = Judgement.NOT_OFFERED if outcome.status is None else judge(outcome.status)
    status = "" if outcome.status is None else spell(C_STORE, outcome.status)
    about = {"sop_instance_uid": item.sop_instance_uid, "case_id": item.case_id, "destination": route.name}
    if judgement is Judgement.RETRY:
        raise Transient(f"C-STORE status {status}")
    if judgement in (Judgement.NOT_OFFERED, Judgement.REFUSED):
        why = NOT_OFFERED if judgement is Judgement.NOT_OFFERED else f"C-STORE status {status}"
        _log.warning("object_refused", status=status or NOT_OFFERED, **about)
        route.settle(item, OutboxStatus.REFUSED, error=why)
        return
    if route.settings.confirm == Confirm.NONE:
        route.settle(item, OutboxStatus.CONFIRMED)
    else:
        # a peer that fails to commit, again and again, is not to be sent to in a tight loop
        patient = route.settings.confirm == Confirm.COMMITMENT and item.attempts
        route.settle(item, OutboxStatus.SENT, wait=route.delay(item.attempts) if patient else None)
    _log.info("object_stored", status=status, **about)
