"""The agent as a tree of processes: what dies comes back, what is wrong is not restarted into success."""

import os
import signal
import subprocess
from collections import Counter
from functools import partial
from itertools import islice

import pytest
from pydicom.dataset import Dataset

from agent.core.errors import Transient
from agent.core.ports import RecordKind
from agent.dimse.client import PacsClient
from agent.spool import SpoolReader
from demo.pacs import Orthanc, free_port, orthanc_binary
from tests.acceptance.conftest import Hospital, copies, kinds, part10, story, views
from tests.fakes import deadly_agent, hanging_agent
from tests.harness import wait_until
from tests.postgres import PostgresServer, postgres

__all__ = ["postgres"]


DELAY_S = 1.0
"""The supervisor waits at most so long for what dies five times in a row: half of the two seconds that are promised."""
BUSY_S = 20.0
"""What a start may take beside it on a machine that is busy with other tests; one that gave up takes longer."""
KILLS = 5


def test_processes_that_are_killed_come_back(hospital: Hospital) -> None:
    """Receiver, keeper and worker are killed, each is started again, and the next patient is answered."""
    before = hospital.agent.children()
    assert set(before) == {"receiver", "keeper", "worker-1"}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    after = wait_until(
        lambda: (now := hospital.agent.children()) and not set(now.values()) & set(before.values()) and now,
        BUSY_S,
        "not all back",
    )
    assert set(after) == set(before)
    hospital.agent.wait_listening()
    hospital.send(views(hospital.patient(1), "L CC", "L MLO"))
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"


