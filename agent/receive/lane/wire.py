"""A connection that is read and written with deadlines, over TCP or TLS."""

import select
import socket
import ssl
import time
from contextlib import suppress
from typing import Final

_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Wire:
    """Reads into a buffer and writes, without a thread or a queue between.

    It tries first and waits then: what TLS has already deciphered is no business of `poll`.

    Parameters
    ----------
    connection
        A connected socket, or an `ssl.SSLSocket`. It does not block until `close`.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._timeout = connection.gettimeout()
        self._poll = select.poll()
        connection.settimeout(0)

    def close(self) -> None:
        """Leave the connection as it was, open."""
        with suppress(OSError):
            self._connection.settimeout(self._timeout)

    def receive(self, into: memoryview, deadline: float, *, is_expected: bool) -> int:
        """Receive what is there, waiting for it; return its length, 0 at the end of the connection.

        Parameters
        ----------
        into
            Where it goes.
        deadline
            When waiting ends, on the monotonic clock.
        is_expected
            Whether a message has begun: a sender with Nagle's algorithm on holds the rest back until it is
            acknowledged, so that is done at once.

        Raises
        ------
        TimeoutError
            If nothing came by then.
        OSError
            If the connection failed.
        """
        while True:
            try:
                return self._connection.recv_into(into)
            except (BlockingIOError, ssl.SSLWantReadError):
                if is_expected and _QUICKACK is not None:
                    self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                self._wait(select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline)

    def send(self, data: bytes, deadline: float) -> None:
        """Send it all. Raises TimeoutError if the peer takes no more by the deadline, OSError if it is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._connection.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, deadline)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline)

    def _wait(self, event: int, deadline: float) -> None:
        self._poll.register(self._connection, event)
        if not self._poll.poll(max((deadline - time.monotonic()) * 1000, 0)):
            raise TimeoutError("nothing came in time" if event == select.POLLIN else "the peer takes nothing more")
