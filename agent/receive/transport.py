"""pynetdicom's associations, with guards on their sockets and an end to each that nothing can skip."""

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, cast

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket, ThreadedAssociationServer

from agent.core.boundary import contained
from agent.receive.admission import Account
from agent.receive.complaints import Complaints
from agent.receive.deciding import Asked
from agent.receive.failing import break_off
from agent.receive.journal import AssociationLog
from agent.receive.lane.framing import HEADER_BYTES, AbortReason, PduType, encode_abort, header
from agent.receive.laned import LanedAssociation
from agent.receive.quotas import Place
from agent.receive.request import MAX_REQUEST_BYTES
from agent.receive.settings import ReceiverSettings

_MAX_CONTROL_BYTES: Final = 1 << 10
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # what is unsent is dropped, the connection is reset
_FAREWELL_S: Final = 1.0
_DROPPED_READS: Final = 64
_DROPPED_BYTES: Final = 1 << 16


class GuardedSocket(AssociationSocket):
    """A socket that reads no PDU longer than it may be, and waits for none longer than it should.

    pynetdicom reads a PDU in two steps, header and body, and takes an OSError for a closed connection.
    """

    def __init__(self, association: Association, connection: socket.socket, settings: ReceiverSettings) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(settings.pdu_timeout_s)
        self._max_pdu_bytes = settings.max_pdu_bytes
        self._timeout_s = settings.pdu_timeout_s
        self._deadline = 0.0
        self._expects_header = True
        self._unread = memoryview(b"")
        self._is_deaf = False
        super().__init__(association, client_socket=connection)

    @property
    def ready(self) -> bool:
        """Whether there is something to be read."""
        if self._is_deaf:
            self._drop_what_came()
            return False
        return bool(self._unread) or self._has_more()

    def unread(self, data: bytes) -> None:
        """Take back what was read ahead; it is read again first."""
        self._unread = memoryview(data)

    def drop(self) -> None:
        """Close without a farewell later: a peer that reads nothing would not take it, nor see that we are gone."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)

    def turn_deaf(self) -> None:
        """Understand nothing more: what comes from now on is dropped, so that an abort is the last word."""
        self._is_deaf = True

    def end_with(self, pdu: bytes) -> None:
        """Send a last PDU, and understand nothing more."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.settimeout(_FAREWELL_S)  # who reads nothing would keep us
                self.socket.sendall(pdu)
        self.turn_deaf()
        self._drop_what_came()  # closed with bytes unread, the connection would be reset, and the PDU lost

    def recv(self, nr_bytes: int) -> bytearray:
        """Read a PDU's header or body; shorter only if the peer closed the connection.

        Raises
        ------
        OSError
            If the PDU is longer than allowed, or is not complete in time.
        """
        if self._expects_header:
            self._deadline = time.monotonic() + self._timeout_s
        data = self._read(nr_bytes)
        if self._expects_header and len(data) == HEADER_BYTES:
            self._check_length(*header(memoryview(data)))
        self._expects_header = not self._expects_header
        return data

    def _has_more(self) -> bool:
        """Ask with `poll`: pynetdicom's `select` knows no descriptor above 1023, and calls the connection closed."""
        connection = self.socket
        if connection is None or not self._is_connected:
            return False
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        poll = select.poll()
        try:
            poll.register(connection, select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):  # closed by another thread
            self.event_queue.put("Evt17")  # PS3.8 table 9-10: transport connection closed
            return False

    def _shutdown_socket(self) -> None:
        """Close the connection, also where the peer was first and there is nothing to shut down."""
        if self.socket is not None:
            with suppress(OSError, ValueError):
                if isinstance(self.socket, ssl.SSLSocket):
                    self.socket.settimeout(0)
                    self.socket.unwrap()  # TLS's own farewell; the peer's is not waited for
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def _drop_what_came(self) -> None:
        connection = self.socket
        if connection is not None:
            with suppress(OSError):
                connection.settimeout(0)
                for _ in range(_DROPPED_READS):
                    if not connection.recv(_DROPPED_BYTES):
                        break

    def _check_length(self, kind: int, length: int) -> None:
        limits: dict[int, int] = {PduType.P_DATA_TF: self._max_pdu_bytes, PduType.A_ASSOCIATE_RQ: MAX_REQUEST_BYTES}
        if length > limits.get(kind, _MAX_CONTROL_BYTES):
            cast(StoreAssociation, self.assoc).complain("association_broken_off", "a PDU longer than allowed")
            self.end_with(encode_abort(AbortReason.INVALID_PDU_PARAMETER_VALUE))
            raise ConnectionAbortedError("the PDU is longer than allowed")

    def _read(self, length: int) -> bytearray:
        connection = self.socket
        data = bytearray(length)
        view, done = memoryview(data), min(length, len(self._unread))
        view[:done], self._unread = self._unread[:done], self._unread[done:]
        while connection is not None and done < length:
            connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
            received = connection.recv_into(view[done:])
            if not received:
                break
            done += received
        if connection is not None:
            connection.settimeout(self._timeout_s)
        return data if done == length else data[:done]