class Readiness:
    """Tells of each process when it does its work again after a kill, by having it do some."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.images = copies(hospital)

    def wait(self, role: str, killed: int) -> None:
        """Wait until the successor of the process `killed` has done something."""
        if role == "receiver":
            wait_until(self._takes_an_object, BUSY_S, "the receiver does not answer", every_s=0.02)
        elif role == "keeper":
            known = len(self.hospital.agent.cases())
            assert self._takes_an_object()
            wait_until(lambda: len(self.hospital.agent.cases()) > known, BUSY_S, "the keeper is not back", every_s=0.02)
        else:
            wait_until(lambda: self._works(killed), BUSY_S, "the worker is not back", every_s=0.02)

    def _takes_an_object(self) -> bool:
        try:
            PacsClient("MODALITY", "SENTINODE", "127.0.0.1", self.hospital.agent.port).echo()
        except Transient:
            return False
        return is_taken(self.hospital, next(self.images))

    def _works(self, killed: int) -> bool:
        events = self.hospital.agent.log_lines()
        started = [n for n, e in enumerate(events) if e.get("event") == "process_started" and e["worker"] == "worker-1"]
        is_new = events[started[-1]]["pid"] != killed
        return is_new and any(e.get("event") == "working" for e in events[started[-1] :])


@pytest.mark.parametrize("role", ["receiver", "keeper", "worker-1"])
def test_a_process_killed_again_and_again_is_back_at_once(hospital: Hospital, role: str) -> None:
    """Five times in a row, each as soon as it works again: a process that dies in its first second is no exception."""
    readiness = Readiness(hospital)
    wait_until(lambda: '"working"' in hospital.agent.log(), 30, "the worker did not begin")
    for _ in range(KILLS):
        pid = hospital.agent.children()[role]
        os.kill(pid, signal.SIGKILL)
        readiness.wait(role, pid)
    delays = delays_of(hospital, role)
    assert len(delays) == KILLS
    assert max(delays) <= DELAY_S
    hospital.send(views(hospital.patient(900), "L CC"))
    wait_until(lambda: "done" in {c["state"] for c in hospital.agent.cases()}, 40, "the tree does not answer any more")


def delays_of(hospital: Hospital, role: str) -> list[float]:
    """Return how long the supervisor waited before each new start of a process that died."""
    died = (e for e in hospital.agent.log_lines() if e.get("event") == "process_died" and e["worker"] == role)
    return [e["seconds"] for e in died]


def test_receiver_killed_under_a_sender_loses_nothing(hospital: Hospital) -> None:
    """A sender that retries is taken again as soon as there is a receiver; what was acknowledged is in the spool."""
    taken = set()
    for number, ds in enumerate(islice(copies(hospital), 30)):
        if number % 10 == 5:
            os.kill(hospital.agent.children()["receiver"], signal.SIGKILL)
        wait_until(partial(is_taken, hospital, ds), BUSY_S, "the receiver is not back", every_s=0.02)
        taken.add(str(ds.SOPInstanceUID))
    delays = delays_of(hospital, "receiver")
    assert len(delays) == 3
    assert max(delays) <= DELAY_S
    records = SpoolReader(hospital.folder / "spool").after({})
    assert taken <= {r.meta["sop_instance_uid"] for r in records if r.kind is RecordKind.INSTANCE}
    wait_until(lambda: len(hospital.agent.cases()) == len(taken), 40, "the keeper has not seen all")


def is_taken(hospital: Hospital, ds: Dataset) -> bool:
    """Whether a C-STORE was answered with success."""
    try:
        return hospital.send([ds]) == [0]
    except Transient:
        return False


def test_worker_that_dies_twice_on_a_case_ends_that_case_alone(quiet_hospital: Hospital) -> None:
    """A patient whose images kill the worker ends FAILED with the reason and its inputs; the others are answered."""
    fails_alone(quiet_hospital, deadly_agent.PATIENT_NUMBER, "tests.fakes.deadly_agent")
    deaths = [e for e in quiet_hospital.agent.log_lines() if e.get("event") == "process_died"]
    assert [(e["worker"], e["exit_code"]) for e in deaths] == [("worker-1", -signal.SIGKILL)] * 2


def test_worker_that_hangs_twice_on_a_case_ends_that_case_alone(quiet_hospital: Hospital) -> None:
    """The only worker never comes back from a codec, twice: it ends, is brought back, and answers the others."""
    fails_alone(quiet_hospital, hanging_agent.PATIENT_NUMBER, "tests.fakes.hanging_agent")
    deaths = [e for e in quiet_hospital.agent.log_lines() if e.get("event") == "process_died"]
    assert [(e["worker"], e["exit_code"]) for e in deaths] == [("worker-1", 1)] * 2
    log = quiet_hospital.agent.log()
    assert log.count("in decode_or_hang") == 2
    assert f"PH-{hanging_agent.PATIENT_NUMBER:04d}" not in log


def fails_alone(hospital: Hospital, number: int, program: str) -> None:
    """Send a patient on whom the worker of `program` ends, between two others, and see how each fares."""
    agent = hospital.agent
    agent.start(program)
    agent.wait_listening()
    bad = hospital.patient(number)
    images = views(bad, "L CC", "L MLO")
    for datasets in (
        views(hospital.patient(1), "L CC", "L MLO"),
        images,
        views(hospital.patient(2), "L CC", "L MLO"),
    ):
        assert set(hospital.send(datasets)) == {0}
    cases = hospital.wait_ended(3, seconds=60)
    assert Counter(c["state"] for c in cases) == {"done": 2, "failed": 1}
    (failed,) = (c for c in cases if c["state"] == "failed")
    assert failed["reason"] == "a worker died or stalled on this case twice"
    told = story(agent, failed["id"])
    uids = {str(ds.SOPInstanceUID) for ds in images}
    assert {i["sop_instance_uid"] for i in told["instances"]} == uids
    (given_up,) = (e for e in told["events"] if e["event"] == "gave_up")
    assert given_up["reason"].startswith(failed["reason"])
    assert all(uid in given_up["reason"] for uid in uids)
    assert bad.patient_id not in {str(ds.PatientID) for ds in hospital.results()}


def test_second_agent_on_the_same_spool_is_refused(hospital: Hospital) -> None:
    """A second `serve` on the same installation says so in one line, and the first goes on."""
    hospital.agent.override("dicom", port=free_port())
    done = hospital.agent.cli("serve", check=False)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith("storage.spool: another agent is running on this spool")
    assert "process_died" not in hospital.agent.log()


def test_children_die_with_the_supervisor(hospital: Hospital) -> None:
    """When the supervisor alone is killed, its processes end too: no half agent stays behind."""
    pids = hospital.agent.children().values()
    assert all(is_alive(pid) for pid in pids)
    hospital.agent.kill_supervisor()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), BUSY_S, "a child outlived the supervisor")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for is dead."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_report_no_estimate_can_be_switched_off(quiet_hospital: Hospital) -> None:
    """With `report_no_estimate: false` a patient without an estimate ends done, and nothing is sent."""
    quiet_hospital.agent.override("cases", report_no_estimate=False)
    quiet_hospital.agent.start()
    quiet_hospital.agent.wait_listening()
    quiet_hospital.send(views(quiet_hospital.patient(1, node_biopsy="positive")))
    (case,) = quiet_hospital.wait_ended()
    assert (case["state"], case["reason"]) == ("done", "nothing to send")
    assert quiet_hospital.archive.instances() == []


def test_the_agent_runs_on_postgresql(quiet_hospital: Hospital, postgres: PostgresServer) -> None:
    """The same patient, the same results, with the state in PostgreSQL."""
    quiet_hospital.agent.override("database", url=postgres.new_database())
    quiet_hospital.agent.migrate()
    quiet_hospital.agent.start()
    quiet_hospital.agent.wait_listening()
    quiet_hospital.send(views(quiet_hospital.patient(1), "L CC", "L MLO"))
    (case,) = quiet_hospital.wait_ended()
    assert case["state"] == "done"
    assert Counter(kinds(quiet_hospital.results())) == {"sr": 1, "text_sr": 1, "secondary_capture": 3}


def test_storage_commitment_confirms(quiet_hospital: Hospital) -> None:
    """With `confirm: commitment` the archive's event report, through our own listener, ends the case."""
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": quiet_hospital.archive.port}
    quiet_hospital.agent.override("destinations", [destination | {"confirm": "commitment"}])
    quiet_hospital.agent.start()
    quiet_hospital.agent.wait_listening()
    quiet_hospital.send(views(quiet_hospital.patient(1), "L CC", "L MLO"))
    (case,) = quiet_hospital.wait_ended()
    assert case["state"] == "done"
    assert "event_report_applied" in quiet_hospital.agent.log()


