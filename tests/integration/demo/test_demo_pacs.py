"""The demo's PACS, of both sorts: started, killed, started again, routing to the agent."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import Unreachable
from demo.archive import Archive
from demo.orthanc import Orthanc
from demo.own_archive import OwnArchive
from demo.pacs import Pacs, PacsError, start_pacs
from demo.pacs_process import free_port
from tests.archives import AGENT, client
from tests.fakes.objects import SECONDARY_CAPTURE, STUDY, dataset_bytes, one_result, part10
from tests.harness import wait_until
from tests.peers import program

OBJECTS = one_result(1)
PARTS = [o.encoded for o in OBJECTS]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Something that receives what is routed to the agent."""
    with Archive(AGENT, tmp_path_factory.mktemp("agent")) as receiver:
        yield receiver


@pytest.fixture(scope="module", params=["orthanc", "archive"])
def pacs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, agent: Archive) -> Iterator[Pacs]:
    """A running PACS of each sort, one for all tests."""
    if request.param == "orthanc":
        program("Orthanc")
    folder, down = tmp_path_factory.mktemp("pacs"), {"DOWN": ("127.0.0.1", free_port())}
    started = start_pacs(folder, "PACS", free_port(), (AGENT, agent.port), kind=request.param, peers=down)
    yield started
    started.kill()  # Orthanc takes three seconds to stop in order


def test_stored_study_is_routed_listed_and_fetched(pacs: Pacs, agent: Archive) -> None:
    """What is stored goes to the agent on request, unchanged, and only that study."""
    first = 300 if pacs.kind == "Orthanc" else 200
    objects = one_result(first, study=f"2.25.{first}")
    other = (SECONDARY_CAPTURE, f"2.25.77{first}", "2.25.1001", "2.25.2000")
    pacs.store([*[o.encoded for o in objects], part10(*other[:2], study=other[2], series=other[3])])
    pacs.route(f"2.25.{first}", AGENT)
    wanted = {(o.sop_class_uid, o.sop_instance_uid, o.study_instance_uid, o.series_instance_uid) for o in objects}
    assert wanted <= set(agent.instances())
    assert other not in agent.instances()
    assert {*wanted, other} <= set(pacs.instances())
    for one in objects:
        assert dataset_bytes(pacs.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)
        assert dataset_bytes(agent.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)


def test_stored_series_is_routed_alone(pacs: Pacs, agent: Archive) -> None:
    """A rule may route series by series, in any order."""
    first = 500 if pacs.kind == "Orthanc" else 600
    one, other, *_ = objects = one_result(first, study=f"2.25.{first}")
    pacs.store([o.encoded for o in objects])
    assert one.series_instance_uid != other.series_instance_uid
    pacs.route(one.series_instance_uid, AGENT)
    there = {instance[1] for instance in agent.instances()}
    assert one.sop_instance_uid in there
    assert other.sop_instance_uid not in there


def test_what_is_not_there_is_said(pacs: Pacs) -> None:
    """No such instance, no such study."""
    with pytest.raises(KeyError):
        pacs.fetch("1.2.3")
    with pytest.raises(OSError, match=r"no study or series 1\.2\.3"):
        pacs.route("1.2.3", AGENT)


def test_peer_that_is_not_up_is_an_os_error(pacs: Pacs) -> None:
    """The caller may try again."""
    pacs.store(PARTS[:1])
    with pytest.raises(OSError, match=r"500|no connection"):
        pacs.route(STUDY, "DOWN")


def test_kill_and_restart_keep_everything(pacs: Pacs) -> None:
    """As after a power cut."""
    pacs.store(PARTS)
    before = set(pacs.instances())
    pacs.kill()
    pacs.start()
    assert set(pacs.instances()) == before
    assert len(before) >= 4
    client("PACS", pacs.port).echo()


def test_process_left_behind_is_ended_by_the_next_run(pacs: Pacs) -> None:
    """A run whose parent was killed does not block the next."""
    left_behind = pacs.pid
    successor = type(pacs)(pacs.folder, "PACS", pacs.port, pacs.peers)
    successor.start()
    try:
        assert successor.pid != left_behind
        assert pacs._process is not None
        assert pacs._process.wait(5) == -9
        client("PACS", successor.port).echo()
    finally:
        successor.kill()
        pacs.start()


