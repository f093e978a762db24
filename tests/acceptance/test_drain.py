"""SIGTERM: the agent ends in time whatever is under way, with exit code 0, and a new start goes on from there."""

import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from agent.core.ports import RecordKind
from agent.spool import SpoolReader
from tests.acceptance.conftest import Hospital, kinds, part10, views
from tests.harness import wait_until
from tests.senders import EXPLICIT, RawAssociation, Sendable, split_part10

DRAIN_S = 6
DRAIN_SOON = [{"operate": {"drain_s": DRAIN_S}}]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def sendable(ds: Dataset) -> Sendable:
    """What a C-STORE of it needs."""
    split = split_part10(part10(ds))
    assert isinstance(split, Sendable)
    return split


def associate(hospital: Hospital, one: Sendable) -> RawAssociation:
    """Open an association for one object."""
    return RawAssociation(
        "127.0.0.1",
        hospital.agent.port,
        calling="MODALITY",
        called="SENTINODE",
        contexts=[(one.sop_class_uid, [EXPLICIT])],
    )


def spooled(hospital: Hospital) -> set[str]:
    """SOP Instance UIDs of what is in the spool."""
    records = SpoolReader(hospital.folder / "spool").after({})
    return {r.meta["sop_instance_uid"] for r in records if r.kind is RecordKind.INSTANCE}


