"""The one thread that accepts connections and reads association requests; only who may associate gets a thread."""

import errno
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from agent.core.boundary import contained
from agent.receive.admission import is_expected, is_known
from agent.receive.caller import Caller, Stage
from agent.receive.complaints import Complaints
from agent.receive.deciding import ABORT, Asked, Desk, TurnedAway
from agent.receive.request import MalformedRequest
from agent.receive.settings import ReceiverSettings
from agent.receive.waiting import WaitingRoom

TICK_S: Final = 0.1
LEAVE_WITHIN_S: Final = 5.0
_ACCEPTED_AT_ONCE: Final = 64
_PAUSE_S: Final = 0.05
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener(Protocol):
    """Where connections come in."""

    tls: ssl.SSLContext | None

    @property
    def listening(self) -> socket.socket:
        """Return the socket that listens."""

    def begin(self, asked: Asked) -> None:
        """Make an association of a connection, in threads of its own. Raises OSError, RuntimeError."""

    def server_close(self) -> None:
        """Listen no more."""


class _Stranger(Exception):
    """A certificate that was verified, and is no peer's."""


class Gate:
    """Holds each connection until its association request is there and decided on (PS3.8 section 9.2, Sta2).

    Connections from addresses of no peer are closed at once, and so are those over TLS whose certificate is no peer's.
    Nothing here waits for a peer: handshakes and requests go on as their bytes come, and end at a deadline.

    Parameters
    ----------
    settings
        Peers and limits.
    listeners
        Where connections come in.
    has_free_disk
        Whether storage may be proposed.
    service
        What is due now and then.
    complaints
        Takes who is turned away.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        listeners: list[Listener],
        has_free_disk: Callable[[], bool],
        service: Callable[[], None],
        complaints: Complaints,
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._service = service
        self._desk = Desk(settings, has_free_disk)
        self._waiting = WaitingRoom(settings.max_waiting)
        self._listener_of: dict[int, Listener] = {}
        self._complaints = complaints
        self._selector = selectors.DefaultSelector()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    @property
    def waiting(self) -> int:
        """Connections that are not associations."""
        return len(self._waiting)

    def start(self) -> None:
        """Let callers in."""
        for listener in self._listeners:
            listener.listening.setblocking(False)
            self._selector.register(listener.listening, selectors.EVENT_READ, listener)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and close what is no association. Associations go on."""
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            for key, _ in self._selector.select(TICK_S):
                if not isinstance(key.data, Caller):
                    self._accept(key.data)
                elif id(key.data) in self._listener_of:  # else it was closed meanwhile
                    self._attend(key.data)
            self._send_away_the_late()
            self._complaints.sum_up()
            self._service()
        for listener in self._listeners:
            listener.server_close()
        for caller in self._waiting:
            self._close(caller)
        self._selector.close()

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, address = listener.listening.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._make_room(error)
                return  # most of the time there is no other connection
            may_be_one = is_expected if listener.tls is None else is_known
            if not may_be_one(self._settings, address[0]):
                self._complaints.tell("connection_refused", peer=address[0], reason="an address of no peer")
                connection.close()
            else:
                self._let_in(listener, connection, address)

    def _make_room(self, error: OSError) -> None:
        """Give up the oldest connection, for there are no descriptors left; without any, take a breath."""
        self._complaints.tell("connections_exhausted", peer="all", reason=errno.errorcode.get(error.errno or 0, ""))
        caller = self._waiting.oldest_of_most()
        if caller is None:
            time.sleep(_PAUSE_S)
        else:
            self._close(caller)

    def _let_in(self, listener: Listener, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.setblocking(False)
        if listener.tls is not None:
            try:
                connection = listener.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            except OSError:  # it is gone again
                connection.close()
                return
        caller = Caller(connection, address, time.monotonic() + self._settings.pdu_timeout_s)
        self._listener_of[id(caller)] = listener
        self._selector.register(connection, caller.waits_for, caller)
        surplus = self._waiting.add(caller)
        if surplus is not None:
            self._attend(surplus)  # its request may be there, not yet read
            if id(surplus) in self._listener_of:
                self._complaints.tell("connection_dropped", peer=surplus.peer, reason="too many wait")
                self._close(surplus)

    def _attend(self, caller: Caller) -> None:
        """Go on with a connection that has something to say."""
        contained(lambda: self._hear(caller), lambda error: self._fail(caller, error))

    def _fail(self, caller: Caller, error: Exception) -> None:
        self._complaints.tell("connection_failed", peer=caller.peer, reason=type(error).__name__)
        if id(caller) in self._listener_of:
            self._close(caller)

    def _hear(self, caller: Caller) -> None:
        waited_for = caller.waits_for
        try:
            self._go_on(caller)
        except MalformedRequest as error:
            answer = b"" if caller.is_aborting() else ABORT
            self._refuse(caller, TurnedAway(answer, "connection_refused", str(error)))
        except _Stranger:
            who = {"certificate": str(caller.certificate)}
            self._refuse(caller, TurnedAway(b"", "tls_refused", "a certificate of no peer", who))
        except ssl.SSLError as error:  # TLS itself has sent its alert by now; no plain answer is given
            self._refuse(caller, TurnedAway(b"", "tls_refused", _reason(error)))
        except OSError:
            self._close(caller)
        else:
            if caller.stage is Stage.ASKED:
                self._decide(caller)
            elif caller.waits_for != waited_for:
                self._selector.modify(caller.connection, caller.waits_for, caller)
            self._hold_back_requests()

    def _go_on(self, caller: Caller) -> None:
        while caller.stage is not Stage.ASKED and caller.advance():
            if caller.stage is Stage.ASKING and not is_expected(self._settings, caller.peer, caller.certificate):
                raise _Stranger

    def _hold_back_requests(self) -> None:
        largest = self._waiting.largest_beyond()
        if largest is not None:
            self._complaints.tell("connection_dropped", peer=largest.peer, reason="too many bytes wait")
            self._close(largest)

    def _decide(self, caller: Caller) -> None:
        """Make an association of it, or turn it away."""
        found = self._desk.decide(caller)
        if isinstance(found, TurnedAway):
            self._refuse(caller, found)
            return
        listener = self._forget(caller)
        try:
            listener.begin(found)
        except (OSError, RuntimeError) as error:  # it is gone, or there can be no more threads
            self._complaints.tell("connection_failed", peer=caller.peer, reason=type(error).__name__)
            found.place.give_back()
            caller.close()

    def _refuse(self, caller: Caller, told: TurnedAway) -> None:
        self._complaints.tell(told.event, peer=caller.peer, reason=told.reason, who=told.who)
        try:
            caller.dismiss(told.answer, time.monotonic() + LEAVE_WITHIN_S)
            self._selector.modify(caller.connection, caller.waits_for, caller)
        except OSError:
            self._close(caller)

    def _send_away_the_late(self) -> None:
        for caller in self._waiting.overdue(time.monotonic()):
            if caller.stage is not Stage.LEAVING:
                self._complaints.tell("connection_dropped", peer=caller.peer, reason="no request in time")
            self._close(caller)

    def _close(self, caller: Caller) -> None:
        self._forget(caller)
        with suppress(OSError):
            caller.close()

    def _forget(self, caller: Caller) -> Listener:
        self._selector.unregister(caller.connection)
        self._waiting.remove(caller)
        return self._listener_of.pop(id(caller))


def _reason(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "the connection failed"
    return str(said).lower().replace("_", " ")
