"""A connection that is read and written with deadlines, over TCP or TLS."""

import os
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final

_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Recalled(Exception):
    """The connection is wanted back."""


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
        connection.settimeout(0)
        self._poll = select.poll()
        self._lock = threading.Lock()
        self._waker: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._waker, select.POLLIN)
        self._is_recalled = False

    def close(self) -> None:
        """Leave the connection as it was, open. Harmless when repeated."""
        with self._lock:
            waker, self._waker = self._waker, None
        if waker is not None:
            os.close(waker)
        with suppress(OSError):
            self._connection.settimeout(self._timeout)

    def recall(self) -> None:
        """Want the connection back: who reads or writes hears of it at once. From any thread."""
        with self._lock:
            self._is_recalled = True
            if self._waker is not None:
                os.eventfd_write(self._waker, 1)

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
        Recalled
            If it is wanted back.
        TimeoutError
            If nothing came by then.
        OSError
            If the connection failed.
        """
        if self._is_recalled:
            raise Recalled
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
        """Send it all.

        Raises
        ------
        Recalled
            If the connection is wanted back and the peer takes no more.
        TimeoutError
            If it takes no more by the deadline.
        OSError
            If it is gone.
        """
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
        ready = self._poll.poll(max((deadline - time.monotonic()) * 1000, 0))
        if self._is_recalled:
            raise Recalled
        if not ready:
            raise TimeoutError("too little came in time" if event == select.POLLIN else "the peer takes nothing more")