class StoreAssociation(LanedAssociation):
    """An association as acceptor, that was admitted. It gives its place back at its end."""

    def __init__(self, server: "StoreServer", asked: Asked) -> None:
        super().__init__(server.ae, server.new_log(asked.permit.account), server.settings, server.complaints)
        self.may = asked.permit.may
        self.sop_classes = asked.permit.sop_classes
        self._place: Place = asked.place

    def run_reactor(self) -> None:
        """Serve the association; whatever ends it, its end is recorded."""
        try:
            contained(super().run_reactor, lambda error: break_off(self, error))
        finally:
            self.provider.give_back()
            try:
                self.tell_end()
            finally:
                self.log.close()
                self._place.give_back()

    @property
    def is_requested(self) -> bool:
        """Whether an association request came in over the connection."""
        return self.requestor.primitive is not None

    def wake(self) -> None:
        """End the wait for an association request. pynetdicom takes None for a timeout, and closes."""
        self.dul.to_user_queue.put(cast(Any, None))


class StoreServer(ThreadedAssociationServer):
    """A socket that listens. Its connections come by way of the gate; it makes associations of them.

    Parameters
    ----------
    ae
        Ours.
    settings
        Names and limits.
    at
        Address and port to listen on.
    tls
        What makes TLS of its connections.
    evt_handlers
        (event, handler) for each event of an association.
    complaints
        Takes what goes wrong.
    new_log
        Gives the log of a new association, by whose it is.
    """

    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self,
        ae: ApplicationEntity,
        settings: ReceiverSettings,
        *,
        at: tuple[str, int],
        tls: ssl.SSLContext | None,
        evt_handlers: list[Any],
        complaints: Complaints,
        new_log: Callable[[Account], AssociationLog],
    ) -> None:
        self.settings = settings
        self.tls = tls
        self.complaints = complaints
        self.new_log = new_log
        super().__init__(ae, at, settings.ae_title, [], evt_handlers=evt_handlers)

    @property
    def listening(self) -> socket.socket:
        """Return the socket that listens."""
        assert self.socket is not None  # noqa: S101 - it is made with the server
        return self.socket

    def begin(self, asked: Asked) -> None:
        """Make an association of a connection, in threads of its own. Raises OSError, RuntimeError."""
        association = self._association(asked)
        try:
            association.start()
        except RuntimeError:
            association.log.close()
            raise

    def _association(self, asked: Asked) -> StoreAssociation:
        """Return an association; the counterpart of pynetdicom's own making of one, without its copies."""
        ae = self.ae
        association = StoreAssociation(self, asked)
        association._server = self
        association.name = f"AcceptorThread@{datetime.now(UTC):%Y%m%d%H%M%S}"  # pynetdicom counts threads so named
        guarded = GuardedSocket(association, asked.connection, self.settings)
        guarded.unread(asked.request)
        association.set_socket(guarded)
        acceptor = association.acceptor
        acceptor.maximum_length = ae.maximum_pdu_size
        acceptor.ae_title = self.ae_title
        acceptor.address_info = AddressInformation.from_tuple(self.server_address)
        acceptor.implementation_class_uid = ae.implementation_class_uid
        acceptor.implementation_version_name = ae.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(asked.address)
        for event, handlers in self._handlers.items():
            for handler in cast(list[Any], [handlers] if event.is_intervention else handlers):
                association.bind(event, handler[0], handler[1])
        return association
