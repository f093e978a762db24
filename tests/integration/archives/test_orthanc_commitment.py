"""Orthanc's storage commitment on real sockets: asked by the courier, reported to our receiver, read from the spool."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from agent.core.archive import Archive, OnReport
from agent.core.case import CaseState
from agent.core.ports import OutboxStatus, Store
from agent.core.result import Kind
from agent.dimse.client import PacsClient
from demo.orthanc import Orthanc
from demo.pacs_process import LOOPBACK, free_port
from tests.archives import AGENT, QUICK, client, forget
from tests.fakes.objects import dataset_bytes
from tests.harness import wait_until
from tests.integration.archives.conftest import Delivering, Listening, made
from tests.peers import program


@dataclass
class Place:
    """Orthanc, and the port where it expects our receiver."""

    orthanc: Orthanc
    port: int

    @property
    def archive(self) -> Archive:
        """Orthanc through the agent's client."""
        return client("ORTHANC", self.orthanc.port)

    def jobs(self) -> list[str]:
        """Return how its commitment reports ended, the newest last."""
        with urlopen(f"http://{LOOPBACK}:{self.orthanc.http_port}/jobs?expand", timeout=20) as answer:
            jobs = json.loads(answer.read())
        return [j["State"] for j in sorted(jobs, key=lambda j: j["CreationTime"]) if "Commitment" in j["Type"]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests."""
    program("Orthanc")
    port = free_port()
    orthanc = Orthanc(tmp_path_factory.mktemp("orthanc"), "ORTHANC", free_port(), {AGENT: (LOOPBACK, port)})
    orthanc.start()
    yield Place(orthanc, port)
    orthanc.kill()  # stopping in order takes it three seconds


class BeforeAsking(PacsClient):
    """An archive to which something happens right before it is asked for commitment the first time."""

    def __init__(self, port: int, happens: Callable[[], None]) -> None:
        super().__init__(AGENT, "ORTHANC", LOOPBACK, port, timeouts=QUICK)
        self.happens = happens
        self.asked = 0

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Let it happen, and ask."""
        self.asked += 1
        if self.asked == 1:
            self.happens()
        super().request_commitment(transaction_uid, instances, on_report)


def test_result_is_committed(store: Store, place: Place, tmp_path: Path) -> None:
    """One request, one report on an association of Orthanc's own, every object confirmed."""
    delivery = Delivering(store, place.archive, "commitment")
    objects = made("committed")
    case = delivery.queue(objects)
    with Listening(tmp_path / "spool", place.port, "ORTHANC") as spool:
        delivery.run(case, spool)
    assert delivery.state(case) is CaseState.DONE
    assert {i.status for i in delivery.items(case)} == {OutboxStatus.CONFIRMED}
    assert delivery.reports == 1
    for one in [one for one in objects if not one.instead_of]:
        assert dataset_bytes(place.orthanc.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)


def test_object_that_was_deleted_is_sent_again(store: Store, place: Place, tmp_path: Path) -> None:
    """Orthanc reports it as failed, it alone is stored again, and the second report confirms it."""
    objects = made("deleted")
    (lost,) = (o.sop_instance_uid for o in objects if o.kind is Kind.TEXT_SR)
    between: list[dict[str, OutboxStatus]] = []
    archive = BeforeAsking(place.orthanc.port, lambda: forget(place.orthanc, lost))
    delivery = Delivering(store, archive, "commitment")
    case = delivery.queue(objects)
    with Listening(tmp_path / "spool", place.port, "ORTHANC") as spool:
        delivery.courier.tick()
        with pytest.raises(KeyError):
            place.orthanc.fetch(lost)
        wait_until(lambda: delivery.apply(spool), 20, "no report")
        between.append({i.sop_instance_uid: i.status for i in delivery.items(case)})
        assert delivery.state(case) is CaseState.DELIVERING
        delivery.run(case, spool)
    (after_the_first,) = between
    assert after_the_first.pop(lost) is OutboxStatus.WAITING
    assert set(after_the_first.values()) == {OutboxStatus.CONFIRMED}
    assert delivery.state(case) is CaseState.DONE
    assert (archive.asked, delivery.reports) == (2, 2)
    assert place.orthanc.fetch(lost)


def test_report_that_found_nobody_is_asked_for_again(store: Store, place: Place, tmp_path: Path) -> None:
    """Our receiver is down when Orthanc reports: after our restart it is asked anew, and the case is done."""
    before = len(place.jobs())
    delivery = Delivering(store, place.archive, "commitment", commitment_within_s=0.5)
    case = delivery.queue(made("nobody"))
    delivery.courier.tick()
    wait_until(lambda: len(j := place.jobs()) > before and j[before] == "Failure", 20, "Orthanc did not try to report")
    assert delivery.state(case) is CaseState.DELIVERING
    delivery.restart()
    with Listening(tmp_path / "spool", place.port, "ORTHANC") as spool:
        delivery.run(case, spool)
    assert delivery.state(case) is CaseState.DONE
