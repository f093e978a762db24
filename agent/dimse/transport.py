"""The socket of an association that we request: quick to answer, bounded, closed in every case."""

import socket
import threading
from contextlib import suppress
from typing import Any

from pynetdicom.transport import AssociationSocket


class ClientSocket(AssociationSocket):
    """pynetdicom's socket, with what it lacks for a client.

    Its own copies the rest of a PDU for every piece that the peer took, and leaves a socket that was never connected
    to the garbage collector.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._writing = threading.Lock()
        super().__init__(*args, **kwargs)

    def send(self, bytestream: bytes) -> None:
        """Send a PDU. One that cannot be sent, or not within the socket's timeout, ends the connection."""
        try:
            with self._writing:
                if self.socket is not None:
                    self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")  # the transport connection is closed (PS3.8 table 9-10)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read a PDU's next `nr_bytes`, and acknowledge them at once.

        DCMTK leaves Nagle on and writes a response in pieces: its second piece waits for our acknowledgement, which
        Linux delays by 40 ms. TCP_QUICKACK does not last, so it is set again each time.
        """
        received = super().recv(nr_bytes)
        if self.socket is not None:
            with suppress(OSError):  # closed meanwhile: the next read says so
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return received

    def _shutdown_socket(self) -> None:
        """Wake a writer first, then close when it has let go: its descriptor may be somebody else's a moment later."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            with self._writing:
                self.socket.close()
