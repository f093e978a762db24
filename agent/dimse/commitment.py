"""Storage commitment as SCU (PS3.4 annex J): N-ACTION, and an N-EVENT-REPORT that follows on the same association."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from agent.core.archive import OnReport
from agent.core.dimse_status import N_ACTION, Asked, row_of, spell
from agent.core.errors import Permanent, Transient, Unanswered
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from agent.dimse.association import NothingAccepted, Peer, association
from agent.dimse.query import message_context
from agent.dimse.still import hold_still

LINGER_S: Final = 1.0
"""How long the association is kept for a report; a peer that takes longer reports on one of its own."""

_REQUEST_ACTION: Final = 1  # Request Storage Commitment (PS3.4 J.3.2.1)
_SUCCESS: Final = 0x0000
_RESOURCE_LIMITATION: Final = 0x0213
_LOOK_EVERY_S: Final = 0.005


def ask(
    peer: Peer,
    transaction_uid: str,
    instances: Sequence[tuple[str, str]],
    on_report: OnReport | None,
    *,
    linger_s: float = LINGER_S,
) -> None:
    """Ask for storage commitment over an association of its own, and take the report if it comes on the same one.

    The report may be there before the response to the request. It is answered only once `on_report` returned; where
    that raises Transient, or there is none, the peer is told to report again.

    Raises
    ------
    Transient
        If it cannot be asked, or the peer cannot now.
    Permanent
        If the peer does not offer storage commitment to us.
    """
    reports: list[threading.Thread] = []
    try:
        with association(peer, [message_context(STORAGE_COMMITMENT)]) as opened:
            opened.bind(evt.EVT_N_EVENT_REPORT, _taking(on_report, reports))
            _request(opened, transaction_uid, instances)
            if on_report is not None:
                _wait(lambda: reports or not opened.is_established, linger_s)
            for report in reports:
                report.join(peer.timeouts.response_s)  # its answer goes out before we release
    except NothingAccepted as exc:
        raise Permanent(f"no storage commitment: {exc}") from exc


def _taking(on_report: OnReport | None, reports: list[threading.Thread]) -> Callable[[evt.Event], tuple[int, None]]:
    """Return what takes a report; pynetdicom calls it in a thread of the report's own, which answers, too."""

    def take(event: evt.Event) -> tuple[int, None]:
        reports.append(threading.current_thread())
        information = cast(N_EVENT_REPORT, event.request).EventInformation
        if on_report is None:
            return _RESOURCE_LIMITATION, None
        try:
            on_report(information.getvalue() if information else b"", str(event.context.transfer_syntax))
        except Transient:
            return _RESOURCE_LIMITATION, None
        return _SUCCESS, None

    return take


def _request(opened: Association, transaction_uid: str, instances: Sequence[tuple[str, str]]) -> None:
    wanted = _action(transaction_uid, instances)
    hold_still(opened)
    began = time.monotonic()
    answer, _ = opened.send_n_action(wanted, _REQUEST_ACTION, UID(STORAGE_COMMITMENT), UID(STORAGE_COMMITMENT_INSTANCE))
    status = answer.get("Status")
    if status is None:
        is_over = time.monotonic() - began >= (opened.dimse_timeout or 0)
        raise (Unanswered if is_over else Transient)(
            "no response to the request for storage commitment: time ran out, or the peer ended the association"
        )
    then = row_of(N_ACTION, status).then
    if then is not Asked.ACCEPTED:
        kind = Permanent if then is Asked.NOT_OFFERED else Transient
        raise kind(f"storage commitment was asked for and answered with status {spell(N_ACTION, status)}")


def _wait(is_enough: Callable[[], object], most_s: float) -> None:
    until = time.monotonic() + most_s
    while not is_enough() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)


def _action(transaction_uid: str, instances: Sequence[tuple[str, str]]) -> Dataset:
    """Return the action information (PS3.4 table J.3-1)."""
    wanted = Dataset()
    wanted.TransactionUID = transaction_uid
    wanted.ReferencedSOPSequence = [_reference(*pair) for pair in instances]
    return wanted


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