@pytest.mark.parametrize("called", ["SENTINODE", "SOMEBODY"])
def test_called_ae_title_is_checked(hospital: Hospital, called: str) -> None:
    """An association to another AE title is rejected; to ours, C-ECHO is answered."""
    client = PacsClient("MODALITY", called, "127.0.0.1", hospital.agent.port)
    if called == "SENTINODE":
        client.echo()
    else:
        with pytest.raises(Transient, match=r"(?i)reject|refus|recogni"):
            client.echo()


def test_orthanc_routes_and_gets_the_results(quiet_hospital: Hospital) -> None:
    """The same with a real PACS: Orthanc routes a study to the agent and finds the results afterwards."""
    if orthanc_binary() is None:
        pytest.skip("orthanc is not installed")
    agent = quiet_hospital.agent
    port = free_port()
    orthanc = Orthanc(quiet_hospital.folder / "orthanc", "PACS", port, {"SENTINODE": ("127.0.0.1", agent.port)})
    orthanc.start()
    try:
        destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}
        agent.override("destinations", [destination | {"confirm": "read_back"}])
        agent.start()
        agent.wait_listening()
        images = views(quiet_hospital.patient(1))
        orthanc.store([part10(ds) for ds in images])
        orthanc.route(str(images[0].StudyInstanceUID), "SENTINODE")
        (case,) = quiet_hospital.wait_ended()
        assert case["state"] == "done"
        assert len(orthanc.instances()) == len(images) + 5
    finally:
        orthanc.stop()
