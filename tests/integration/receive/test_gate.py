"""Before there is an association: who gets in, how many, how long, and at what cost."""

import socket
import struct
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.receive import Peer
from bench.flood import Size, attack, flood, receiver, slow
from tests.pdus import ABORT, RELEASE_RP, RELEASE_RQ
from tests.receivers import EVERYTHING, SC, SETTINGS, SUCCESS, Running, Start, eventually, open_association
from tests.senders import EXPLICIT, IMPLICIT, VERIFICATION, AssociationRejected, associate_rq

MANY = (*SETTINGS.peers, Peer("BESIDE", "127.0.0.2", frozenset({"store", "echo"})))
REQUEST = associate_rq("SENDER", "SENTINODE", EVERYTHING, {})


def connected(running: Running, source: str = "127.0.0.1") -> socket.socket:
    """Return a connection that has said nothing."""
    return socket.create_connection(("127.0.0.1", running.port), 10, (source, 0))


def answer(connection: socket.socket) -> bytes:
    """Return what comes until the connection ends."""
    data = b""
    while part := connection.recv(4096):
        data += part
    return data


def threads() -> int:
    """Return how many there are."""
    return threading.active_count()


def test_a_caller_from_an_address_of_no_peer_is_closed_unread(start: Start) -> None:
    """Whatever AE title it would have, and told in the log once however often it comes."""
    running = start(peers=(SETTINGS.peers[0],))
    with capture_logs() as logs:
        for _ in range(30):
            with connected(running, "127.0.0.9") as connection:
                assert answer(connection) == b""
        with open_association(running) as association:
            assert association.echo(3) == SUCCESS
        running.receiver.stop(1)
    told = [entry for entry in logs if entry["event"] == "connection_refused"]
    assert [(entry["peer"], entry["reason"], entry.get("more")) for entry in told] == [
        ("127.0.0.9", "an address of no peer", None),
        ("127.0.0.9", "an address of no peer", 29),
    ]
    running.receiver.start()  # for the fixture to stop


def test_a_connection_is_no_thread_until_its_request_is_there(start: Start) -> None:
    """A hundred that have sent all but the last byte; the last byte makes an association."""
    running = start(peers=MANY)
    before = threads()
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(running)) for _ in range(100)]
        for connection in connections:
            connection.sendall(REQUEST[:-1])
        eventually(lambda: running.receiver.waiting == 100)
        assert threads() == before
        assert running.receiver.associations == []
        connections[50].sendall(REQUEST[-1:])
        assert connections[50].recv(1) == b"\2"
        assert len(running.receiver.associations) == 1


def test_a_request_that_comes_byte_by_byte_is_answered(start: Start) -> None:
    """As long as it is whole in time."""
    running = start()
    with connected(running) as connection:
        for at in range(len(REQUEST) - 1):
            connection.sendall(REQUEST[at : at + 1])
        connection.sendall(REQUEST[-1:])
        assert connection.recv(1, socket.MSG_PEEK) == b"\2"
        connection.sendall(RELEASE_RQ)
        assert answer(connection).endswith(RELEASE_RP)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (ABORT, b""),
        (RELEASE_RQ, ABORT),
        (b"\4\0\0\0\0\6\0\0\0\2\1\3", ABORT),
        (b"GET / HTTP/1.1\r\n\r\n", ABORT),
        (struct.pack(">BBI", 1, 0, (1 << 20) + 1), ABORT),
        (struct.pack(">BBI", 1, 0, 67) + bytes(67), ABORT),
        (REQUEST[:76] + b"\xff\xff" + REQUEST[78:], ABORT),
    ],
    ids=["abort", "release", "data", "http", "too long", "too short", "lengths that lie"],
)
def test_what_is_no_association_request_is_aborted_without_a_thread(start: Start, sent: bytes, got: bytes) -> None:
    """PS3.8 table 9-10, Sta2: AA-1, and AA-2 for an abort."""
    running = start()
    before = threads()
    with connected(running) as connection:
        connection.sendall(sent)
        assert answer(connection) == got
        assert threads() == before
    eventually(lambda: running.receiver.waiting == 0)


