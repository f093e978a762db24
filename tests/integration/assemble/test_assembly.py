"""Spool, index, clinical database and judgement together, on every store."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from sqlite3 import connect
from uuid import uuid4

import pytest

from agent.assemble.complete import Assembler
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.settings import AssembleSettings
from agent.core.case import UNCHANGED, Case, CaseEvent, CaseState
from agent.core.clinical_json import facts_from_json
from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus, RecordKind, Store
from agent.core.prediction import Side
from agent.core.usable import unusable
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.ehr import EhrSource
from agent.infer.question import read_findings
from agent.record.quarantine import Quarantine
from agent.spool import SpoolReader, SpoolWriter
from tests.clock import Clock
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.hospital import QUERY, sqlite_hospital
from tests.state_stores import result_object

ALICE = PatientKey("PHANTOM", "P-1")
QUIET, REFRESH, EPISODE = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=120)
SCOPES = [QuestionScope(question, frozenset({"MG"})) for question in ("aln", "nsln")]
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
            quarantine=Quarantine(folder / "quarantine", 1 << 30),
            on_event_report=lambda unit, record: None,
            now=self.clock,
            new_case_uuid=uuid4,
        )
        self.assembler = Assembler(
            store,
            EhrSource(sqlite_hospital(self.ehr), QUERY, timeout_s=5),
            AssembleSettings(Patience(QUIET, ("MG",)), EPISODE, REFRESH, scopes=tuple(SCOPES)),
            now=self.clock,
            random=lambda: 0.5,
            new_case_uuid=uuid4,
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

    def answer(self) -> None:
        """Let a worker answer what is ready, and the PACS take it."""
        with self.store.unit() as unit:
            case = unit.claim(self.clock(), self.clock() + QUIET * 9, "worker")
            assert case is not None
            case = unit.save_result(case, self.clock(), {}, {"pacs": [result_object(f"2.25.{case.id}")]})
            for item in unit.outbox_of(case.id):
                unit.settle(item, OutboxStatus.CONFIRMED, self.clock())
            unit.apply(case, CaseEvent.ALL_CONFIRMED, self.clock())


@pytest.fixture
def plant(store: Store, tmp_path: Path) -> Iterator[Plant]:
    """Give a plant on an empty store."""
    made = Plant(store, tmp_path)
    yield made
    made.channel.close()
    made.writer.close()


def test_from_the_spool_to_a_ready_case(plant: Plant) -> None:
    """Images become a case, dormant until the hospital confirms a cancer, then ready with its facts."""
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


SURGERY = {
    "axillary_surgery_date": "2026-11-19",
    "sentinel_positive": 1,
    "sentinel_positive_date": "2026-11-19",
    "grade": 3,
    "grade_date": "2026-11-19",
    "size_ultrasound_mm": 12,
    "size_ultrasound_mm_date": "2026-12-01",
}


def test_no_future_fact_and_no_image_of_after_surgery_reaches_an_answer(plant: Plant) -> None:
    """What surgery found asks its own question, and is left out of the one before; tomorrow is of neither."""
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L", **SURGERY})
    plant.associate("run/1", "before")
    after = mammogram("after", AcquisitionDate="20261119")
    plant.channel.append(RecordKind.INSTANCE, meta_of(after, association_id="run/1"), encode(after))
    plant.tick()
    plant.tick()
    for question, known in (("aln", set()), ("nsln", {"sentinel_positive", "grade"})):
        case = plant.case(question)
        assert case.state is CaseState.READY
        with plant.store.unit() as unit:
            asked, stored = read_findings(unit.findings(case.id)), unit.instances(case.id)
        assert asked.open_sides == (Side.L,)
        assert asked.facts.facts.keys() & {"sentinel_positive", "grade", "size_ultrasound_mm"} == known
        reasons = [unusable(one.instance, asked.open_sides, asked.window) for one in stored]
        assert reasons == ["", "not taken before surgery or treatment began"]


def test_an_answer_is_taken_back_and_asked_again(plant: Plant) -> None:
    """On every store: the diagnosis is withdrawn, then given back; each time one version says so."""
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L"})
    plant.associate("run/1", "a")
    plant.tick()
    for diagnosis in ("benign", "invasive"):
        plant.answer()
        with closing(connect(plant.ehr)) as db, db:
            db.execute("UPDATE clinical_facts SET diagnosis = ?", [diagnosis])
        plant.tick(REFRESH)
        plant.tick()
    plant.answer()
    plant.tick(REFRESH)
    case = plant.case()
    assert (case.version, case.state) == (3, CaseState.DONE)


def test_an_image_that_changes_nothing_closes_its_version(plant: Plant) -> None:
    """On every store: it is kept, said nothing of, and held by the version after it."""
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L"})
    plant.associate("run/1", "a")
    plant.tick()
    plant.answer()
    other = mammogram("right", ImageLaterality="R")
    plant.channel.append(RecordKind.INSTANCE, meta_of(other, association_id="run/2"), encode(other))
    plant.tick()
    case = plant.case()
    assert (case.version, case.state, case.reason) == (2, CaseState.CLOSED, UNCHANGED)
    plant.associate("run/3", "b")
    plant.tick()
    case = plant.case()
    assert (case.version, case.state) == (3, CaseState.READY)
    with plant.store.unit() as unit:
        assert len(unit.instances(case.id)) == 3


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
    """After the answer began, an image opens version 2, which becomes ready once that answer is there."""
    sqlite_hospital(plant.ehr, {**IDENTITY, "diagnosis": "invasive", "side": "L"})
    plant.associate("run/1", "a")
    plant.tick()
    with plant.store.unit() as unit:
        claimed = unit.claim(plant.clock(), plant.clock() + QUIET * 9, "worker")
    assert claimed is not None
    plant.associate("run/2", "b")
    plant.tick()
    assert (plant.case().version, plant.case().state) == (2, CaseState.COLLECTING)
    with plant.store.unit() as unit:
        unit.apply(claimed, CaseEvent.RELEASED, plant.clock())
    plant.answer()
    plant.tick()
    second = plant.case()
    assert (second.version, second.state, second.case_uuid) == (2, CaseState.READY, claimed.case_uuid)
    with plant.store.unit() as unit:
        assert len(unit.instances(second.id)) == 2
        assert unit.case(claimed.id).state is CaseState.DONE


def test_indexing_again_from_the_start_changes_nothing(plant: Plant) -> None:
    """A second indexer, as after a restart, finds the cursor where the first one left it."""
    plant.associate("run/1", "a", "b")
    assert plant.indexer.tick() == 4
    assert plant.indexer.tick() == 0
    before = plant.case().case_uuid
    plant.associate("run/2", "a")
    assert plant.indexer.tick() == 3
    assert plant.case().case_uuid == before and plant.case().version == 1
