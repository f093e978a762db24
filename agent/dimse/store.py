"""C-STORE of bytes as they are: no dataset is decoded or encoded on the way.

But for a peer that takes an object in no other transfer syntax than the default one.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence

import structlog
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from agent.core.archive import StoreOutcome
from agent.core.dimse_status import Judgement, judge
from agent.crashpoint import crashpoint
from agent.dimse.flight import Flight
from agent.dimse.part10 import EXPLICIT, IMPLICIT, Part, implicit

_log = structlog.get_logger()


def store(
    flight: Flight,
    parts: Sequence[Part],
    needs: Mapping[str, Collection[str]],
    may_send: Callable[[str], bool],
) -> Generator[StoreOutcome, None, None]:
    """Send the parts in order, as many at once as was negotiated, and yield each outcome as soon as it is there.

    Raises
    ------
    Transient
        If a response is missing or is none; outcomes yielded before stand.
    """
    outstanding: dict[int, str] = {}  # SOP Instance UIDs by Message ID
    failed: set[str] = set()  # answered with a failure that may pass, or kept here because of one
    with flight:
        for part in parts:
            wanted = frozenset(needs.get(part.sop_instance_uid, ()))
            while len(outstanding) >= flight.window or not wanted.isdisjoint(outstanding.values()):
                yield _landed(flight, outstanding, failed)
            while outstanding and flight.has_answer:
                yield _landed(flight, outstanding, failed)
            if not wanted.isdisjoint(failed):
                failed.add(part.sop_instance_uid)
                continue
            chosen = _chosen(flight, part)
            if chosen is None:
                yield StoreOutcome(part.sop_instance_uid, None)
                continue
            if not may_send(part.sop_instance_uid):
                break
            context, sent = chosen
            outstanding[flight.send(_request(sent), sent.dataset, context)] = part.sop_instance_uid
            crashpoint("dimse.after_request")
        while outstanding:
            yield _landed(flight, outstanding, failed)


def _chosen(flight: Flight, part: Part) -> tuple[int, Part] | None:
    """Return the accepted context of an object, and it as it travels there; None where the peer refused it."""
    as_it_is = context_id(flight.opened, part.sop_class_uid, part.transfer_syntax_uid)
    if as_it_is is not None:
        return as_it_is, part
    default = context_id(flight.opened, part.sop_class_uid, IMPLICIT)
    if default is None or part.transfer_syntax_uid != EXPLICIT:
        return None
    if not flight.is_implicit:
        flight.is_implicit = True
        _log.info("sent_in_implicit_vr", peer=flight.opened.acceptor.ae_title, sop_class_uid=part.sop_class_uid)
    return default, implicit(part)


def context_id(association: Association, sop_class_uid: str, transfer_syntax_uid: str) -> int | None:
    """Return the context that the peer accepted of a pair, None where it refused it."""
    for context in association.accepted_contexts:
        if (context.abstract_syntax, context.transfer_syntax[0]) == (sop_class_uid, transfer_syntax_uid):
            return context.context_id
    return None


def _request(part: Part) -> C_STORE:
    """Return a C-STORE-RQ (PS3.7 9.3.1), but for Message ID and dataset."""
    request = C_STORE()
    request.Priority = 2  # low, as pynetdicom's own
    request.AffectedSOPClassUID = UID(part.sop_class_uid)
    request.AffectedSOPInstanceUID = UID(part.sop_instance_uid)
    return request


def _landed(flight: Flight, outstanding: dict[int, str], failed: set[str]) -> StoreOutcome:
    message_id, status = flight.answer()
    outcome = StoreOutcome(outstanding.pop(message_id), status)
    if judge(status) is Judgement.RETRY:
        failed.add(outcome.sop_instance_uid)
    return outcome
