"""Spool, index, clinical database and judgement together, on every store."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from agent.assemble.complete import Assembler, AssembleSettings
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.core.case import Case, CaseState
from agent.core.clinical_json import facts_from_json
from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind, Store
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.ehr import EhrSource
from agent.record.quarantine import Quarantine
from agent.spool import SpoolReader, SpoolWriter
from tests.clock import Clock
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.hospital import QUERY, sqlite_hospital

ALICE = PatientKey("PHANTOM", "P-1")
QUIET, REFRESH, EPISODE = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=120)
SCOPES = [QuestionScope(question, frozenset({"MG"})) for question in ("aln",)]
IDENTITY = {"patient_id": "P-1", "issuer_of_patient_id": "PHANTOM", "recorded_date": "2026-11-01"}


class Plant:
    """The receiver's end of a spool, and everything between it and a ready case."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.clock, self.store = Clock(), store
        self.ehr = folder / "ehr.db"
        self.writer = SpoolWriter(
            folder / "spool", limit_bytes=1 << 26, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=self.clock
        )
        self.channel = self.writer.channel()
        self.indexer = Indexer(
            SpoolReader(folder / "spool"),
            store,
            SCOPES,
            IndexSettings(QUIET, EPISODE),
            reading=Reading(partial(read_header, site_issuer=None), to_part10, same_pixels),
            quarantine=Quarantine(folder / "quarantine"),
            on_event_report=lambda unit, record: None,
            now=self.clock,
            new_case_uuid=uuid4,
        )
        self.assembler = Assembler(
            store,
            EhrSource(sqlite_hospital(self.ehr), QUERY, timeout_s=5),
            AssembleSettings(Patience(QUIET, ("MG",)), EPISODE, REFRESH),
            now=self.clock,
            random=lambda: 0.5,
        )

    def associate(self, association_id: str, *names: str) -> None:
        """Write one association with its objects, as the receiver does."""
        opened = {"association_id": association_id, "calling_ae_title": "MAMMO1"}
        self.channel.append(RecordKind.ASSOCIATION_OPENED, opened, b"")
        for name in names:
            ds = mammogram(name)
            self.channel.append(RecordKind.INSTANCE, meta_of(ds, association_id=association_id), encode(ds))
        self.channel.append(RecordKind.ASSOCIATION_CLOSED, {"association_id": association_id}, b"")

    def tick(self, span: timedelta = QUIET) -> None:
        """Index, let time pass, and judge."""
        self.indexer.tick()
        self.clock.advance(span)
        self.assembler.tick()

    def case(self, question: str = "aln") -> Case:
        """The newest version of Alice's case."""
        with self.store.unit() as unit:
            found = unit.newest_case(question, ALICE)
        assert found is not None
        return found


@pytest.fixture
def plant(store: Store, tmp_path: Path) -> Iterator[Plant]:
    """Give a plant on an empty store."""
    made = Plant(store, tmp_path)
    yield made
    made.channel.close()
    made.writer.close()


def test_from_the_spool_to_a_ready_case(plant: Plant) -> None:
    """Images become one case a question, dormant until the hospital confirms a cancer, then ready with its facts."""
    plant.associate("run/1", "a", "b", "a")
    plant.tick()
    assert plant.case().state is CaseState.DORMANT
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L", "grade": 2})
    plant.tick(REFRESH)
    case = plant.case()
    assert case.state is CaseState.READY
    with plant.store.unit() as unit:
        found, stored = unit.findings(case.id), unit.instances(case.id)
    assert [one.instance.sop_instance_uid for one in stored] == [uid("a"), uid("b")]
    assert found["eligibility"]["axillae"] == [{"side": "L", "reason": ""}]
    assert facts_from_json(found).value("grade") == 2


def test_bytes_are_found_again_by_their_place(plant: Plant) -> None:
    """What a case holds leads back to the exact bytes received."""
    plant.associate("run/1", "a")
    plant.tick()
    case = plant.case()
    with plant.store.unit() as unit:
        (stored,) = unit.instances(case.id)
    reader = SpoolReader(plant.ehr.parent / "spool")
    assert reader.read(stored.ref).payload == encode(mammogram("a"))


def test_a_late_image_makes_the_next_version(plant: Plant) -> None:
    """After the answer began, an image opens version 2, which becomes ready with all images."""
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L"})
    plant.associate("run/1", "a")
    plant.tick()
    with plant.store.unit() as unit:
        claimed = unit.claim(plant.clock(), plant.clock() + QUIET * 9, "worker")
        also = unit.claim(plant.clock(), plant.clock() + QUIET * 9, "worker")
    assert claimed is not None and also is not None
    plant.associate("run/2", "b")
    plant.tick()
    second = plant.case()
    assert (second.version, second.state) == (2, CaseState.READY)
    assert second.case_uuid in {claimed.case_uuid, also.case_uuid}
    with plant.store.unit() as unit:
        assert len(unit.instances(second.id)) == 2
        assert unit.case(claimed.id).state is CaseState.RUNNING


def test_indexing_again_from_the_start_changes_nothing(plant: Plant) -> None:
    """A second indexer, as after a restart, finds the cursor where the first one left it."""
    plant.associate("run/1", "a", "b")
    assert plant.indexer.tick() == 4
    assert plant.indexer.tick() == 0
    before = plant.case().case_uuid
    plant.associate("run/2", "a")
    assert plant.indexer.tick() == 3
    assert plant.case().case_uuid == before and plant.case().version == 1