def test_who_is_told_no_and_does_not_leave_is_put_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it still sends is dropped."""
    monkeypatch.setattr("agent.receive.gate.LEAVE_WITHIN_S", 0.3)
    running = start()
    with connected(running) as connection:
        connection.sendall(associate_rq("STRANGER", "SENTINODE", EVERYTHING, {}) + bytes(300_000))
        assert answer(connection) == bytes.fromhex("03 00 00000004 00 01 01 03")
        eventually(lambda: running.receiver.waiting == 0)


def test_one_peer_that_floods_keeps_none_out(start: Start) -> None:
    """Its oldest connections make room, those of another and its own newest are served."""
    running = start(peers=MANY, max_waiting=20)
    with ExitStack() as stack:
        other = stack.enter_context(connected(running, "127.0.0.2"))
        eventually(lambda: running.receiver.waiting == 1)
        flooding = [stack.enter_context(connected(running)) for _ in range(100)]
        eventually(lambda: running.receiver.waiting == 20)
        for source, calling in (("127.0.0.2", "BESIDE"), ("127.0.0.1", "SENDER")):
            with open_association(running, source=source, calling=calling) as association:
                assert association.echo(3) == SUCCESS
        assert answer(flooding[0]) == b""
        other.sendall(associate_rq("BESIDE", "SENTINODE", EVERYTHING, {}))
        assert other.recv(1) == b"\2"


def test_who_has_asked_already_is_not_dropped(start: Start) -> None:
    """Its request came before the flood, and was not read yet when there was no place left."""
    running = start(peers=MANY, max_waiting=1)
    with connected(running) as first:
        eventually(lambda: running.receiver.waiting == 1)
        first.sendall(REQUEST)
        with connected(running):
            assert first.recv(1) == b"\2"


def test_each_peer_has_a_quota(start: Start) -> None:
    """Of its AE title; one beyond is rejected as transient, and a place is free again at an end."""
    running = start(peers=MANY, max_associations_per_peer=2)
    with ExitStack() as stack:
        first, _ = [stack.enter_context(open_association(running)) for _ in range(2)]
        with pytest.raises(AssociationRejected) as rejected:
            open_association(running)
        assert rejected.value.reason == (2, 3, 2)
        for source, calling in (("127.0.0.2", "BESIDE"), ("127.0.0.1", "STORER")):
            with open_association(running, source=source, calling=calling):
                pass
        first.release()

        def is_taken() -> bool:
            try:
                stack.enter_context(open_association(running))
            except AssociationRejected:
                return False
            return True

        eventually(is_taken)


def test_where_anyone_may_call_a_quota_is_of_an_address(start: Start) -> None:
    """A title of its own for each association does not help."""
    running = start(peers=(), accept_from="any", max_associations_per_peer=1)
    with open_association(running, calling="ONE"):
        with pytest.raises(AssociationRejected):
            open_association(running, calling="TWO")
        with open_association(running, calling="TWO", source="127.0.0.2") as association:
            assert association.echo(3) == SUCCESS


def test_an_association_that_stores_nothing_takes_no_segment(start: Start) -> None:
    """Many that are open at once take one between them, not one each."""
    running = start(max_associations_per_peer=64)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(open_association(running))
        eventually(lambda: len(running.records(RecordKind.ASSOCIATION_OPENED)) == 10)
        assert len(list(running.folder.glob("segment-*.spool"))) < 5
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 10)


def test_below_the_watermark_only_storage_is_turned_away(start: Start) -> None:
    """Storage commitment's reports and C-ECHO go on."""
    free = [0]
    running = start(spool={"refuse_below_free_bytes": 1, "free": lambda _: free[0]})
    verification, commitment = (VERIFICATION, [IMPLICIT]), EVERYTHING[2]
    for contexts in ([verification], [verification, commitment]):
        with open_association(running, contexts=contexts) as association:
            assert association.echo(1) == SUCCESS
    with pytest.raises(AssociationRejected) as rejected:
        open_association(running, contexts=[verification, (SC, [EXPLICIT])])
    assert rejected.value.reason == (2, 3, 2)
    free[0] = 10
    eventually(running.writer.has_free_disk)
    with open_association(running) as association:
        assert association.store(1, SC, "1.2", b"x") == SUCCESS


