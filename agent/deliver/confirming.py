"""Proof that what was stored has arrived to stay."""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import structlog

from agent.core.archive import OnReport
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.ports import OutboxItem, OutboxStatus
from agent.crashpoint import crashpoint
from agent.deliver.commitment import apply_report
from agent.deliver.route import Route
from agent.deliver.settings import Confirm
from agent.dicom.commitment import transaction_uid

NOT_LISTED: Final = "stored, but the destination does not list it"
ASKED: Final = "stored, storage commitment asked for"
LISTED: Final = "the destination lists it"
NO_REPORT: Final = "no storage commitment report came"
_ASKINGS: Final = 3  # without a report, until the peer's list is asked instead
_AT_LONGEST: Final = 64  # attempts after which every backoff has reached its longest delay

_log = structlog.get_logger()


def confirm(route: Route, items: Sequence[OutboxItem]) -> int:
    """Ask for the proof of some stored objects, of one case or several, and return how many were confirmed here.

    Commitment is confirmed later, by the report (`agent.deliver.commitment`), unless that comes on the same
    association. Where the peer offers no commitment, or never reports, its list is the proof, and the outbox says so.

    Raises
    ------
    Unreachable
        If there was no association, or no answer in time.
    """
    left = deque(items)
    confirmed = 0
    without = ""
    try:
        if route.settings.confirm == Confirm.COMMITMENT:
            silent = _never_reported(route, items)
            confirmed, unproven = _read_back(route, silent)
            asked = _ask_for_commitment(route, [i for i in items if i not in silent or i in unproven])
            left = deque(asked.not_offered)
            without = asked.why
        while left:
            confirmed += _confirm(route, left[0], without)
            left.popleft()
    except (Transient, Permanent) as exc:
        wait = route.wait_after(exc, _AT_LONGEST) if isinstance(exc, Transient) else route.delay(_AT_LONGEST)
        error = f"stored, not confirmed: {'; '.join(filter(None, [without, str(exc)]))}"
        route.put_off(list(left), OutboxStatus.SENT, wait, error)
        _log.warning(
            "confirmation_put_off", case_ids=sorted({i.case_id for i in items}), destination=route.name, reason=str(exc)
        )
        if isinstance(exc, Unreachable):
            raise
    return confirmed


def _never_reported(route: Route, items: Sequence[OutboxItem]) -> list[OutboxItem]:
    """Return what was asked for again and again, and never reported: perhaps the peer does not know where we are."""
    with route.store.unit() as unit:
        asked = unit.asked(items)
    return [item for item in items if asked.get(item.id, 0) >= _ASKINGS]


def _read_back(route: Route, items: Sequence[OutboxItem]) -> tuple[int, Sequence[OutboxItem]]:
    """Look for objects in the peer's list; return how many are there, and what could not be looked for."""
    confirmed = 0
    for n, item in enumerate(items):
        try:
            confirmed += _confirm(route, item, NO_REPORT)
        except Unreachable:
            raise
        except Transient as exc:
            _log.info("not_listed_either", destination=route.name, reason=str(exc))
            return confirmed, items[n:]
    return confirmed, ()


def _confirm(route: Route, item: OutboxItem, without: str) -> bool:
    if route.settings.confirm != Confirm.NONE and not _is_listed(route, item):
        return False
    route.settle(item, OutboxStatus.CONFIRMED, error=f"{without}; {LISTED}" if without else "")
    crashpoint("deliver.after_confirm")
    return True


def _is_listed(route: Route, item: OutboxItem) -> bool:
    """Look for an object; one that is missing twice, with the backoff between, waits to be sent again."""
    if route.archive.has(item.study_instance_uid, item.series_instance_uid, item.sop_instance_uid):
        return True
    wait = route.delay(item.attempts)
    if item.error == NOT_LISTED:
        route.put_off([item], OutboxStatus.WAITING, wait, NOT_LISTED)
    else:
        route.settle(item, OutboxStatus.SENT, wait=wait, error=NOT_LISTED)
    return False


class _Asked(NamedTuple):
    """What is left to be read back, and why, where a peer offers no commitment."""

    not_offered: Sequence[OutboxItem] = ()
    why: str = ""


def _ask_for_commitment(route: Route, items: Sequence[OutboxItem]) -> _Asked:
    """Ask for all of `items` in one transaction; what was asked for before, and for long enough, is given up.

    The transaction is known, and the next asking scheduled, before anything is sent: the report may be quicker
    than the response to the request.
    """
    overdue = [i for i in items if (i.error or i.attempts > 1) and route.is_over(i)]
    route.put_off(overdue, OutboxStatus.SENT, route.delay(_AT_LONGEST), "stored, no storage commitment")
    with route.store.unit() as unit:
        for case_id in sorted({i.case_id for i in items}):
            unit.lock(case_id)
        asked = route.unchanged(unit, [i for i in items if i not in overdue])
        if not asked:
            return _Asked()
        uid = transaction_uid(unit.installation(), route.name, asked[0].case_id, route.now())
        unit.expect_commitment(uid, asked, route.now())
        for item in asked:
            wait = timedelta(seconds=route.settings.commitment_within_s)
            route.note(unit, item, OutboxStatus.SENT, wait=wait, error=ASKED)
    crashpoint("deliver.before_action")
    try:
        route.archive.request_commitment(uid, [(i.sop_class_uid, i.sop_instance_uid) for i in asked], _taking(route))
    except Permanent as exc:
        _log.warning("commitment_not_offered", destination=route.name, reason=str(exc))
        return _Asked(asked, str(exc))
    crashpoint("deliver.after_action")
    return _Asked()


def _taking(route: Route) -> OnReport:
    """Return what applies a report that comes on the association on which it was asked for."""

    def take(payload: bytes, transfer_syntax_uid: str) -> None:
        with route.store.unit() as unit:
            apply_report(unit, payload, transfer_syntax_uid, route.now())

    return take
