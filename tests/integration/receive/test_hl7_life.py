"""How the HL7 listener stops and dies."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.core.errors import Transient
from agent.core.ports import RecordKind
from agent.receive import Hl7Listener, Hl7Settings
from agent.spool import SpoolReader, SpoolWriter
from tests.hl7_listeners import HOST, MERGE, NOW, Start, closed
from tests.hl7_sender import adt_a08, fields, framed, receive, send
from tests.peers import ROOT


def test_stopping_answers_what_was_read(start_hl7: Start) -> None:
    """Silent connections are closed at once; a message on its way to the disk still gets its answer."""
    running = start_hl7()
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


def test_stopping_does_not_wait_for_ever(start_hl7: Start) -> None:
    """A disk that hangs beyond the drain costs the sender its answer, not us the message."""
    running = start_hl7()
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


def test_a_taken_port_is_said(start_hl7: Start) -> None:
    """As with the DICOM listener."""
    running = start_hl7()
    other = Hl7Listener(Hl7Settings(port=running.port), None, lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(Transient, match=r"cannot listen on 127\.0\.0\.1:"):
        other.start()


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
