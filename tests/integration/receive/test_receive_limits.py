"""Senders that take too much, too long or say nothing."""

import select
import socket
import struct
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from tests.receivers import SUCCESS, Start, eventually, open_association
from tests.senders import AssociationRejected

ABORT_BY_PROVIDER = bytes.fromhex("07 00 00000004 000002")


def test_no_more_associations_than_allowed(start: Start) -> None:
    """The next one is rejected as transient, local limit exceeded, until another ends."""
    running = start(max_associations=2)
    first, second = open_association(running), open_association(running)
    with pytest.raises(AssociationRejected) as rejected:
        open_association(running)
    assert rejected.value.reason == (2, 3, 2)
    first.release()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    eventually(lambda: len(running.receiver.associations) < 2)
    open_association(running).release()
    second.release()


def _closed_within(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def _ended_with(connection: socket.socket) -> bytes:
    data = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(4096):
            data += part
    return data


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">BBI", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 4, 0, 1 << 20),
        struct.pack(">BBI", 5, 0, 1 << 16),
        struct.pack(">BBI", 7, 0, 1 << 16),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_pdu_longer_than_allowed_is_not_read(start: Start, header: bytes) -> None:
    """It is aborted at once, whatever length the header claims, and told of by its association; others are served."""
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(header)
        assert _closed_within(connection, 8)
    with capture_logs() as logs, open_association(running) as association:
        association.socket.sendall(header)
        assert _ended_with(association.socket)[:9] == ABORT_BY_PROVIDER
        association.socket.close()
        (closed,) = running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    (told,) = (one for one in logs if one["event"] == "association_broken_off")
    assert (told["association_id"], told["peer"]) == (closed.meta["association_id"], "127.0.0.1")


@pytest.mark.parametrize("beginning", [b"", b"\1\0\0", struct.pack(">BBI", 1, 0, 300) + b"x" * 10])
def test_a_connection_that_falls_silent_is_closed(start: Start, beginning: bytes) -> None:
    """Before a request, within a header, within a body: after the PDU timeout."""
    running = start(pdu_timeout_s=0.5)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(beginning)
        assert not select.select([connection], [], [], 0.2)[0]
        assert _closed_within(connection, 8)


def test_connections_that_ask_for_nothing_take_no_place(start: Start) -> None:
    """Callers that connect and close do not count against the limit."""
    running = start(max_associations=2)
    for _ in range(20):
        socket.create_connection(("127.0.0.1", running.port), timeout=10).close()

    def is_admitted() -> bool:  # the last of the callers may still be on its way in
        try:
            with open_association(running) as association:
                return association.echo(3) == SUCCESS
        except AssociationRejected:
            return False

    eventually(is_admitted)
