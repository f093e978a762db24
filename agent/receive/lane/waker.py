"""Waiting for a socket or for another thread, whichever comes first."""

import os
import select
import socket
import threading
from contextlib import suppress


class Waker:
    """One thread rests, any other wakes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def wake(self) -> None:
        """End the rest, or the next one. Harmless when nobody rests."""
        with self._lock:
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)

    def rest(self, connection: socket.socket | None, most_s: float) -> None:
        """Return once there is something to be read, somebody wakes it, or the time is over."""
        if self._descriptor is None or connection is None:
            return
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        with suppress(OSError, ValueError):  # closed: whoever reads hears of it
            poll.register(connection, select.POLLIN)
            poll.poll(most_s * 1000)
        with suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Rest and wake no more. Harmless when repeated; by the thread that rests."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
