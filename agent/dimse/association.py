"""Opening and ending an association as requestor, with every way it can fail as one of our errors."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_role
from pynetdicom.transport import AddressInformation, AssociationSocket

from agent.core.errors import Transient, Unreachable
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.dimse.release import EndingMachine, release
from agent.dimse.transport import ClientSocket

LONGEST_PDU: Final = 1 << 20
"""Bytes of a PDU that we send where the peer takes longer ones."""

_PDU_UNSAID: Final = 16384
_SHORTEST_PDU: Final = 128
Tls: TypeAlias = tuple[ssl.SSLContext, str]
"""What makes TLS of a connection, and the name that the peer's certificate must have."""

Negotiation: TypeAlias = SCP_SCU_RoleSelectionNegotiation | AsynchronousOperationsWindowNegotiation


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for the connection, for the association, for one response, for one PDU."""

    connect_s: float = 10
    association_s: float = 30
    response_s: float = 60
    pdu_s: float = 30


@dataclass(frozen=True, slots=True)
class Peer:
    """Who we are, whom we call, and how patiently."""

    ae_title: str  # ours
    peer_ae_title: str
    host: str
    port: int
    timeouts: Timeouts
    max_pdu: int
    max_operations: int = 1  # that we would have under way at once (PS3.7 D.3.3.3)
    tls: Tls | None = None


class NothingAccepted(Transient):
    """The association was accepted, and none of its presentation contexts was."""


class RequestorAe(AE):
    """An application entity whose associations use our socket, and end as ours do."""

    def _create_socket(self, assoc: Association, address: AddressInformation, tls_args: Any) -> AssociationSocket:
        assoc.dul.state_machine = EndingMachine(assoc.dul)
        opened = ClientSocket(assoc, address=address)
        opened.tls_args = tls_args
        return opened


@contextmanager
def association(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    *,
    provides: Sequence[str] = (),
    on_store: Callable[[evt.Event], int] | None = None,
) -> Iterator[Association]:
    """Hold an association with exactly these presentation contexts; it is released at the end.

    Parameters
    ----------
    provides
        SOP classes of which we are the SCP on it (role selection, PS3.7 D.3.3.4), as C-GET needs.
    on_store
        Takes what the peer stores on it, and returns the status.

    Raises
    ------
    Unreachable
        If there is no connection, or the association is rejected, aborted or not answered, or no PDU is short enough
        for the peer. A called or calling AE title that the peer does not know is a matter of configuration on either
        side, so it is tried again.
    NothingAccepted
        If no context was accepted.
    """
    extended: list[Negotiation] = [build_role(uid, scp_role=True) for uid in provides]
    if peer.max_operations > 1:
        extended.append(_window(peer.max_operations))
    handlers: list[evt.EventHandlerType] = [(evt.EVT_CONN_OPEN, _tune, [peer.timeouts.pdu_s])]
    if on_store is not None:
        handlers.append((evt.EVT_C_STORE, on_store))
    opened = _associate(peer, contexts, extended, handlers)
    if not opened.is_established:
        raise _failure(peer, opened)
    try:
        _bound_pdu(peer, opened)
        yield opened
    finally:
        release(opened)


def _associate(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    extended: Sequence[Negotiation],
    handlers: list[evt.EventHandlerType],
) -> Association:
    ae = RequestorAe(ae_title=peer.ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = peer.timeouts.connect_s
    ae.acse_timeout = peer.timeouts.association_s
    ae.dimse_timeout = peer.timeouts.response_s
    try:
        return ae.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.peer_ae_title,
            max_pdu=peer.max_pdu,
            ext_neg=list(extended),
            evt_handlers=handlers,
            tls_args=peer.tls,
        )
    except OSError as exc:  # the host name is not known
        raise Unreachable(f"{peer.peer_ae_title} at {peer.host}:{peer.port}: {exc.strerror or exc}") from exc


def _window(operations: int) -> AsynchronousOperationsWindowNegotiation:
    """Return the item that asks for several operations of ours at once, and one of the peer's (PS3.7 D.3.3.3.1)."""
    item = AsynchronousOperationsWindowNegotiation()
    item.maximum_number_operations_invoked = operations
    item.maximum_number_operations_performed = 1
    return item


def _bound_pdu(peer: Peer, opened: Association) -> None:
    """Bound the PDUs that we send: as long as the peer takes them, and no longer than is of use.

    It may have announced no limit (0), 4 GB, or, against PS3.7 D.3.3.1, nothing; and pynetdicom divides by what is
    left of a PDU after the head of its fragment.
    """
    accepted: Any = opened.acceptor.primitive
    announced: int | None = accepted.maximum_length_received
    if announced is None:
        announced = _PDU_UNSAID
    if 0 < announced < _SHORTEST_PDU:
        opened.abort()
        raise Unreachable(f"{peer.peer_ae_title} at {peer.host}:{peer.port} takes PDUs of {announced} bytes at most")
    accepted.maximum_length_received = min(announced or LONGEST_PDU, LONGEST_PDU)


def _tune(event: evt.Event, pdu_s: float) -> None:
    """Switch Nagle off (40 ms a response) and bound each read and write: pynetdicom lets both block for ever."""
    transport: Any = event.assoc.dul.socket
    connected: socket.socket = transport.socket
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(pdu_s)


def _failure(peer: Peer, failed: Association) -> Transient:
    where = f"{peer.peer_ae_title} at {peer.host}:{peer.port}"
    if failed.rejected_contexts:
        return NothingAccepted(f"{where} accepted none of the presentation contexts")
    answer = failed.acceptor.primitive
    if failed.is_rejected and answer is not None:
        return Unreachable(f"{where} rejected the association: {answer.reason_str}")
    return Unreachable(f"{where}: no connection, or no answer to the association request")
