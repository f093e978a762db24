"""Having a PACS send what it holds to our own receiver: C-MOVE or C-GET (PS3.4 C.4.2, C.4.3, study root).

What C-GET brings goes on to our own receiver by C-STORE, so that everything that comes in comes in by one door.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from agent.core.errors import Permanent, Transient
from agent.core.pacs import Wanted
from agent.dimse.association import NothingAccepted, Peer, association
from agent.dimse.client import PacsClient
from agent.dimse.query import PENDING, failure, message_context
from agent.dimse.still import hold_still

_MOVE: Final = UID(StudyRootQueryRetrieveInformationModelMove)
_GET: Final = UID(StudyRootQueryRetrieveInformationModelGet)
_CANNOT_PASS_ON: Final = 0xA700  # refused: out of resources (PS3.4 B.2.3)
_MOST_CONTEXTS: Final = 127  # 128 in an association (PS3.8 9.3.2.2), one is C-GET itself

TRANSFER_SYNTAXES: Final = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
)
"""What C-GET offers for each SOP class, a context each, so that the peer need not convert anything."""


class Mover:
    """Has a peer send objects to our AE title over associations of its own.

    Parameters
    ----------
    peer
        Whom to ask; its AE title must lead to our listener under ours.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def retrieve(self, wanted: Wanted) -> int:
        """C-MOVE to our own AE title; return how many instances were sent.

        Raises
        ------
        Transient
            If the peer cannot be asked, or not everything was sent.
        Permanent
            If it offers no C-MOVE.
        """
        try:
            with association(self._peer, [message_context(_MOVE)]) as opened:
                hold_still(opened)
                return _count("C-MOVE", opened.send_c_move(_identifier(wanted), self._peer.ae_title, _MOVE))
        except NothingAccepted as exc:
            raise Permanent(f"no C-MOVE: {exc}") from exc


class Getter:
    """Fetches objects over our own association and passes each on to our receiver.

    Parameters
    ----------
    peer
        Whom to ask.
    receiver
        Our own listener, as a client sees it.
    sop_classes
        What may come.
    """

    def __init__(self, peer: Peer, receiver: PacsClient, sop_classes: Iterable[str]) -> None:
        self._peer = peer
        self._receiver = receiver
        self._sop_classes = tuple(dict.fromkeys(sop_classes))

    def retrieve(self, wanted: Wanted) -> int:
        """C-GET; return how many instances our receiver took.

        Raises
        ------
        Transient
            If the peer cannot be asked, or not everything came through.
        Permanent
            If it offers no C-GET.
        """
        pairs = [(uid, syntax) for syntax in TRANSFER_SYNTAXES for uid in self._sop_classes]
        storage = [build_context(uid, syntax) for uid, syntax in pairs[:_MOST_CONTEXTS]]
        try:
            with association(
                self._peer,
                [message_context(_GET), *storage],
                provides=self._sop_classes,
                on_store=_passing_on(self._receiver),
            ) as opened:
                if all(context.abstract_syntax != _GET for context in opened.accepted_contexts):
                    raise Permanent("the peer offers no C-GET")
                hold_still(opened)
                return _count("C-GET", opened.send_c_get(_identifier(wanted), _GET))
        except NothingAccepted as exc:
            raise Permanent(f"no C-GET: {exc}") from exc


def _passing_on(receiver: PacsClient) -> Callable[[evt.Event], int]:
    """Return a handler that stores each object with our receiver and answers as that did."""

    def pass_on(event: evt.Event) -> int:
        try:
            (outcome,) = receiver.store([event.encoded_dataset()])
        except (Transient, Permanent):
            return _CANNOT_PASS_ON
        return _CANNOT_PASS_ON if outcome.status is None else outcome.status

    return pass_on


def _identifier(wanted: Wanted) -> Dataset:
    """Name what is wanted by the unique keys down to its level (PS3.4 C.4.2.2.1)."""
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    ds.StudyInstanceUID = wanted.study_instance_uid
    if wanted.series_instance_uid:
        ds.QueryRetrieveLevel = "SERIES"
        ds.SeriesInstanceUID = wanted.series_instance_uid
    if wanted.sop_instance_uids:
        ds.QueryRetrieveLevel = "IMAGE"
        ds.SOPInstanceUID = list(wanted.sop_instance_uids)
    return ds


def _count(service: str, responses: Iterable[tuple[Dataset, Any]]) -> int:
    """Read the responses to their end; return the number of completed sub-operations, the last that was said."""
    completed, last = 0, None
    for status, _ in responses:
        last = status.get("Status")
        completed = status.get("NumberOfCompletedSuboperations") or completed
        completed += (status.get("NumberOfWarningSuboperations") or 0) if last not in PENDING else 0
    if last == 0xB000:
        raise Transient(f"{service}: not every instance was sent")
    if last != 0x0000:
        raise failure(service, last)
    return int(completed)
