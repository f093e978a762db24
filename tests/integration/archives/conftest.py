"""A result as the agent makes it, its state, and what listens for commitment reports."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from agent.core.archive import Archive
from agent.core.case import Case, CaseState
from agent.core.instance import SpoolRef
from agent.core.ports import OutboxItem, OutboxStatus, RecordKind, Store
from agent.core.prediction import Answer, NoEstimate, Side
from agent.core.result import ResultObject
from agent.deliver.commitment import apply_event_report
from agent.deliver.courier import Courier
from agent.deliver.settings import DestinationSettings
from agent.dicom.uids import device_uid
from agent.receive import Peer, Receiver
from agent.report.compose import Composer, DeviceIdentity
from agent.spool import SpoolReader, SpoolWriter
from agent.state import SqlStore
from agent.state.migration import migrate
from tests import builders
from tests.archives import AGENT
from tests.delivery import delivering
from tests.receivers import SETTINGS

DEVICE = DeviceIdentity(device_uid(builders.INSTALLATION), "SENTINODE", "Sentinode", "Sentinode", "0001", "0.1.0")


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def made(study: str, name: str = "ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ") -> tuple[ResultObject, ...]:
    """Return the objects of a result on two mammograms: reports, a text, heatmaps and a summary."""
    images = [builders.source_image(builders.mammogram(s, "MLO", study=study, PatientName=name)) for s in "LR"]
    answers: list[Answer] = [builders.estimate("L"), NoEstimate(Side.R, "no facts")]
    case = UUID(int=sum(map(ord, study)))
    return Composer(DEVICE)(builders.result(answers, images, case_uuid=case), images)


@dataclass
class Delivering:
    """A case on its way to one archive, and the agent's parts that bring it there."""

    store: Store
    archive: Archive
    confirm: str = "read_back"
    commitment_within_s: float = 900
    reports: int = 0  # that came in and were applied
    _seen: set[SpoolRef] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Make the courier anew, as after a restart of the agent."""
        served = DestinationSettings(
            self.confirm,
            first_s=0.001,
            max_s=0.002,
            give_up_after_s=3600,
            commitment_within_s=self.commitment_within_s,
        )
        self.courier = Courier(self.store, {"pacs": self.archive}, {"pacs": served}, now, random.random)

    def queue(self, objects: Sequence[ResultObject]) -> Case:
        """Put the objects of a case into the outbox."""
        return delivering(self.store, {"pacs": objects}, at=now())

    def items(self, case: Case) -> list[OutboxItem]:
        """Return where its objects stand, without what stands in reserve for one that the archive takes."""
        with self.store.unit() as unit:
            return [item for item in unit.outbox_of(case.id) if item.status is not OutboxStatus.SPARE]

    def state(self, case: Case) -> CaseState:
        """Return where the case stands."""
        with self.store.unit() as unit:
            return unit.case(case.id).state

    def run(self, case: Case, spool: Path | None = None) -> None:
        """Let the courier and, given a spool, the keeper work until the case has ended."""
        deadline = time.monotonic() + 30
        while self.state(case) is CaseState.DELIVERING:
            assert time.monotonic() < deadline, [(i.role, i.status, i.error) for i in self.items(case)]
            if not self.courier.tick() and spool is not None and not self.apply(spool):
                time.sleep(0.02)

    def apply(self, spool: Path) -> int:
        """Apply the reports that are new in the spool."""
        applied = 0
        for record in SpoolReader(spool).after({}):
            if record.kind is RecordKind.EVENT_REPORT and record.ref not in self._seen:
                self._seen.add(record.ref)
                with self.store.unit() as unit:
                    apply_event_report(unit, record)
                applied += 1
        self.reports += applied
        return applied


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh SQLite state."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url, new_uuid=lambda: UUID(int=7))
    with closing(SqlStore(url)) as opened:
        yield opened


@dataclass
class Listening:
    """The agent's receiver with its spool; started and stopped by the test."""

    folder: Path
    port: int
    ae_title: str

    def __enter__(self) -> Path:
        self._spool = SpoolWriter(
            self.folder, limit_bytes=1 << 26, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=now
        )
        peers = (Peer(self.ae_title, "127.0.0.1", frozenset({"commit"})),)
        self._receiver = Receiver(replace(SETTINGS, ae_title=AGENT, port=self.port, peers=peers), self._spool)
        self._receiver.start()
        return self.folder

    def __exit__(self, *exc: object) -> None:
        self._receiver.stop(5)
        self._spool.close()
