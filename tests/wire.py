"""A wire tap: a TCP proxy that remembers what a sender put on the wire, and takes C-STORE datasets out of it."""

import socket
import struct
import threading
from types import TracebackType


class WireTap:
    """Listens on a free port and passes everything to and from `port`; `datasets` are what was sent through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._streams: list[bytearray] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "WireTap":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()

    def datasets(self) -> list[bytes]:
        """The encoded datasets of all complete messages, in order of connection."""
        return [dataset for stream in self._streams for dataset in _datasets(bytes(stream))]

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            stream = bytearray()
            self._streams.append(stream)
            threading.Thread(target=_serve, args=(near, far, stream), daemon=True).start()


def _serve(near: socket.socket, far: socket.socket, stream: bytearray) -> None:
    """Pass both ways until both sides are done."""
    with near, far:
        back = threading.Thread(target=_pass, args=(far, near, None), daemon=True)
        back.start()
        _pass(near, far, stream)
        back.join()


def _pass(source: socket.socket, sink: socket.socket, stream: bytearray | None) -> None:
    try:
        while chunk := source.recv(1 << 16):
            if stream is not None:
                stream += chunk
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side is gone: nothing to pass on


def _datasets(stream: bytes) -> list[bytes]:
    """Join the data fragments of each message (PS3.8 annex E): bit 0 of the control header: command; bit 1: last."""
    found, parts, at = [], [], 0
    while at + 6 <= len(stream):
        kind, length = stream[at], struct.unpack_from(">I", stream, at + 2)[0]
        pdu, at = stream[at + 6 : at + 6 + length], at + 6 + length
        while kind == 4 and pdu:
            size = struct.unpack_from(">I", pdu)[0]
            control, fragment, pdu = pdu[5], pdu[6 : 4 + size], pdu[4 + size :]
            if not control & 1:
                parts.append(fragment)
                if control & 2:
                    found.append(b"".join(parts))
                    parts = []
    return found