def listens(hospital: Hospital) -> bool:
    """Whether the agent takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", hospital.agent.port)) == 0


@pytest.mark.parametrize("changes", DRAIN_SOON)
def test_drain_ends_in_time_with_everything_open(quiet_hospital: Hospital, black_hole: int) -> None:
    """Idle and stalled senders are cut off, an archive that never answers is left, and the rest is done afterwards."""
    agent = quiet_hospital.agent
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "confirm": "read_back"}
    agent.override("destinations", [destination | {"port": black_hole}])
    agent.start()
    agent.wait_listening()
    images = views(quiet_hospital.patient(1), "L CC", "L MLO")
    assert set(quiet_hospital.send(images)) == {0}
    wait_until(lambda: [c["state"] for c in agent.cases()] == ["delivering"], 40, "no answer was made")
    cut_off = sendable(views(quiet_hospital.patient(2), "L CC")[0])
    with closing(associate(quiet_hospital, cut_off).socket), associate_stalled(quiet_hospital, cut_off):
        begun = time.monotonic()
        assert agent.stop() == 0
        print(f"drained in {time.monotonic() - begun:.1f} of {DRAIN_S} s")
    assert spooled(quiet_hospital) == {str(ds.SOPInstanceUID) for ds in images}
    agent.override("destinations", [destination | {"port": quiet_hospital.archive.port}])
    agent.start()
    agent.wait_listening()
    (case,) = quiet_hospital.wait_ended()
    assert case["state"] == "done"
    assert Counter(kinds(quiet_hospital.results())) == {"sr": 1, "text_sr": 1, "secondary_capture": 3}


def associate_stalled(hospital: Hospital, one: Sendable) -> "closing[socket.socket]":
    """Send half of an object, and stop in the middle of a PDU."""
    association = associate(hospital, one)
    association.send_command(1, 0x0001, one.sop_class_uid, one.sop_instance_uid)
    association.send_pdv(1, 0, one.dataset[:1000])
    association.socket.sendall(b"\x04\x00" + (5000).to_bytes(4, "big") + b"half")
    return closing(association.socket)


def test_drain_lets_a_slow_sender_finish(hospital: Hospital) -> None:
    """An object whose second half comes after SIGTERM is acknowledged and in the spool; new senders are refused."""
    slow = sendable(views(hospital.patient(1), "L CC")[0])
    association = associate(hospital, slow)
    association.send_command(1, 0x0001, slow.sop_class_uid, slow.sop_instance_uid)
    association.send_pdv(1, 0, slow.dataset[:1000])
    hospital.agent.terminate()
    wait_until(lambda: not listens(hospital), 20, "new senders are still taken")
    association.send_dataset(1, slow.dataset[1000:])
    assert association.read_status() == 0
    association.release()
    assert hospital.agent.wait_dead(20) == 0
    assert spooled(hospital) == {slow.sop_instance_uid}


def test_drain_finishes_the_inference_under_way(hospital: Hospital) -> None:
    """The case that a worker is at is answered after SIGTERM; the next ones wait for the next start."""
    agent = hospital.agent
    wait_until(lambda: '"working"' in agent.log(), 30, "the worker did not begin")
    worker = hospital.agent.children()["worker-1"]
    patients = [views(hospital.patient(n), "L CC", "L MLO") for n in (1, 2, 3)]
    for images in patients:
        assert set(hospital.send(images)) == {0}
    wait_until(lambda: stopped_at_work(hospital, worker), 40, "the worker was never seen at work", every_s=0.001)
    answered = Counter(e["event"] for e in agent.log_lines())["answer_saved"]
    agent.terminate()
    wait_until(lambda: '"draining"' in agent.log(), 30, "the drain did not begin")
    os.kill(worker, signal.SIGCONT)
    assert agent.wait_dead(40) == 0
    assert Counter(e["event"] for e in agent.log_lines())["answer_saved"] == answered + 1
    assert "running" not in {c["state"] for c in agent.cases()}
    agent.start()
    agent.wait_listening()
    assert {c["state"] for c in hospital.wait_ended(3)} == {"done"}
    assert Counter(kinds(hospital.results())) == {"sr": 3, "text_sr": 3, "secondary_capture": 9}


def stopped_at_work(hospital: Hospital, worker: int) -> bool:
    """Hold the worker with SIGSTOP if it is at a case, and not in the middle of a write to the database."""
    if not is_running_a_case(hospital):
        return False
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: "T (stopped)" in Path(f"/proc/{worker}/status").read_text(), 10, "the worker does not stop")
    if can_write(hospital.folder / "state.db") and is_running_a_case(hospital):
        return True
    os.kill(worker, signal.SIGCONT)
    return False


def is_running_a_case(hospital: Hospital) -> bool:
    """Whether a worker has taken a case and not answered it yet."""
    return "running" in {c["state"] for c in hospital.agent.cases()}


def can_write(database: Path) -> bool:
    """Whether the write lock can be had soon: who is stopped while holding it holds up everybody."""
    with closing(sqlite3.connect(database, timeout=1, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        db.execute("ROLLBACK")
        return True


@pytest.mark.parametrize("role", ["receiver", "keeper", "worker-1"])
def test_sigterm_to_one_process_brings_a_new_one(hospital: Hospital, role: str) -> None:
    """It ends in order, with exit code 0, the others stay, and the next patient is answered."""
    wait_until(lambda: role in hospital.agent.children(), 30, f"{role} did not begin")
    before = hospital.agent.children()
    os.kill(before[role], signal.SIGTERM)
    after = wait_until(
        lambda: (now := hospital.agent.children())[role] != before[role] and now, 20, "it did not come back"
    )
    assert {name for name in before if before[name] != after[name]} == {role}
    (death,) = (e for e in hospital.agent.log_lines() if e.get("event") == "process_died")
    assert (death["worker"], death["exit_code"]) == (role, 0)
    hospital.agent.wait_listening()
    hospital.send(views(hospital.patient(1), "L CC", "L MLO"))
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"


@pytest.mark.parametrize("moment", ["starting", "process_started", "listening", "keeping", "working"])
def test_sigterm_during_the_start_ends_the_agent(quiet_hospital: Hospital, moment: str) -> None:
    """Whatever the start has come to: exit code 0, and no process is left."""
    agent = quiet_hospital.agent
    agent.start(anew=moment in ("starting", "process_started"))  # what comes later is the same in a fork
    wait_until(lambda: f'"{moment}"' in agent.log(), 30, f"{moment} was not reached", every_s=0.001)
    assert agent.stop(20) == 0
    assert not agent.has_processes()


def test_sigterm_before_anything_is_served_ends_the_agent(quiet_hospital: Hospital) -> None:
    """While the configuration is read or checked nothing has begun: the agent ends at once, and nothing is left."""
    agent = quiet_hospital.agent
    for catches in (False, True):
        agent.start(anew=True)
        if catches:
            wait_until(agent.catches_sigterm, 30, "no handler was set", every_s=0.001)
        assert agent.stop(20) == (0 if catches else -signal.SIGTERM)
        assert not agent.has_processes()
    assert not (quiet_hospital.folder / "spool" / "lock").exists()
