"""HL7 messages over real sockets into a real spool."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from agent.core.adt import news_from_json
from agent.core.errors import Transient
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind
from agent.receive import Hl7Listener, Hl7Rules, Hl7Settings
from agent.receive.journal import Journal
from agent.spool import SpoolReader, SpoolWriter
from tests.hl7_sender import END, START, adt, adt_a08, adt_a40, fields, framed, message, msh, pid, receive, send
from tests.peers import ROOT
from tests.receivers import eventually

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOST = "127.0.0.1"
RULES = Hl7Rules(issuers={"HOSP": "EXAMPLE"})
MERGE = adt_a40(("P2^^^HOSP^MR", "P1^^^HOSP^MR"))


class Disk:
    """What syncs files: it can fail, or wait until it is let go."""

    def __init__(self) -> None:
        self.fails = False
        self.goes = threading.Event()
        self.goes.set()
        self.waiting = threading.Semaphore(0)

    def sync(self, fd: int) -> None:
        """Say that it is at work, and go on when it may."""
        self.waiting.release()
        assert self.goes.wait(20)
        if self.fails:
            raise OSError(5, "told to")
        os.fdatasync(fd)


@dataclass
class Running:
    """A listener and the spool behind it."""

    listener: Hl7Listener
    folder: Path
    disk: Disk

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.listener.port

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection((HOST, self.port), timeout=20)

    def records(self) -> list[Record]:
        """Return the HL7 messages in the spool."""
        return [record for record in SpoolReader(self.folder).after({}) if record.kind is RecordKind.HL7]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a starter of listeners: settings by name."""
    with ExitStack() as stack:

        def start_(**settings: Any) -> Running:
            disk = Disk()
            writer = SpoolWriter(
                tmp_path / "spool",
                limit_bytes=1 << 30,
                refuse_below_free_bytes=0,
                segment_bytes=1 << 22,
                now=lambda: NOW,
                sync=disk.sync,
            )
            stack.callback(writer.close)
            listener = Hl7Listener(
                Hl7Settings(port=0, **({"rules": RULES} | settings)), Journal(writer, UUID(int=7)), lambda: NOW
            )
            listener.start()
            stack.callback(listener.stop, 5)
            return Running(listener, tmp_path / "spool", disk)

        yield start_


