"""The data loop over TLS: what TLS has deciphered already is not waited for."""

import socket
import ssl
import threading
from time import monotonic

import pytest

from agent.core.ports import RecordKind
from agent.receive import TlsListener
from agent.receive.lane import Lane, Outcome, Wire
from agent.receive.transport import GuardedSocket
from tests.certificates import Authority
from tests.pdus import RELEASE_RP, RELEASE_RQ, aborted, pdu, pdv, store_rq, store_rsp
from tests.receivers import SC, Start
from tests.senders import EXPLICIT, associate_rq

TlsContexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    """Return the contexts of server and client."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    return authority.server(), authority.client(authority.sign("/CN=SENDER"))


def _tls_pair(contexts: TlsContexts) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Return two ends of a connection, the server's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=10)
        far, _ = listener.accept()
    found: list[ssl.SSLSocket] = []
    shaking = threading.Thread(target=lambda: found.append(contexts[0].wrap_socket(far, server_side=True)))
    shaking.start()
    client = contexts[1].wrap_socket(near, server_hostname="127.0.0.1")
    shaking.join(10)
    return found[0], client


def test_what_is_deciphered_already_is_read_without_waiting(contexts: TlsContexts) -> None:
    """A record of 16 KiB read in pieces: the socket itself has nothing more after the first."""
    server, client = _tls_pair(contexts)
    with server, client:
        wire = Wire(server)
        client.sendall(bytes(16384))
        buffer = memoryview(bytearray(16384))
        assert wire.receive(buffer[:10], monotonic() + 10, is_expected=False) == 10
        done = 10
        while done < 16384:
            done += wire.receive(buffer[done : done + 4000], monotonic(), is_expected=True)
        with pytest.raises(TimeoutError):
            wire.receive(buffer, monotonic() + 0.05, is_expected=True)
        wire.send(b"answer", monotonic() + 10)
        assert client.recv(100) == b"answer"
        client.close()
        assert wire.receive(buffer, monotonic() + 10, is_expected=True) == 0


def test_objects_are_stored_over_tls(start: Start, contexts: TlsContexts) -> None:
    """Small and large, several in one record of TLS, released in order."""
    running = start(tls=TlsListener("127.0.0.1", 0, contexts[0]))
    large = bytes(range(256)) * 20_000
    with _associated(running.receiver.tls_port, contexts[1]) as connection:
        fragments = [large[at : at + 16000] for at in range(0, len(large), 16000)]
        stream = pdu(pdv(1, 3, store_rq())) + b"".join(
            pdu(pdv(1, 2 if n == len(fragments) - 1 else 0, part)) for n, part in enumerate(fragments)
        )
        small = pdu(pdv(1, 3, store_rq(b"1.1\0")) + pdv(1, 2, b"small"))
        connection.sendall(stream + small * 3 + RELEASE_RQ)
        assert _read_to_end(connection) == store_rsp() + store_rsp(b"1.1\0") * 3 + RELEASE_RP
    assert [record.payload for record in running.records(RecordKind.INSTANCE)] == [large, *[b"small"] * 3]
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_the_socket_is_lent_once_the_acceptance_is_sent(
    start: Start, contexts: TlsContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first object may be there before the thread that sent the acceptance goes on: it is not read till then."""
    running = start(tls=TlsListener("127.0.0.1", 0, contexts[0]))
    serving, is_sending, seen = threading.Event(), threading.Event(), list[bool]()
    send, serve = GuardedSocket.send, Lane.serve

    def send_slowly(self: GuardedSocket, data: bytes) -> None:
        is_sending.set()
        send(self, data)
        serving.wait(0.3)
        is_sending.clear()

    def serve_seen(self: Lane) -> Outcome:
        seen.append(is_sending.is_set())
        serving.set()
        return serve(self)

    monkeypatch.setattr(GuardedSocket, "send", send_slowly)
    monkeypatch.setattr(Lane, "serve", serve_seen)
    with _associated(running.receiver.tls_port, contexts[1]) as connection:
        connection.sendall(pdu(pdv(1, 3, store_rq()) + pdv(1, 2, b"x")) + RELEASE_RQ)
        assert _read_to_end(connection) == store_rsp() + RELEASE_RP
    assert seen == [False]


def test_an_abort_goes_through_tls_as_well(start: Start, contexts: TlsContexts) -> None:
    """Both for what is invalid and when the receiver stops."""
    running = start(tls=TlsListener("127.0.0.1", 0, contexts[0]))
    with _associated(running.receiver.tls_port, contexts[1]) as connection:
        connection.sendall(pdu(pdv(9, 3, store_rq())))
        assert _read_to_end(connection) == aborted(2, 6)
    with _associated(running.receiver.tls_port, contexts[1]) as connection:
        connection.sendall(pdu(pdv(1, 3, store_rq())) + b"\4\0\0")
        running.receiver.stop(0.1)
        assert _read_to_end(connection) == aborted(0, 0)
    assert len(running.wait_for(RecordKind.ASSOCIATION_CLOSED, 2)) == 2
    running.receiver.start()  # for the fixture to stop


def _associated(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return the connection of an association for storage."""
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="127.0.0.1")
    connection.sendall(associate_rq("SENDER", "SENTINODE", [(SC, [EXPLICIT])], {}))
    header = _exactly(connection, 6)
    assert header[0] == 2
    _exactly(connection, int.from_bytes(header[2:], "big"))
    return connection


def _exactly(connection: ssl.SSLSocket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return data


def _read_to_end(connection: ssl.SSLSocket) -> bytes:
    """Read to TLS's own end; this raises where the connection ends without."""
    connection.suppress_ragged_eofs = False
    data = b""
    while part := connection.recv(4096):
        data += part
    return data
