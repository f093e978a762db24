"""Storage commitment as SCU (PS3.4 annex J): N-ACTION, and an N-EVENT-REPORT that follows on the same association."""

import time
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode

from agent.core.archive import OnReport
from agent.core.dimse_status import N_ACTION as STATUSES
from agent.core.dimse_status import Asked, row_of, spell
from agent.core.errors import Permanent, Transient, Unanswered
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from agent.dimse.association import NothingAccepted, Peer, association, hold_still
from agent.dimse.query import message_context

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
    try:
        with association(peer, [message_context(STORAGE_COMMITMENT)]) as opened:
            taken = _take_reports(opened, on_report)
            hold_still(opened)
            try:
                _request(opened, transaction_uid, instances, peer.timeouts.response_s)
                if on_report is not None:
                    _linger(opened, taken, linger_s)
            finally:
                opened._reactor_checkpoint.set()
                _let_end(opened)
    except NothingAccepted as exc:
        raise Permanent(f"no storage commitment: {exc}") from exc


def _take_reports(opened: Association, on_report: OnReport | None) -> Callable[[], bool]:
    """Take what the peer reports on this association; return what tells whether it did."""
    taken: list[int] = []

    def take(event: evt.Event) -> tuple[int, None]:
        information = cast(N_EVENT_REPORT, event.request).EventInformation
        status = _SUCCESS if on_report else _RESOURCE_LIMITATION
        try:
            if on_report is not None:
                on_report(information.getvalue() if information else b"", str(event.context.transfer_syntax))
        except Transient:
            status = _RESOURCE_LIMITATION
        taken.append(status)
        return status, None

    opened.bind(evt.EVT_N_EVENT_REPORT, take)
    return lambda: bool(taken)


def _request(
    opened: Association, transaction_uid: str, instances: Sequence[tuple[str, str]], patience_s: float
) -> None:
    context = opened.accepted_contexts[0]
    syntax = context.transfer_syntax[0]
    request = N_ACTION()
    request.MessageID = 1
    request.RequestedSOPClassUID = UID(STORAGE_COMMITMENT)
    request.RequestedSOPInstanceUID = UID(STORAGE_COMMITMENT_INSTANCE)
    request.ActionTypeID = _REQUEST_ACTION
    encoded = encode(_action(transaction_uid, instances), syntax.is_implicit_VR, syntax.is_little_endian)
    request.ActionInformation = BytesIO(cast(bytes, encoded))
    opened.dimse.send_msg(request, cast(int, context.context_id))
    status = _response(opened, time.monotonic() + patience_s)
    then = row_of(STATUSES, status).then
    if then is not Asked.ACCEPTED:
        kind = Permanent if then is Asked.NOT_OFFERED else Transient
        raise kind(f"storage commitment was asked for and answered with status {spell(STATUSES, status)}")


def _response(opened: Association, until: float) -> int:
    """Wait for the response; what the peer reports before it is taken meanwhile."""
    while time.monotonic() < until:  # however much it says
        context_id, message = opened.dimse.get_msg(block=True)
        if isinstance(message, N_ACTION) and message.Status is not None:
            return message.Status
        if message is None:
            break
        opened._serve_request(message, cast(int, context_id))
    opened.abort()
    kind = Transient if time.monotonic() < until else Unanswered
    raise kind("no response to the request for storage commitment: time ran out, or the peer ended the association")


def _linger(opened: Association, is_taken: Callable[[], bool], linger_s: float) -> None:
    """Serve what the peer says until it has reported, ends the association, or the time is over."""
    until = time.monotonic() + linger_s
    while not is_taken() and opened.dul.peek_next_pdu() is None and time.monotonic() < until:
        context_id, message = opened.dimse.get_msg(block=False)
        if message is None:
            time.sleep(_LOOK_EVERY_S)
        else:
            opened._serve_request(message, cast(int, context_id))


def _let_end(opened: Association) -> None:
    """Have the reactor answer a peer that asked for release: pynetdicom's own release would cross it and break."""
    is_ending = opened.dul.peek_next_pdu() is not None
    until = time.monotonic() + LINGER_S
    while is_ending and opened.is_established and time.monotonic() < until:
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
