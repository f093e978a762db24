"""A PACS, as we see it as a client."""

from collections.abc import Callable, Generator, Sequence

from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]  # made at import

from agent.core.archive import OnReport, StoreOutcome
from agent.core.errors import Transient, Unanswered
from agent.core.services import VERIFICATION
from agent.dimse.association import NothingAccepted, Peer, Timeouts, association
from agent.dimse.commitment import ask
from agent.dimse.part10 import split
from agent.dimse.query import PENDING, message_context, named
from agent.dimse.store import c_store, context_id, contexts_for


class PacsClient:
    """One remote application entity. Each call is an association of its own; nothing is kept between calls.

    Parameters
    ----------
    ae_title : str
        Ours, as the calling AE title.
    peer_ae_title, host, port
        The remote application entity.
    timeouts : Timeouts
        In seconds.
    max_pdu : int
        Largest PDU that we receive, in bytes.
    """

    def __init__(
        self,
        ae_title: str,
        peer_ae_title: str,
        host: str,
        port: int,
        *,
        timeouts: Timeouts | None = None,
        max_pdu: int = 131072,
    ) -> None:
        self._peer = Peer(ae_title, peer_ae_title, host, port, timeouts or Timeouts(), max_pdu)

    def store(
        self, parts: Sequence[bytes], *, may_send: Callable[[], bool] = lambda: True
    ) -> Generator[StoreOutcome, None, None]:
        """Store Part 10 files over one association, in order, yielding each outcome at once.

        `may_send` is asked right before each object leaves; where it says no, the rest stays here. The dataset bytes
        travel as they are. A peer that takes neither SOP class nor transfer syntax of an object
        gives status None for it.

        Raises
        ------
        Unreachable
            Before the first outcome, if there is no association.
        Transient
            If a response is missing; outcomes yielded before stand.
        Permanent
            If one of `parts` is not a Part 10 file; nothing was sent then.
        """
        split_parts = [split(encoded) for encoded in parts]
        if not split_parts:
            return
        try:
            with association(self._peer, contexts_for(split_parts)) as opened:
                for number, part in enumerate(split_parts):
                    if not may_send():
                        return
                    context = context_id(opened, part)
                    status = None if context is None else c_store(opened, part, context, number % 0xFFFF + 1)
                    yield StoreOutcome(part.sop_instance_uid, status)
        except NothingAccepted:
            for part in split_parts:
                yield StoreOutcome(part.sop_instance_uid, None)

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the peer lists the instance (PS3.4 C.6.2, study root, IMAGE level).

        Raises
        ------
        Transient
            If it cannot be asked, or answers with a failure.
        """
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = study_instance_uid
        query.SeriesInstanceUID = series_instance_uid
        query.SOPInstanceUID = sop_instance_uid
        model = StudyRootQueryRetrieveInformationModelFind
        found = False
        with association(self._peer, [message_context(model)]) as opened:
            for status, match in opened.send_c_find(query, model):
                code = status.get("Status")
                if code in PENDING:
                    # a peer that ignores the unique key lists the whole series
                    found = found or (match is not None and match.get("SOPInstanceUID") == sop_instance_uid)
                elif code != 0x0000:
                    raise (Unanswered if code is None else Transient)(f"C-FIND ended with {named(code)}")
        return found

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Ask for storage commitment (PS3.4 J.3.2); the report comes on the same association, or later on another.

        Parameters
        ----------
        transaction_uid : str
            Names this request in the report.
        instances : sequence of (SOP Class UID, SOP Instance UID)
            What to commit to.
        on_report : callable
            Takes a report that comes on the same association.

        Raises
        ------
        Transient
            If it cannot be asked.
        Permanent
            If the peer does not offer storage commitment.
        """
        ask(self._peer, transaction_uid, instances, on_report)

    def echo(self) -> None:
        """C-ECHO (PS3.4 A.4).

        Raises
        ------
        Transient
            If it is not answered with success.
        """
        with association(self._peer, [message_context(VERIFICATION)]) as opened:
            status = opened.send_c_echo().get("Status")
        if status != 0x0000:
            raise (Unanswered if status is None else Transient)(f"C-ECHO ended with {named(status)}")