def closed(connection: socket.socket) -> bool:
    """Tell whether the other side closes without sending anything."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_merge_is_kept_as_it_came_and_then_acknowledged(start: Start) -> None:
    """Raw bytes, and beside them what the keeper needs; the answer goes to whom it came from."""
    running = start()
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
        "peer": HOST,
    }


@pytest.mark.parametrize(("raw", "outcome"), [(b"PID|1", "AR"), (adt("A24"), "AR"), (adt("A08", ""), "AE")])
def test_what_is_not_accepted_is_kept_too(start: Start, raw: bytes, outcome: str) -> None:
    """With its reason, and without news."""
    running = start()
    assert fields(send(HOST, running.port, raw), "MSA")[1] == outcome
    (record,) = running.records()
    assert record.payload == raw
    assert (record.meta["outcome"], record.meta["news"]) == (outcome, "[]")
    assert record.meta["error"]


def test_nothing_is_accepted_that_cannot_be_kept(start: Start) -> None:
    """The sender gets an error and sends again."""
    running = start()
    running.disk.fails = True
    reply = send(HOST, running.port, MERGE)
    assert fields(reply, "MSA") == ["MSA", "AE", "M1", "the message could not be stored: send it again"]
    assert fields(reply, "ERR")[3].startswith("207^")
    running.disk.fails = False
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"
    assert len(running.records()) == 1


def test_one_connection_carries_many_messages(start: Start) -> None:
    """In order, and split anywhere; a repeated one is kept again."""
    running = start()
    with running.connect() as connection:
        blocks = b"".join(framed(adt_a08(control_id=f"C{number // 2}")) for number in range(6))
        for at in range(0, len(blocks), 7):
            connection.sendall(blocks[at : at + 7])
        answered = [fields(receive(connection), "MSA")[1:] for _ in range(6)]
    assert answered == [["AA", f"C{number // 2}"] for number in range(6)]
    assert [record.meta["control_id"] for record in running.records()] == ["C0", "C0", "C1", "C1", "C2", "C2"]


def test_bytes_around_blocks_are_passed_over(start: Start) -> None:
    """Line ends between blocks, rubbish, a block that was begun and begun anew, an end without CR."""
    running = start()
    with running.connect() as connection:
        connection.sendall(b"\r\nrubbish" + START + b"MSH|cut" + START + MERGE + END[:1])
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
        connection.sendall(b"\n\n" + framed(MERGE))
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
    assert [record.payload for record in running.records()] == [MERGE, MERGE]


def test_a_block_without_a_start_ends_the_connection(start: Start) -> None:
    """Whoever sends it does not speak MLLP, and is told so."""
    running = start()
    with running.connect() as connection:
        connection.sendall(MERGE + END)
        assert fields(receive(connection), "MSA")[1:3] == ["AR", ""]
        assert closed(connection)
    assert running.records() == []


def test_a_cut_message_is_neither_kept_nor_answered(start: Start) -> None:
    """Its sender knows that it was not acknowledged."""
    running = start()
    with capture_logs() as logs:
        with running.connect() as connection:
            connection.sendall(START + MERGE)
            connection.shutdown(socket.SHUT_WR)
            assert closed(connection)
        eventually(lambda: any(line["event"] == "hl7_message_cut_off" for line in logs))
    assert running.records() == []


@pytest.mark.parametrize(("raw", "control_id"), [(adt_a08(control_id="LONG"), "LONG"), (b"x", "")])
def test_an_oversize_message_is_rejected_and_its_connection_closed(start: Start, raw: bytes, control_id: str) -> None:
    """However long it is, little of it is held; the answer arrives although the sender goes on."""
    running = start(max_message_bytes=1 << 16)
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


def test_a_message_of_the_greatest_length_is_taken(start: Start) -> None:
    """One byte more is too long."""
    running = start(max_message_bytes=1 << 16)
    head = message(msh("ORU^R01"), pid("P1^^^HOSP^MR")) + b"OBX|"
    longest = head + b"A" * ((1 << 16) - len(head))
    assert fields(send(HOST, running.port, longest), "MSA")[1] == "AA"
    assert fields(send(HOST, running.port, longest + b"A" * 32), "MSA")[1] == "AR"
    assert [record.payload for record in running.records()] == [longest]


def test_a_silent_connection_is_closed(start: Start) -> None:
    """Also one that stalls within a message."""
    running = start(idle_timeout_s=0.2)
    with running.connect() as silent, running.connect() as stalled:
        stalled.sendall(START + MERGE[:20])
        assert closed(silent)
        assert closed(stalled)
    assert running.records() == []


def test_a_sender_that_breaks_off_does_not_hold_the_others(start: Start) -> None:
    """What it had sent is kept."""
    running = start()
    with running.connect() as broken:
        broken.sendall(framed(MERGE))
        eventually(lambda: len(running.records()) == 1)
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # close resets
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"
    assert len(running.records()) == 2


def test_a_sender_that_takes_no_answers_is_cut_off(start: Start) -> None:
    """When what is on its way to it fills the buffers; others are served meanwhile."""
    running = start(idle_timeout_s=0.3)
    wordy = message(msh("ADT^A08").replace("HIS", "H" * 30_000), pid("P1^^^HOSP^MR"))  # sent back whole
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(20)
        deaf.connect((HOST, running.port))
        with pytest.raises(ConnectionError):
            _send_for_ever(deaf, framed(wordy))
    assert fields(send(HOST, running.port, MERGE), "MSA")[1] == "AA"


def test_only_listed_addresses_may_connect(start: Start) -> None:
    """Others are closed before they have said anything."""
    running = start(accept_from=("192.0.2.0/24",))
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


def test_connections_are_bounded(start: Start) -> None:
    """One too many is closed at once; when another has gone there is room again."""
    running = start(max_connections=1)
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


def test_fifty_connections_at_once(start: Start) -> None:
    """All are answered, and all is kept once."""
    running = start()
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


def test_no_answer_is_sent_where_none_is_asked_for(start: Start) -> None:
    """The message is kept, and the next one answered."""
    running = start()
    with running.connect() as connection:
        quiet = message(msh("ADT^A08", commit="NE", application="NE"), pid("P1^^^HOSP^MR"))
        connection.sendall(framed(quiet) + framed(MERGE))
        assert fields(receive(connection), "MSA")[1:] == ["AA", "M1"]
    assert [record.payload for record in running.records()] == [quiet, MERGE]


def test_stopping_answers_what_was_read(start: Start) -> None:
    """Silent connections are closed at once; a message on its way to the disk still gets its answer."""
    running = start()
    with running.connect() as silent, running.connect() as busy:
        silent.sendall(framed(MERGE))
        receive(silent)
        running.disk.goes.clear()
        while running.disk.waiting.acquire(blocking=False):
            pass
        busy.sendall(framed(MERGE))
        assert running.disk.waiting.acquire(timeout=20)
        stopping = threading.Thread(target=running.listener.stop, args=(20,))
        stopping.start()
        assert closed(silent)
        running.disk.goes.set()
        assert fields(receive(busy), "MSA")[1:] == ["AA", "M1"]
        assert closed(busy)
        stopping.join(20)
    assert not stopping.is_alive()
    assert len(running.records()) == 2
    with pytest.raises(Transient, match="not running"):
        _ = running.port
    running.listener.stop(1)


def test_stopping_does_not_wait_for_ever(start: Start) -> None:
    """A disk that hangs beyond the drain costs the sender its answer, not us the message."""
    running = start()
    with running.connect() as busy:
        send(HOST, running.port, MERGE)
        running.disk.goes.clear()
        while running.disk.waiting.acquire(blocking=False):
            pass
        busy.sendall(framed(MERGE))
        assert running.disk.waiting.acquire(timeout=20)
        stopping = threading.Thread(target=running.listener.stop, args=(0.1,))
        stopping.start()
        assert closed(busy)
        running.disk.goes.set()
        stopping.join(20)
    assert not stopping.is_alive()
    assert len(running.records()) == 2


def test_a_taken_port_is_said(start: Start) -> None:
    """As with the DICOM listener."""
    running = start()
    other = Hl7Listener(Hl7Settings(port=running.port), None, lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(Transient, match=r"cannot listen on 127\.0\.0\.1:"):
        other.start()


def test_logs_hold_nothing_of_a_patient(start: Start) -> None:
    """Control id, outcome and reason."""
    running = start()
    with capture_logs() as logs:
        send(HOST, running.port, MERGE)
        send(HOST, running.port, adt("A08", "SECRET^^^HOSP^VN"))
    stored = [line for line in logs if line["event"] == "hl7_message_stored"]
    assert [(line["control_id"], line["outcome"]) for line in stored] == [("M1", "AA"), ("M1", "AE")]
    assert not any(word in repr(logs) for word in ("Doe", "P1", "P2", "1961", "SECRET"))


LISTENER = """
import sys, threading
from datetime import datetime, timezone
from pathlib import Path
from agent.receive import Hl7Listener, Hl7Rules, Hl7Settings, Receiver, ReceiverSettings
from agent.spool import SpoolWriter
now = lambda: datetime.now(timezone.utc)
writer = SpoolWriter(Path(sys.argv[1]), limit_bytes=1 << 27, refuse_below_free_bytes=0, now=now)
receiver = Receiver(ReceiverSettings("SENTINODE", "127.0.0.1", 0, (), accept_from="any"), writer)
receiver.start()
listener = Hl7Listener(Hl7Settings(port=0, rules=Hl7Rules(issuers={"HOSP": "EXAMPLE"})), receiver.journal, now)
listener.start()
print(listener.port, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("point", "kept"),
    [("spool.after_append:3", 2), ("spool.after_sync:3", 2), ("receive.after_hl7:2", 2), ("receive.after_hl7:1", 1)],
)
def test_a_killed_listener_loses_nothing_it_acknowledged(tmp_path: Path, point: str, kept: int) -> None:
    """Between the disk and the answer, too: the sender sends again, and the message is there twice."""
    folder = tmp_path / "spool"
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER, str(folder)],
        cwd=ROOT,
        env={**os.environ, "SENTINODE_TEST_KILL_AT": point, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        port = next(int(line) for line in process.stdout if line.strip().isdigit())
        answered = _send_until_killed(port)
        assert process.wait(30) == -signal.SIGKILL
    assert answered == kept - 1
    SpoolWriter(folder, limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW).close()
    found = [record for record in SpoolReader(folder).after({}) if record.kind is RecordKind.HL7]
    assert [record.meta["control_id"] for record in found] == [str(number) for number in range(kept)]


def _send_until_killed(port: int) -> int:
    for number in range(5):
        try:
            reply = send(HOST, port, adt_a08(control_id=str(number)))
        except ConnectionError:
            return number
        assert fields(reply, "MSA")[1:] == ["AA", str(number)]
    raise AssertionError("the listener was not killed")