def test_a_disk_that_cannot_be_asked_turns_nobody_away(start: Start) -> None:
    """The first object will tell."""

    def free(_: Path) -> int:
        raise OSError(5, "told to")

    running = start(spool={"free": free})
    with open_association(running) as association:
        assert association.store(1, SC, "1.2", b"x") == SUCCESS


def test_stopping_closes_what_waits(start: Start) -> None:
    """At once, though it has asked for nothing."""
    running = start()
    with connected(running) as connection:
        eventually(lambda: running.receiver.waiting == 1)
        running.receiver.stop(30)
        assert answer(connection) == b""
    running.receiver.start()  # for the fixture to stop


def test_descriptors_above_1023_are_read(start: Start) -> None:
    """`select` knows none of them: pynetdicom would take the connection for closed."""
    running = start(max_associations_per_peer=64)
    with ExitStack() as stack:
        for _ in range(1100):
            stack.enter_context(socket.socket())
        for contexts in (EVERYTHING[:2], EVERYTHING):
            with open_association(running, contexts=contexts) as association:
                assert association.socket.fileno() > 1023
                assert association.store(1, SC, "1.2", bytes(100_000)) == SUCCESS
                assert association.echo(3) == SUCCESS


def test_a_flood_leaves_a_legitimate_echo_answered() -> None:
    """A fifth of the full size (bench/flood.py): 200 idle connections and 40 associations, over and over again."""
    size = Size(idle=200, associations=40, echoes=5)
    with receiver(size) as target:
        found = flood(target, size, EVERYTHING[:2], lambda _: None)
    assert found["associations"] == 40
    assert found["threads"] < 2 * 40 + 10
    assert found["echo_worst_s"] < 2
    assert found["rss_mib"] < 256
    assert found["normal_again_s"] < 60


def test_slow_senders_are_closed_in_time() -> None:
    """Three bytes, a byte now and then, and the same within an association: by the deadline of a PDU."""
    size = Size(slow=5, pdu_timeout_s=1.0)
    with receiver(size) as target:
        took = slow(target, size, lambda _: None)
    assert 0.9 < took < 4


def test_associations_that_send_nothing_as_fast_as_they_can_leave_an_echo_answered() -> None:
    """Half of the full number: PDUs full of empty fragments, of those of a byte, and of a command that never ends."""
    size = Size(busy=8, echoes=5)
    with receiver(size) as target:
        found = attack(target, size, lambda _: None)
    assert found["echo_worst_s"] < 2
    assert found["rss_mib"] < 256


def test_a_connection_that_is_reset_leaves_nothing(start: Start) -> None:
    """In the middle of its request."""
    running = start()
    before = threads()
    connection = connected(running)
    connection.sendall(REQUEST[:50])
    eventually(lambda: running.receiver.waiting == 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    eventually(lambda: running.receiver.waiting == 0)
    assert (running.receiver.associations, threads()) == ([], before)


def test_the_log_says_who_was_let_in_and_who_was_not(start: Start) -> None:
    """By AE title and address: a scanner whose title was mistyped is found by looking."""
    running = start()
    with capture_logs() as logs:
        with pytest.raises(AssociationRejected):
            open_association(running, calling="SENDR")
        with open_association(running) as association:
            assert association.echo(3) == SUCCESS
    told = [(one["event"], one["calling_ae_title"], one["peer"]) for one in logs if "calling_ae_title" in one]
    assert told == [("association_rejected", "SENDR", "127.0.0.1"), ("association_opened", "SENDER", "127.0.0.1")]


def test_the_log_says_what_a_peer_may_not_store(start: Start) -> None:
    """With the SOP class, where it is one."""
    running = start(peers=(Peer("SENDER", "127.0.0.1", frozenset({"store", "echo"}), None, frozenset({"1.2.3"})),))
    with capture_logs() as logs, open_association(running, contexts=[(SC, [EXPLICIT]), (VERIFICATION, [EXPLICIT])]):
        pass
    (told,) = (one for one in logs if one["event"] == "sop_class_not_permitted" and one["log_level"] != "debug")
    assert (told["sop_class_uid"], told["count"], told["calling_ae_title"]) == (SC, 1, "SENDER")
