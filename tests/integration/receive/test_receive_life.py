"""How the receiver starts, stops and dies."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.errors import Transient
from agent.core.ports import RecordKind
from agent.receive import Peer, Receiver, ReceiverSettings
from agent.spool import SpoolReader, SpoolWriter
from tests.fakes.spool import NOW
from tests.peers import ROOT
from tests.receivers import SC, SETTINGS, SUCCESS, Running, Start, eventually, open_association
from tests.senders import EXPLICIT, AssociationAborted, RawAssociation


def test_an_end_that_cannot_be_recorded_is_recorded_later(start: Start) -> None:
    """An association is never left open in the spool while the receiver lives."""
    failing = [False]

    def sync(fd: int) -> None:
        if failing[0]:
            raise OSError(5, "told to")
        os.fdatasync(fd)

    running = start(spool={"sync": sync})
    association = open_association(running)
    assert association.store(1, SC, "1.2", b"x") == SUCCESS
    failing[0] = True
    association.release()
    eventually(lambda: not running.receiver.associations)
    assert running.records(RecordKind.ASSOCIATION_CLOSED) == []
    failing[0] = False
    (closed,) = running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert closed.meta == {"association_id": running.records(RecordKind.INSTANCE)[0].meta["association_id"]}


def test_stopping_lets_open_associations_finish(tmp_path: Path) -> None:
    """No new ones meanwhile; when all have ended it does not wait longer."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(SETTINGS, writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    port = running.port
    association = open_association(running)
    stopping = threading.Thread(target=receiver.stop, args=(30,))
    begun = time.monotonic()
    stopping.start()
    eventually(lambda: not _listens(port))
    assert association.store(1, SC, "1.2", b"x") == SUCCESS
    association.release()
    stopping.join(20)
    assert time.monotonic() < begun + 20
    writer.close()
    assert len(running.records(RecordKind.INSTANCE)) == len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_stopping_aborts_what_does_not_finish(tmp_path: Path) -> None:
    """The peer gets an abort, and the end is in the spool when stop returns."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(SETTINGS, writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    association = open_association(running)
    receiver.stop(0.1)
    writer.close()
    assert association.read_pdu()[0] == 7
    association.socket.close()
    assert len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1
    with pytest.raises(Transient, match="not running"):
        _ = receiver.port


def test_stopping_cuts_off_a_sender_that_stalls_within_a_pdu(tmp_path: Path) -> None:
    """Stop does not wait for the rest of the PDU, and nothing of the object is kept."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(replace(SETTINGS, pdu_timeout_s=60), writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    association = open_association(running)
    association.send_command(1, 0x0001, SC, "1.2")
    association.socket.sendall(b"\x04\x00" + (5000).to_bytes(4, "big") + b"half")
    begun = time.monotonic()
    receiver.stop(0.1)
    assert time.monotonic() < begun + 20
    writer.close()
    association.socket.close()
    assert running.records(RecordKind.INSTANCE) == []
    assert len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1


def test_a_port_in_use_is_one_clear_error(start: Start, tmp_path: Path) -> None:
    """It names address and port."""
    port = start().port
    writer = SpoolWriter(tmp_path / "other", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    settings = ReceiverSettings("SENTINODE", "127.0.0.1", port, ())
    with pytest.raises(Transient, match=f"127.0.0.1:{port}"):
        Receiver(settings, writer).start()
    writer.close()


def test_a_host_that_is_no_address_is_refused() -> None:
    """Names would have to be looked up while a caller waits."""
    with pytest.raises(ValueError, match="pacs"):
        Peer("PACS", "pacs.example.org", frozenset({"store"}))


RECEIVER = """
import sys, threading
from datetime import datetime, timezone
from pathlib import Path
from agent.receive import Receiver, ReceiverSettings
from agent.spool import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), limit_bytes=1 << 27, refuse_below_free_bytes=0,
                     now=lambda: datetime.now(timezone.utc))
receiver = Receiver(ReceiverSettings("SENTINODE", "127.0.0.1", 0, (), accept_from="any"), writer)
receiver.start()
print(receiver.port, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("point", "answered", "kept"),
    [
        ("receive.association_accepted:1", 0, 0),
        ("spool.after_append:4", 1, 2),  # after receiver started, association opened and the first instance
        ("spool.after_sync:4", 1, 2),
        ("receive.after_success:2", 2, 2),
    ],
)
def test_a_killed_receiver_loses_nothing_it_acknowledged(tmp_path: Path, point: str, answered: int, kept: int) -> None:
    """Kill -9 at each boundary: after a restart all that was answered Success is there, and at most one more."""
    folder = tmp_path / "spool"
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SENTINODE_TEST_KILL_AT": point},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        port = next(int(line) for line in process.stdout if line.strip().isdigit())
        got = _store_until_killed(port)
        assert process.wait(30) == -signal.SIGKILL
    assert got == answered
    SpoolWriter(folder, limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW).close()
    records = list(SpoolReader(folder).after({}))
    payloads = [record.payload for record in records if record.kind is RecordKind.INSTANCE]
    assert payloads == [bytes([n]) * 100_000 for n in range(kept)]
    assert [record.kind for record in records].count(RecordKind.ASSOCIATION_CLOSED) == 0


def _store_until_killed(port: int) -> int:
    association = None
    answered = 0
    try:
        association = RawAssociation(
            "127.0.0.1", port, calling="SENDER", called="SENTINODE", contexts=[(SC, [EXPLICIT])]
        )
        for number in range(5):
            assert association.store(1, SC, f"1.{number}", bytes([number]) * 100_000) == SUCCESS
            answered += 1
    except (AssociationAborted, ConnectionError):
        return answered
    finally:
        if association is not None:
            association.socket.close()
    raise AssertionError("the receiver was not killed")


def test_the_receiver_imports_no_database_and_no_torch() -> None:
    """It starts quickly and decodes nothing: what it does not import it cannot use."""
    code = "import sys, agent.receive, agent.spool; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    loaded = set(done.stdout.decode().split())
    assert {"agent.receive", "pynetdicom"} <= loaded
    assert not loaded & {"sqlalchemy", "torch", "onnxruntime", "highdicom", "apscheduler"}
