"""The agent as a tree of processes: what dies comes back, what is wrong is not restarted into success."""

import os
import signal
import subprocess
from collections import Counter

import pytest

from agent.core.errors import Transient
from agent.dimse.client import PacsClient
from demo.pacs import Orthanc, free_port, orthanc_binary
from tests.acceptance.conftest import Hospital, kinds, part10, views
from tests.harness import wait_until
from tests.postgres import PostgresServer, postgres

__all__ = ["postgres"]


def children(hospital: Hospital) -> dict[str, int]:
    """Process ids by role, as the newest log lines tell them."""
    found = {}
    for line in hospital.agent.log_lines():
        if line.get("event") == "process_started":
            found[line["worker"]] = line["pid"]
    return found


def test_processes_that_are_killed_come_back(hospital: Hospital) -> None:
    """Receiver, keeper and worker are killed, each is started again, and the next patient is answered."""
    before = children(hospital)
    assert set(before) == {"receiver", "keeper", "worker-1"}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    after = wait_until(
        lambda: (now := children(hospital)) and not set(now.values()) & set(before.values()) and now, 20, "not all back"
    )
    assert set(after) == set(before)
    hospital.agent.wait_listening()
    hospital.send(views(hospital.patient(1), "L CC", "L MLO"))
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"


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
    pids = children(hospital).values()
    assert all(is_alive(pid) for pid in pids)
    hospital.agent.kill_supervisor()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 10, "a child outlived the supervisor")


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
    assert Counter(kinds(quiet_hospital.results())) == {"sr": 1, "text_sr": 1, "secondary_capture": 2}


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
        assert len(orthanc.instances()) == len(images) + 4
    finally:
        orthanc.stop()
