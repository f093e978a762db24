"""A connection that is read and written with deadlines."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from agent.receive.lane.wire import Recalled, Wire


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=10)
        far, _ = listener.accept()
    with near, far:
        yield near, far


def _soon() -> float:
    return time.monotonic() + 10


def test_what_is_there_is_received_and_the_end_is_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    """As much as came, into the place that was given."""
    near, far = pair
    wire, buffer = Wire(far), memoryview(bytearray(10))
    near.sendall(b"abc")
    assert wire.receive(buffer[2:], _soon(), is_expected=True) == 3
    assert bytes(buffer) == b"\0\0abc" + bytes(5)
    near.shutdown(socket.SHUT_WR)
    assert wire.receive(buffer, _soon(), is_expected=True) == 0
    wire.send(b"still", _soon())
    assert near.recv(10) == b"still"


@pytest.mark.parametrize("is_expected", [False, True])
def test_a_deadline_ends_waiting(pair: tuple[socket.socket, socket.socket], is_expected: bool) -> None:
    """For bytes, and for room in the peer; a deadline that has passed still takes what is there."""
    near, far = pair
    wire, buffer = Wire(far), memoryview(bytearray(10))
    with pytest.raises(TimeoutError):
        wire.receive(buffer, time.monotonic() + 0.05, is_expected=is_expected)
    near.sendall(b"x")
    assert wire.receive(buffer, _soon(), is_expected=is_expected) == 1
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with pytest.raises(TimeoutError):
        wire.send(bytes(1 << 24), time.monotonic() + 0.1)


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_recall_ends_reading_at_once(pair: tuple[socket.socket, socket.socket], is_waiting: bool) -> None:
    """Before it began, and while it waits; the connection stays open, and blocks as before."""
    near, far = pair
    far.settimeout(7)
    wire = Wire(far)
    begun = time.monotonic()
    if is_waiting:
        threading.Timer(0.05, wire.recall).start()
    else:
        wire.recall()
    with pytest.raises(Recalled):
        wire.receive(memoryview(bytearray(10)), _soon(), is_expected=False)
    assert time.monotonic() - begun < 5
    wire.close()
    wire.close()
    wire.recall()  # too late is harmless
    assert far.gettimeout() == 7
    near.sendall(b"x")
    assert far.recv(1) == b"x"


def test_a_recall_ends_a_response_that_nobody_takes(pair: tuple[socket.socket, socket.socket]) -> None:
    """One that is taken goes out all the same."""
    near, far = pair
    wire = Wire(far)
    wire.recall()
    wire.send(b"done", _soon())
    assert near.recv(10) == b"done"
    with pytest.raises(Recalled):
        wire.send(bytes(1 << 24), _soon())


class _Renegotiating:
    """Stands for a TLS connection that must write before it can read, and the other way round."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._wants: list[type[ssl.SSLError]] = [ssl.SSLWantWriteError, ssl.SSLWantReadError]

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def recv_into(self, into: memoryview) -> int:
        if self._wants and self._wants[0] is ssl.SSLWantWriteError:
            raise self._wants.pop(0)
        return self._connection.recv_into(into)

    def send(self, data: memoryview) -> int:
        if self._wants and self._wants[0] is ssl.SSLWantReadError:
            raise self._wants.pop(0)
        return self._connection.send(data)


def test_tls_may_want_the_other_direction(pair: tuple[socket.socket, socket.socket]) -> None:
    """Then that is waited for."""
    near, far = pair
    wire = Wire(_Renegotiating(far))  # type: ignore[arg-type]
    near.sendall(b"abc")
    assert wire.receive(memoryview(bytearray(2)), _soon(), is_expected=True) == 2
    wire.send(b"answer", _soon())
    assert near.recv(10) == b"answer"