def test_pid_of_another_process_is_never_ended(tmp_path: Path) -> None:
    """A pid that was given to somebody else meanwhile is left alone."""
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "pid").write_text(str(bystander.pid))
        with OwnArchive(tmp_path, "ARCHIVE", free_port(), {}):
            assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_port_in_use_is_named(agent: Archive, tmp_path: Path) -> None:
    """One clear line."""
    with pytest.raises(PacsError, match=f"port {agent.port} on 127.0.0.1 is in use"):
        start_pacs(tmp_path / "pacs", "PACS", agent.port, (AGENT, 1), kind="archive")


class BrokenPacs(OwnArchive):
    """One that ends at once."""

    def _command(self) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.exit(3)"]


def test_pacs_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    """The message names the log, and nothing is left running."""
    pacs = BrokenPacs(tmp_path, "PACS", free_port(), {})
    with pytest.raises(PacsError, match=r"did not come up; see .*pacs\.log"):
        pacs.start()
    assert pacs.pid is None


class ImpatientPacs(OwnArchive):
    """One whose start is interrupted, as by Ctrl-C."""

    def _answers(self) -> bool:
        self.begun = self.pid
        raise KeyboardInterrupt


def test_pacs_whose_start_is_interrupted_is_ended(tmp_path: Path) -> None:
    """Nothing is left running."""
    pacs = ImpatientPacs(tmp_path, "PACS", free_port(), {})
    with pytest.raises(KeyboardInterrupt):
        pacs.start()
    assert pacs.pid is None
    assert not Path(f"/proc/{pacs.begun}").exists()


def test_stopped_pacs_is_gone(tmp_path: Path, agent: Archive) -> None:
    """Stopped in order, its port is free again and its pid file gone; stopping twice is harmless."""
    port = free_port()
    pacs = start_pacs(tmp_path / "pacs", "PACS", port, (AGENT, agent.port))
    pacs.stop()
    pacs.stop()
    assert not (tmp_path / "pacs" / "pid").exists()
    with pytest.raises(Unreachable):
        client("PACS", port).echo()


def test_orthanc_admits_only_its_peers(tmp_path: Path) -> None:
    """Its DICOM port cannot be bound to loopback, so nobody else may do anything."""
    program("Orthanc")
    orthanc = Orthanc(tmp_path, "PACS", free_port(), {"SOMEBODY": ("127.0.0.1", 1)})
    orthanc.start()
    try:
        said = wait_until(lambda: _answer(orthanc.port), 20, "Orthanc does not answer")
        assert "Calling AE title not recognised" in said
        assert orthanc.instances() == []
    finally:
        orthanc.kill()


def _answer(port: int) -> str:
    """Return why an echo was refused; empty where nobody answered, as before a busy machine's Orthanc listens."""
    with pytest.raises(Unreachable) as refused:
        client("PACS", port).echo()
    return "" if "no answer" in str(refused.value) else str(refused.value)


def test_archive_forwards_everything_to_whom_it_is_told(tmp_path: Path, agent: Archive) -> None:
    """Auto-routing, by which our own results come back to us."""
    peers = {AGENT: ("127.0.0.1", agent.port)}
    objects = one_result(400)
    wanted = {o.sop_instance_uid for o in objects}
    with OwnArchive(tmp_path / "pacs", "PACS", free_port(), peers, forward=[AGENT]) as pacs:
        pacs.store([o.encoded for o in objects])
        deadline = time.monotonic() + 20
        while not wanted <= set(agent.stores) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert wanted <= set(agent.stores)


def test_interrupt_of_the_terminal_does_not_reach_it(pacs: Pacs) -> None:
    """It stands in a session of its own, so Ctrl-C is the demo's to handle."""
    assert pacs.pid is not None
    assert os.getsid(pacs.pid) != os.getsid(0)
