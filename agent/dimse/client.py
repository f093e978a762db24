"""A PACS, as we see it as a client."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager

from agent.core.archive import OnReport, StoreOutcome
from agent.dimse.association import Peer, Timeouts, Tls
from agent.dimse.commitment import ask
from agent.dimse.session import FIND, PacsSession, Proposal, proposals


class PacsClient:
    """One remote application entity. Each call is an association of its own, but for those within a session.

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
    max_operations : int
        Objects that may be under way at once where the peer allows for it (PS3.7 D.3.3.3); 1 asks for nothing.
    tls : Tls, optional
        What makes TLS of each connection, and the name that the peer's certificate must have.
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
        max_operations: int = 8,
        tls: Tls | None = None,
    ) -> None:
        self._peer = Peer(ae_title, peer_ae_title, host, port, timeouts or Timeouts(), max_pdu, max_operations, tls)
        self._taken: deque[Proposal] = deque(maxlen=1)

    def session(
        self, pairs: Collection[tuple[str, str]] = (), *, reads_back: bool = False
    ) -> AbstractContextManager[PacsSession]:
        """Give the same calls over one association, opened with the first and released at the end of the block.

        It proposes, beside what its first call needs, `pairs` of SOP class and transfer syntax, and to answer queries.
        """
        expected = [*proposals(pairs), *([FIND] if reads_back else [])]
        return PacsSession(self._peer, expected, self.request_commitment, self._taken)

    def store(
        self,
        parts: Sequence[bytes],
        *,
        needs: Mapping[str, Collection[str]] | None = None,
        may_send: Callable[[str], bool] = lambda _: True,
    ) -> Generator[StoreOutcome, None, None]:
        """Store Part 10 files over an association of their own; see `PacsSession.store`."""
        with self.session() as session:
            yield from session.store(parts, needs=needs, may_send=may_send)

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the peer lists the instance; see `PacsSession.has`."""
        with self.session() as session:
            return session.has(study_instance_uid, series_instance_uid, sop_instance_uid)

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
        """C-ECHO; see `PacsSession.echo`."""
        with self.session() as session:
            session.echo()
