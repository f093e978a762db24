"""How associations end: what the peer reads, and what the log says."""

import socket
import struct
import time
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.receive import Peer
from tests.pdus import ABORT, RELEASE_RP, RELEASE_RQ, echo_rq, echo_rsp, pdu, pdv
from tests.receivers import EVERYTHING, SC, SUCCESS, Running, Start, open_association
from tests.senders import EXPLICIT, VERIFICATION, RawAssociation, associate_rq

REQUEST = associate_rq("SENDER", "SENTINODE", EVERYTHING, {})
ECHO = pdu(pdv(3, 3, echo_rq()))


def _rest(connection: socket.socket) -> bytes:
    data = b""
    while part := connection.recv(4096):
        data += part
    return data


def _closed(running: Running, logs: list[Any], count: int = 1) -> list[Any]:
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, count)
    return [one for one in logs if one["event"] == "association_closed"]


@pytest.mark.parametrize(
    "beginning", [b"\4\0\0", struct.pack(">BBI", 4, 0, 300) + b"x" * 10, pdu(pdv(1, 3, b"")[:4] + b"\1\1")]
)
def test_a_stalled_message_ends_with_an_abort(start: Start, beginning: bytes) -> None:
    """Within a header, a body, a message: the peer reads A-ABORT, then the end of the connection."""
    running = start(pdu_timeout_s=0.4)
    association = open_association(running)
    with association.socket, capture_logs() as logs:
        association.socket.sendall(beginning)
        assert _rest(association.socket) == ABORT
        (closed,) = _closed(running, logs)
    assert closed["end"] == "stalled"


def test_an_object_that_never_ends_is_cut_off_in_time(start: Start) -> None:
    """Though it goes on at a good rate; nothing of it is kept, and nothing of it holds room."""
    running = start(message_timeout_s=0.5)
    association = open_association(running)
    with association.socket, capture_logs() as logs:
        association.send_command(1, 0x0001, SC, "1.2")
        with suppress(OSError):
            while True:
                association.send_pdv(1, 0, bytes(4000))
                time.sleep(0.02)
        (closed,) = _closed(running, logs)
    assert (closed["end"], closed["objects"]) == ("stalled", 0)
    assert running.records(RecordKind.INSTANCE) == []


def test_the_log_says_how_an_association_ended(start: Start) -> None:
    """With what it stored, and how long it was open; by the id under which it was opened."""
    running = start()
    with capture_logs() as logs:
        with open_association(running) as association:
            assert association.store(1, SC, "1.2", b"x" * 1000) == SUCCESS
            assert association.store(1, SC, "1.3", b"x" * 100_000) == SUCCESS
        (closed,) = _closed(running, logs)
    (opened,) = (one for one in logs if one["event"] == "association_opened")
    assert 0 <= closed.pop("seconds") < 20
    assert closed == {
        "event": "association_closed",
        "log_level": "info",
        "association_id": opened["association_id"],
        "peer": "127.0.0.1",
        "objects": 2,
        "bytes": 101_000,
        "end": "released",
    }


def test_the_log_says_that_nothing_came_any_more(start: Start) -> None:
    """The sender that said nothing for the idle timeout, and the one that aborted."""
    running = start(idle_timeout_s=0.3)
    with capture_logs() as logs:
        association = open_association(running)
        with association.socket:
            assert _rest(association.socket) == ABORT
        _closed(running, logs)
        open_association(running).abort()
        ends = [one["end"] for one in _closed(running, logs, 2)]
    assert ends == ["idle", "aborted"]


def test_what_comes_right_behind_the_request_is_served(start: Start) -> None:
    """A sender that does not wait for the acceptance gets it, and its answer, and no abort."""
    running = start()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection, capture_logs() as logs:
            connection.sendall(REQUEST + ECHO + RELEASE_RQ)
            answer = _rest(connection)
        assert answer[:1] == b"\2"
        assert answer[6 + int.from_bytes(answer[2:6], "big") :] == echo_rsp() + RELEASE_RP
        assert "association_failed" not in [one["event"] for one in logs]


def test_what_comes_right_behind_a_release_is_passed_over(start: Start) -> None:
    """The release is answered, and that is the last word."""
    running = start()
    for _ in range(5):
        association = open_association(running)
        with association.socket, capture_logs() as logs:
            association.socket.sendall(ECHO + RELEASE_RQ + ECHO + RELEASE_RQ)
            assert _rest(association.socket) == echo_rsp() + RELEASE_RP
        assert "association_failed" not in [one["event"] for one in logs]


def test_a_second_request_is_aborted_once(start: Start) -> None:
    """Behind the acceptance of the first."""
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(REQUEST * 2)
        answer = _rest(connection)
    assert answer[6 + int.from_bytes(answer[2:6], "big") :] == bytes.fromhex("07 00 00000004 00000202")


def test_classes_that_may_not_be_stored_are_told_of_once(start: Start) -> None:
    """However many associations propose them; how many there are, and which where it is one."""
    mr, ct = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
    running = start(peers=(Peer("SENDER", "127.0.0.1", frozenset({"store", "echo"}), None, frozenset({SC})),))
    contexts = [(uid, [EXPLICIT]) for uid in (mr, SC, ct, VERIFICATION)]
    with capture_logs() as logs:
        for _ in range(3):
            RawAssociation("127.0.0.1", running.port, calling="SENDER", called="SENTINODE", contexts=contexts).release()
        running.receiver.stop(5)
    told = [one for one in logs if one["event"] == "sop_class_not_permitted"]
    first, more = (one for one in told if one["log_level"] == "warning")
    assert (first["count"], first["calling_ae_title"], more["more"]) == (2, "SENDER", 2)
    assert "sop_class_uid" not in first
    assert [one["sop_class_uid"] for one in told if one["log_level"] == "debug"] == [mr, ct] * 3
    running.receiver.start()  # for the fixture to stop
