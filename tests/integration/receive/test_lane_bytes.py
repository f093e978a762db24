"""What a running receiver answers in the data phase, byte by byte, over a bare socket."""

import socket
import time

import pytest

from agent.core.ports import RecordKind
from agent.receive.lane import loop
from tests.pdus import (
    ABORT,
    FIND_RQ,
    RELEASE_RP,
    RELEASE_RQ,
    aborted,
    action_rq,
    action_rsp,
    command,
    echo_rq,
    echo_rsp,
    pdu,
    pdv,
    report_rq,
    report_rsp,
    store_rq,
    store_rsp,
)
from tests.receivers import SC, Running, Start, eventually, open_association
from tests.senders import EXPLICIT, IMPLICIT, VERIFICATION

CONTEXTS = [(SC, [EXPLICIT]), (VERIFICATION, [IMPLICIT])]  # ids 1 and 3
INSTANCE = RecordKind.INSTANCE
COMMAND = pdu(pdv(1, 3, store_rq()))
STORE = COMMAND + pdu(pdv(1, 2, b"data"))
INVALID, UNEXPECTED, UNRECOGNIZED, BY_USER = aborted(2, 6), aborted(2, 2), aborted(2, 1), aborted(0, 0)


def connect(running: Running, calling: str = "SENDER") -> socket.socket:
    """Open an association for storage and verification, and return its connection."""
    return open_association(running, calling=calling, contexts=CONTEXTS).socket


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that comes until the peer closes."""
    data = b""
    while part := connection.recv(4096):
        data += part
    return data


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return data


def converse(running: Running, stream: bytes, calling: str = "SENDER") -> bytes:
    """Send bytes over a new association, and return all that comes back until the receiver closes."""
    with connect(running, calling) as connection:
        connection.sendall(stream)
        return read_to_end(connection)


def payloads(running: Running) -> list[bytes]:
    """Return what was stored."""
    return [record.payload for record in running.records(INSTANCE)]


def _cut(control: int, data: bytes, size: int) -> list[bytes]:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return [pdv(1, control | (2 if n == len(parts) - 1 else 0), part) for n, part in enumerate(parts)]


@pytest.mark.parametrize(
    "stream",
    [
        STORE,
        pdu(pdv(1, 3, store_rq()) + pdv(1, 2, b"data")),
        pdu(b"".join(_cut(1, store_rq(), 7))) + pdu(pdv(1, 2, b"data")),
        b"".join(pdu(part) for part in _cut(1, store_rq(), 1) + _cut(0, b"data", 1)),
        COMMAND + pdu(pdv(1, 0, b"d") + pdv(1, 0, b"") + pdv(1, 0, b"at") + pdv(1, 2, b"a")),
        COMMAND + pdu(pdv(1, 0, b"data")) + pdu(pdv(1, 2, b"")),
        pdu(pdv(1, 1, store_rq()) + pdv(1, 3, b"")) + pdu(pdv(1, 0, b"")) + pdu(pdv(1, 2, b"data")),
        pdu(pdv(1, 3, store_rq(x0700=2, x1030=b"MOVER ", x1031=5, x0800=0xFEFE))) + pdu(pdv(1, 2, b"data")),
    ],
    ids=["plain", "one pdu", "command in parts", "bytewise", "odd and empty", "empty last", "empty command", "mover"],
)
def test_a_message_is_the_same_however_it_is_fragmented(start: Start, stream: bytes) -> None:
    """One record, one response, the release answered, the connection closed."""
    running = start()
    assert converse(running, stream + RELEASE_RQ) == store_rsp() + RELEASE_RP
    assert payloads(running) == [b"data"]
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_messages_that_lie_in_one_pdu_are_answered_in_order(start: Start) -> None:
    """A sender that does not wait is served all the same; ids and padding come back as they were."""
    running = start()
    body = pdv(1, 3, store_rq(b"1.1", 1)) + pdv(1, 2, b"odd") + pdv(3, 3, echo_rq(0xFFFF))
    body += pdv(1, 3, store_rq(b"1.22 ", 0)) + pdv(1, 2, b"")
    assert converse(running, pdu(body) + RELEASE_RQ) == (
        store_rsp(b"1.1", 1) + echo_rsp(0xFFFF) + store_rsp(b"1.22 ", 0) + RELEASE_RP
    )
    records = running.records(INSTANCE)
    assert [(r.meta["sop_instance_uid"], r.payload) for r in records] == [("1.1", b"odd"), ("1.22", b"")]
    assert {r.meta["transfer_syntax_uid"] for r in records} == {EXPLICIT}


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        (pdu(pdv(5, 3, store_rq())), INVALID),
        (pdu(b""), INVALID),
        (pdu(b"\0\0\0\2\1"), INVALID),
        (pdu(b"\0\0\0\1\1\3"), INVALID),
        (pdu(b"\0\0\0\xff\1\2data"), INVALID),
        (pdu(bytes(68), kind=1), UNEXPECTED),
        (pdu(bytes(68), kind=2), UNEXPECTED),
        (pdu(bytes(4), kind=6), UNEXPECTED),
        (pdu(bytes(4), kind=8), UNRECOGNIZED),
        (b"GET / HTTP/1.1\r\n\r\n", UNRECOGNIZED),
        (pdu(pdv(1, 2, b"data")), BY_USER),
        (COMMAND + pdu(pdv(1, 3, store_rq())), BY_USER),
        (COMMAND + pdu(pdv(3, 2, b"data")), BY_USER),
        (pdu(pdv(1, 1, store_rq())) + pdu(pdv(3, 3, echo_rq())), BY_USER),
        (pdu(pdv(1, 1, store_rq())) + pdu(pdv(1, 2, b"data")), BY_USER),
        (pdu(pdv(1, 3, store_rq()[:-1])), BY_USER),
        (pdu(pdv(1, 3, store_rq(x0110=None))), BY_USER),
        (pdu(pdv(1, 1, bytes(60_000))) * 2, BY_USER),
    ],
    ids=lambda value: value[:24].hex(),
)
def test_what_the_standard_forbids_is_aborted_with_its_reason(start: Start, stream: bytes, answer: bytes) -> None:
    """One A-ABORT, nothing behind it; what was acknowledged before stays, and others are served."""
    running = start()
    assert converse(running, STORE + stream) == store_rsp() + answer
    assert payloads(running) == [b"data"]
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert converse(running, STORE + RELEASE_RQ) == store_rsp() + RELEASE_RP


@pytest.mark.parametrize(("end", "answer"), [(RELEASE_RQ, RELEASE_RP), (ABORT, b"")])
def test_an_end_within_an_object_is_answered_and_leaves_nothing(start: Start, end: bytes, answer: bytes) -> None:
    """A release is answered in order, an abort by closing."""
    running = start()
    assert converse(running, STORE + COMMAND + pdu(pdv(1, 0, b"half")) + end) == store_rsp() + answer
    assert payloads(running) == [b"data"]
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


@pytest.mark.parametrize(
    ("calling", "answer", "kept"),
    [
        ("ECHOER", store_rsp(status=0x0124) + echo_rsp(), []),
        ("STORER", store_rsp() + echo_rsp(status=0x0124), [b"data"]),
    ],
)
def test_what_the_caller_may_not_do_is_refused(start: Start, calling: str, answer: bytes, kept: list[bytes]) -> None:
    """0x0124 behind the whole object, and the association goes on."""
    running = start()
    assert converse(running, STORE + pdu(pdv(3, 3, echo_rq())) + RELEASE_RQ, calling) == answer + RELEASE_RP
    assert payloads(running) == kept


def test_storage_and_commitment_share_an_association(start: Start) -> None:
    """Objects, an echo, a result of commitment and a request for it, however they follow each other."""
    running = start()
    report = pdu(pdv(5, 1, report_rq()[:9])) + pdu(pdv(5, 3, report_rq()[9:]) + pdv(5, 2, b"result"))
    action = pdu(pdv(5, 3, action_rq())) + pdu(pdv(5, 2, b"request"))
    stream = STORE + report + pdu(pdv(3, 3, echo_rq())) + action + STORE + RELEASE_RQ
    with open_association(running) as association:
        association.socket.sendall(stream)
        answer = store_rsp() + report_rsp() + echo_rsp() + action_rsp() + store_rsp() + RELEASE_RP
        assert read_to_end(association.socket) == answer
        association.socket.close()
    assert payloads(running) == [b"data"] * 2
    assert [record.payload for record in running.records(RecordKind.EVENT_REPORT)] == [b"result"]
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_a_message_that_is_no_service_of_ours_is_refused_and_the_association_goes_on(start: Start) -> None:
    """A C-FIND over a presentation context for storage."""
    running = start()
    find = command({0x0100: FIND_RQ, 0x0110: 5, 0x0800: 1})
    refusal = pdu(pdv(1, 3, command({0x0100: FIND_RQ | 0x8000, 0x0120: 5, 0x0800: 0x0101, 0x0900: 0x0211})))
    stream = pdu(pdv(1, 3, find)) + pdu(pdv(1, 2, b"keys")) + STORE + RELEASE_RQ
    assert converse(running, stream) == refusal + store_rsp() + RELEASE_RP
    assert payloads(running) == [b"data"]


def test_a_pdu_longer_than_allowed_is_not_read(start: Start) -> None:
    """The association is aborted at once; what was begun leaves nothing."""
    running = start()
    assert converse(running, COMMAND + pdu(b"", kind=4)[:2] + (1 << 20).to_bytes(4, "big")) == INVALID
    assert payloads(running) == []
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_a_pdu_that_drips_is_cut_off(start: Start) -> None:
    """A byte now and then does not prolong the deadline, and complete PDUs before it do not either."""
    running = start(pdu_timeout_s=0.6)
    with connect(running) as connection:
        connection.sendall(COMMAND + pdu(b"", kind=4)[:2] + (1000).to_bytes(4, "big"))
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            _drip(connection, begun + 8)
        assert 0.5 <= time.monotonic() - begun < 5
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def _drip(connection: socket.socket, until: float) -> None:
    while time.monotonic() < until:
        connection.sendall(b"x")
        time.sleep(0.02)


def test_silence_between_messages_is_aborted(start: Start) -> None:
    """After the idle timeout."""
    running = start(idle_timeout_s=0.5)
    assert converse(running, STORE).endswith(BY_USER)
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


@pytest.mark.parametrize("begun", [COMMAND, pdu(pdv(5, 3, report_rq())) + pdu(pdv(5, 0, b"half"))], ids=len)
def test_silence_within_a_message_is_not_waited_out(start: Start, begun: bytes) -> None:
    """Its command is there, its dataset never comes: the PDU timeout counts, not the longer one between messages."""
    running = start(pdu_timeout_s=0.5, idle_timeout_s=60)
    with open_association(running) as association:
        association.socket.sendall(begun)
        assert read_to_end(association.socket) == ABORT
        association.socket.close()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_a_peer_that_reads_no_responses_is_let_go(start: Start) -> None:
    """When its side is full, after the PDU timeout."""
    running = start(pdu_timeout_s=0.5)
    with connect(running) as connection:
        (association,) = running.receiver.associations
        association.dul.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(ConnectionError):
            connection.sendall(pdu(pdv(3, 3, echo_rq())) * (1 << 18))
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


@pytest.mark.parametrize(
    "beginning", [b"", COMMAND, COMMAND + pdu(pdv(1, 0, b"half")), STORE[: len(COMMAND) + 3]], ids=len
)
def test_stopping_aborts_what_does_not_finish(start: Start, beginning: bytes) -> None:
    """Between messages, within one, within a PDU: an A-ABORT, the end recorded, nothing half kept."""
    running = start()
    with connect(running) as connection:
        connection.sendall(STORE + beginning)
        assert connection.recv(len(store_rsp())) == store_rsp()
        begun = time.monotonic()
        running.receiver.stop(0.1)
        assert time.monotonic() - begun < 3
        assert read_to_end(connection) == BY_USER
    assert payloads(running) == [b"data"]
    assert len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1
    running.receiver.start()  # for the fixture to stop


def test_a_failure_of_our_own_ends_one_association(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is aborted and recorded as closed; the next one is served."""
    running = start()

    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(loop, "encode_response", fail)
        assert converse(running, STORE) == BY_USER
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert converse(running, STORE + RELEASE_RQ) == store_rsp() + RELEASE_RP


def test_both_options_that_keep_answers_quick_are_set(start: Start) -> None:
    """Nagle is off on our side, and what a sender's Nagle waits for is acknowledged at once."""
    running = start()
    with connect(running) as connection:
        (association,) = running.receiver.associations
        accepted = association.dul.socket.socket
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        begun = time.monotonic()
        for number in range(20):  # each delayed acknowledgement would cost 40 ms
            connection.sendall(pdu(pdv(1, 3, store_rq(b"1.%d" % number))))
            connection.sendall(pdu(pdv(1, 2, b"data")))
            eventually(lambda: bool(connection.recv(4096)))
        assert time.monotonic() - begun < 20 * 0.04
