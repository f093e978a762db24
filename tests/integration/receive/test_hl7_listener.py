"""HL7 messages over real sockets into a real spool."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from structlog.testing import capture_logs

from agent.core.adt import news_from_json
from agent.core.patient import PatientKey
from tests.hl7_listeners import HOST, MERGE, Start, closed
from tests.hl7_sender import END, START, adt, adt_a08, fields, framed, message, msh, pid, receive, send
from tests.receivers import eventually


def test_a_merge_is_kept_as_it_came_and_then_acknowledged(start_hl7: Start) -> None:
    """Raw bytes, and beside them what the keeper needs; the answer goes to whom it came from."""
    running = start_hl7()
    reply = send(HOST, running.port, MERGE)
    assert fields(reply, "MSA") == ["MSA", "AA", "M1"]
    assert fields(reply, "MSH")[2:6] == ["SENTINODE", "RAD", "HIS", "HOSP"]
    (record,) = running.records()
    assert record.payload == MERGE
    (news,) = news_from_json(record.meta["news"])
    assert (news.retired, news.patient) == (PatientKey("EXAMPLE", "P1"), PatientKey("EXAMPLE", "P2"))
    assert {name: text for name, text in record.meta.items() if name != "news"} == {
        "control_id": "M1",
        "message_type": "ADT^A40",
        "outcome": "AA",
        "error": "",
        "reads": "[]",
        "peer": HOST,
    }


@pytest.mark.parametrize(("raw", "outcome"), [(b"PID|1", "AR"), (adt("A24"), "AR"), (adt("A08", ""), "AE")])
def test_what_is_not_accepted_is_kept_too(start_hl7: Start, raw: bytes, outcome: str) -> None:
    """With its reason, and without news."""
    running = start_hl7()
    assert fields(send(HOST, running.port, raw), "MSA")[1] == outcome
    (record,) = running.records()
    assert record.payload == raw
    assert (record.meta["outcome"], record.meta["news"]) == (outcome, "[]")
    assert record.meta["error"]


def test_nothing_is_accepted_that_cannot_be_kept(start_hl7: Start) -> None:
    """The sender gets an error and sends again."""
    running = start_hl7()
    running.disk.fails = True
    reply = send(HOST, running.port, MERGE)
    assert fields(reply, "MSA") == ["MSA", "AE", "M1", "the message could not be stored: send it again"]
    assert fields(reply, "ERR")[3].startswith("207^")
    running.disk.fails = False
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"
    assert len(running.records()) == 1


def test_one_connection_carries_many_messages(start_hl7: Start) -> None:
    """In order, and split anywhere; a repeated one is kept again."""
    running = start_hl7()
    with running.connect() as connection:
        blocks = b"".join(framed(adt_a08(control_id=f"C{number // 2}")) for number in range(6))
        for at in range(0, len(blocks), 7):
            connection.sendall(blocks[at : at + 7])
        answered = [fields(receive(connection), "MSA")[1:] for _ in range(6)]
    assert answered == [["AA", f"C{number // 2}"] for number in range(6)]
    assert [record.meta["control_id"] for record in running.records()] == ["C0", "C0", "C1", "C1", "C2", "C2"]


def test_bytes_around_blocks_are_passed_over(start_hl7: Start) -> None:
    """Line ends between blocks, rubbish, a block that was begun and begun anew, an end without CR."""
    running = start_hl7()
    with running.connect() as connection:
        connection.sendall(b"\r\nrubbish" + START + b"MSH|cut" + START + MERGE + END[:1])
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
        connection.sendall(b"\n\n" + framed(MERGE))
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
    assert [record.payload for record in running.records()] == [MERGE, MERGE]


def test_a_block_without_a_start_ends_the_connection(start_hl7: Start) -> None:
    """Whoever sends it does not speak MLLP, and is told so."""
    running = start_hl7()
    with running.connect() as connection:
        connection.sendall(MERGE + END)
        assert fields(receive(connection), "MSA")[1:3] == ["AR", ""]
        assert closed(connection)
    assert running.records() == []


def test_a_cut_message_is_neither_kept_nor_answered(start_hl7: Start) -> None:
    """Its sender knows that it was not acknowledged."""
    running = start_hl7()
    with capture_logs() as logs:
        with running.connect() as connection:
            connection.sendall(START + MERGE)
            connection.shutdown(socket.SHUT_WR)
            assert closed(connection)
        eventually(lambda: any(line["event"] == "hl7_message_cut_off" for line in logs))
    assert running.records() == []


def test_fifty_connections_at_once(start_hl7: Start) -> None:
    """All are answered, and all is kept once."""
    running = start_hl7()
    with ExitStack() as stack:
        connections = [stack.enter_context(running.connect()) for _ in range(50)]
        with ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(_converse, connections, range(50)))
    assert replies == [["AA"] * 3] * 50
    kept = sorted(record.meta["control_id"] for record in running.records())
    assert kept == sorted(f"{one}-{number}" for one in range(50) for number in range(3))


def _converse(connection: socket.socket, one: int) -> list[str]:
    codes = []
    for number in range(3):
        connection.sendall(framed(adt_a08(control_id=f"{one}-{number}")))
        codes.append(fields(receive(connection), "MSA")[1])
    return codes


def test_no_answer_is_sent_where_none_is_asked_for(start_hl7: Start) -> None:
    """The message is kept, and the next one answered."""
    running = start_hl7()
    with running.connect() as connection:
        quiet = message(msh("ADT^A08", commit="NE", application="NE"), pid("P1^^^HOSP^MR"))
        connection.sendall(framed(quiet) + framed(MERGE))
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
    assert [record.payload for record in running.records()] == [quiet, MERGE]


def test_logs_hold_nothing_of_a_patient(start_hl7: Start) -> None:
    """Control id, outcome and reason."""
    running = start_hl7()
    with capture_logs() as logs:
        send(HOST, running.port, MERGE)
        send(HOST, running.port, adt("A08", "SECRET^^^HOSP^VN"))
    stored = [line for line in logs if line["event"] == "hl7_message_stored"]
    assert [(line["control_id"], line["outcome"]) for line in stored] == [("M1", "AA"), ("M1", "AE")]
    assert not any(word in repr(logs) for word in ("Doe", "P1", "P2", "1961", "SECRET"))
