"""A connection until it has sent its association request. It costs a socket and a few bytes, and no thread."""

import selectors
import socket
import ssl
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from agent.receive.certificate import CertificateNames
from agent.receive.lane.framing import HEADER_BYTES, PduType
from agent.receive.request import body_length

_AT_ONCE_BYTES: Final = 1 << 16


class Stage(Enum):
    """How far it is."""

    SHAKING_HANDS = auto()
    ASKING = auto()
    ASKED = auto()
    LEAVING = auto()
    """It was told no; what it still sends is dropped, so that it reads that before the connection ends."""


class Caller:
    """One connection that does not block.

    Parameters
    ----------
    connection
        Accepted; an `ssl.SSLSocket` before its handshake where it is to be TLS.
    address
        The peer's, as `accept` says it.
    deadline
        Until when its request must be there, on the monotonic clock.
    """

    def __init__(self, connection: socket.socket, address: tuple[str, int], deadline: float) -> None:
        self.connection = connection
        self.address = address
        self.deadline = deadline
        self.request = bytearray()
        self.certificate: CertificateNames | None = None
        self.stage = Stage.SHAKING_HANDS if isinstance(connection, ssl.SSLSocket) else Stage.ASKING
        self.waits_for = selectors.EVENT_READ
        self._length: int | None = None
        with suppress(OSError):  # it is gone already: reading says so
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def peer(self) -> str:
        """Its IP address."""
        return self.address[0]

    def advance(self) -> bool:
        """Go one stage further, as far as that goes without waiting; tell whether it is reached.

        Raises
        ------
        OSError
            If the connection ended or failed, TLS's refusals among it.
        MalformedRequest
            If something other than an association request came.
        """
        try:
            match self.stage:
                case Stage.SHAKING_HANDS:
                    self._shake_hands()
                case Stage.ASKING:
                    self._read()
                case _:
                    self._drop()
        except (BlockingIOError, ssl.SSLWantReadError):
            self.waits_for = selectors.EVENT_READ
            return False
        except ssl.SSLWantWriteError:
            self.waits_for = selectors.EVENT_WRITE
            return False
        return True

    def is_aborting(self) -> bool:
        """Tell whether it began with an A-ABORT, which has no answer (PS3.8 table 9-10, Sta2, Evt16)."""
        return self.request[:1] == bytes([PduType.A_ABORT])

    def dismiss(self, answer: bytes, deadline: float) -> None:
        """Send a last word, and wait for the peer to end the connection.

        Raises
        ------
        OSError
            If it is gone.
        """
        self.stage, self.deadline, self.waits_for = Stage.LEAVING, deadline, selectors.EVENT_READ
        if answer:
            self.connection.send(answer)  # the first that is sent: there is room
        self._say_farewell()
        socket.socket.shutdown(self.connection, socket.SHUT_WR)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    def _shake_hands(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)  # noqa: S101 - the stage says so
        self.connection.do_handshake()
        self.certificate = CertificateNames.of(self.connection.getpeercert())
        self.stage = Stage.ASKING

    def _read(self) -> None:
        """Read to the end of the request and no further: the rest is the association's."""
        while missing := self._missing():
            part = self.connection.recv(min(missing, _AT_ONCE_BYTES))
            if not part:
                raise ConnectionResetError("it ended before its request")
            self.request += part
        self.stage = Stage.ASKED

    def _missing(self) -> int:
        count = len(self.request)
        if count < HEADER_BYTES:
            return HEADER_BYTES - count
        if self._length is None:
            self._length = body_length(self.request)
        return HEADER_BYTES + self._length - count

    def _drop(self) -> None:
        for _ in range(16):
            if not socket.socket.recv(self.connection, _AT_ONCE_BYTES):
                raise ConnectionResetError("it ended")
        raise BlockingIOError

    def _say_farewell(self) -> None:
        if isinstance(self.connection, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # it does not wait for the peer's, and after an alert there is none
                self.connection.unwrap()
