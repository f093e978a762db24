"""What the HL7 listener bounds: length, time, callers."""

import socket
import threading

import pytest
from structlog.testing import capture_logs

from agent.receive import Hl7Settings
from tests.hl7_listeners import HOST, MERGE, Start, closed
from tests.hl7_sender import START, adt_a08, fields, framed, message, msh, pid, receive, send
from tests.receivers import eventually


@pytest.mark.parametrize(("raw", "control_id"), [(adt_a08(control_id="LONG"), "LONG"), (b"x", "")])
def test_an_oversize_message_is_rejected_and_its_connection_closed(
    start_hl7: Start, raw: bytes, control_id: str
) -> None:
    """However long it is, little of it is held; the answer arrives although the sender goes on."""
    running = start_hl7(max_message_bytes=1 << 16)
    with running.connect() as connection:
        sending = threading.Thread(target=_send_until_closed, args=(connection, START + raw))
        sending.start()
        reply = receive(connection)
        connection.shutdown(socket.SHUT_RDWR)
        sending.join(20)
    assert fields(reply, "MSA")[1:] == ["AR", control_id, "the message is longer than is accepted"]
    assert running.records() == []
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"


def _send_until_closed(connection: socket.socket, beginning: bytes) -> None:
    try:
        connection.sendall(beginning)
        _send_for_ever(connection, b"OBX|" * 16384)
    except OSError:
        return


def _send_for_ever(connection: socket.socket, what: bytes) -> None:
    while True:
        connection.sendall(what)


def test_a_message_of_the_greatest_length_is_taken(start_hl7: Start) -> None:
    """One byte more is too long."""
    running = start_hl7(max_message_bytes=1 << 16)
    head = message(msh("ORU^R01"), pid("P1^^^HOSP^MR")) + b"OBX|"
    longest = head + b"A" * ((1 << 16) - len(head))
    assert fields(send(HOST, running.port, longest), "MSA")[1] == "AA"
    assert fields(send(HOST, running.port, longest + b"A" * 32), "MSA")[1] == "AR"
    assert [record.payload for record in running.records()] == [longest]


def test_a_silent_connection_is_closed(start_hl7: Start) -> None:
    """Also one that stalls within a message."""
    running = start_hl7(idle_timeout_s=0.2)
    with running.connect() as silent, running.connect() as stalled:
        stalled.sendall(START + MERGE[:20])
        assert closed(silent)
        assert closed(stalled)
    assert running.records() == []


def test_a_sender_that_breaks_off_does_not_hold_the_others(start_hl7: Start) -> None:
    """What it had sent is kept."""
    running = start_hl7()
    with running.connect() as broken:
        broken.sendall(framed(MERGE))
        eventually(lambda: len(running.records()) == 1)
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # close resets
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"
    assert len(running.records()) == 2


def test_a_sender_that_takes_no_answers_is_cut_off(start_hl7: Start) -> None:
    """When what is on its way to it fills the buffers; others are served meanwhile."""
    running = start_hl7(idle_timeout_s=0.3)
    wordy = message(msh("ADT^A08").replace("HIS", "H" * 30_000), pid("P1^^^HOSP^MR"))  # sent back whole
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(20)
        deaf.connect((HOST, running.port))
        with pytest.raises(ConnectionError):
            _send_for_ever(deaf, framed(wordy))
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"


def test_only_listed_addresses_may_connect(start_hl7: Start) -> None:
    """Others are closed before they have said anything."""
    running = start_hl7(accept_from=("192.0.2.0/24",))
    with capture_logs() as logs:
        with running.connect() as connection:
            assert closed(connection)
        assert [(line["event"], line["reason"]) for line in logs] == [("hl7_connection_refused", "address")]
    settings = Hl7Settings(accept_from=("192.0.2.0/24", "2001:db8::/32"))
    assert settings.admits("::ffff:192.0.2.9")
    assert settings.admits("2001:db8::1")
    assert not settings.admits("192.0.3.1")
    with pytest.raises(ValueError, match="nowhere"):
        Hl7Settings(accept_from=("nowhere",))


def test_connections_are_bounded(start_hl7: Start) -> None:
    """One too many is closed at once; when another has gone there is room again."""
    running = start_hl7(max_connections=1)
    with running.connect() as first:
        first.sendall(framed(MERGE))
        receive(first)
        with running.connect() as second:
            assert closed(second)

    def answered() -> bool:
        try:
            return fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"
        except OSError:
            return False

    eventually(answered)
