import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from agent.assemble.index import MOST_PER_TICK, Indexer, IndexSettings, QuestionScope, Reading
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import StaleCase, Transient
from agent.core.instance import Arrival, End
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind, Unit
from agent.core.result import Kind, ResultObject
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.record.quarantine import Quarantine
from tests.clock import Clock
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.fakes.spool import FakeSpool
from tests.fakes.store import FakeStore, FakeUnit

QUIET, EPISODE = timedelta(seconds=60), timedelta(days=120)
ALICE = PatientKey("PHANTOM", "P-1")
SR = "1.2.840.10008.5.1.4.1.1.88.33"


@dataclass
class House:
    """A spool, a store and an indexer between them."""

    folder: Path
    scopes: tuple[QuestionScope, ...] = (QuestionScope("aln", frozenset({"clinical", "MG"})),)
    clock: Clock = field(default_factory=Clock)
    events: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)  # what the next event reports run into

    def __post_init__(self) -> None:
        self.spool, self.store = FakeSpool(self.clock), FakeStore()
        identities = count(1)
        self.indexer = Indexer(
            self.spool,
            self.store,
            self.scopes,
            IndexSettings(QUIET, EPISODE),
            reading=Reading(partial(read_header, site_issuer=None), to_part10),
            quarantine=Quarantine(self.folder),
            on_event_report=self._event,
            now=self.clock,
            new_case_uuid=lambda: UUID(int=next(identities)),
        )

    def _event(self, unit: Unit, record: Record) -> None:
        if self.trouble:
            raise self.trouble.pop()
        self.events.append(record.meta["event_type_id"])

    def send(self, *objects: Dataset, association_id: str = "run/1") -> None:
        """Spool objects, one association."""
        for ds in objects:
            self.spool.add(RecordKind.INSTANCE, meta_of(ds, association_id=association_id), encode(ds))

    def arrivals(self) -> list[Arrival]:
        """Every arrival, in order of the spool."""
        with self.store.unit() as unit:
            return list(unit.arrivals())

    def ends(self) -> list[End]:
        """What became of each arrival."""
        return [arrival.end for arrival in self.arrivals()]

    def cases(self) -> list[Case]:
        """Every version of every case."""
        return list(self.store.tables.cases.values())

    def move(self, *events: CaseEvent) -> Case:
        """Let the newest version live on."""
        case = self.cases()[-1]
        with self.store.unit() as unit:
            for event in events:
                lease = self.clock() if event is CaseEvent.CLAIMED else None
                case = unit.apply(case, event, self.clock(), due_at=lease)
        return case

    def uids(self, case: Case) -> list[str]:
        """What a version holds."""
        with self.store.unit() as unit:
            return [stored.instance.sop_instance_uid for stored in unit.instances(case.id)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Give an empty house."""
    return House(tmp_path / "quarantine")


def test_the_first_image_opens_a_case(house: House) -> None:
    """An image opens the case of its patient, due when the quiet period is over."""
    house.send(mammogram())
    assert house.indexer.tick() == 1
    (case,) = house.cases()
    assert (case.question, case.patient, case.state, case.version) == ("aln", ALICE, CaseState.COLLECTING, 1)
    assert case.due_at == house.clock() + QUIET
    (arrival,) = house.arrivals()
    assert (arrival.end, arrival.reason, arrival.association_id) == (End.COLLECTED, "collected for aln", "run/1")


def test_nothing_new_is_nothing_done(house: House) -> None:
    """A record is taken in once."""
    house.send(mammogram())
    assert [house.indexer.tick(), house.indexer.tick()] == [1, 0]
    assert house.ends() == [End.COLLECTED]


def test_images_of_one_patient_share_a_case_across_studies(house: House) -> None:
    """Studies and sides do not matter, the patient does; each image makes the case wait anew."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.clock.advance(seconds=30)
    house.send(mammogram("2", StudyInstanceUID=uid("other"), ImageLaterality="R"))
    house.indexer.tick()
    (case,) = house.cases()
    assert house.uids(case) == [uid("1"), uid("2")]
    assert case.due_at == house.clock() + QUIET


def test_patients_are_never_mixed(house: House) -> None:
    """The same Patient ID of two issuers is two patients; a name joins no one."""
    for n in range(20):
        house.send(
            mammogram(f"a{n}", PatientID=f"P-{n}", IssuerOfPatientID="ONE", PatientName="Same^Name"),
            mammogram(f"b{n}", PatientID=f"P-{n}", IssuerOfPatientID="TWO", PatientName="Same^Name"),
        )
    house.indexer.tick()
    assert len(house.cases()) == 40
    assert all(len(house.uids(case)) == 1 for case in house.cases())


def test_the_same_bytes_again_are_a_duplicate(house: House) -> None:
    """A hundred copies are one instance and wake nothing."""
    house.send(*[mammogram()] * 100)
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED] + [End.DUPLICATE] * 99
    (case,) = house.cases()
    assert house.uids(case) == [uid("1")]
    with house.store.unit() as unit:
        assert len(unit.history(case.id)) == 1


def test_other_bytes_under_a_known_uid_are_kept_out(house: House) -> None:
    """A conflict is copied out with its reason; the first object stays."""
    house.send(mammogram(), mammogram(PixelData=b"\7\0" * 4))
    house.indexer.tick()
    reason = "conflict: same SOP Instance UID, other content"
    assert [(a.end, a.reason) for a in house.arrivals()][1] == (End.QUARANTINED, reason)
    with house.store.unit() as unit:
        stored = unit.find_instance(uid("1"))
    assert stored is not None and stored.ref == house.arrivals()[0].ref
    (note,) = house.folder.glob("*.json")
    assert json.loads(note.read_text())["reason"] == reason
    assert note.with_suffix(".dcm").read_bytes().endswith(encode(mammogram(PixelData=b"\7\0" * 4)))


def unreadable(house: House, name: str) -> None:
    """Spool an object that ends too early."""
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram(name)), encode(mammogram(name))[:-3])


def test_nothing_is_copied_out_within_a_transaction(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a slow disk: while a copy is written another unit can begin; one copy for each object."""
    keep, copied = Quarantine.keep, []

    def watched(self: Quarantine, part10: bytes, sha256: str, reason: str, **about: Any) -> Path:
        with house.store.unit() as unit:
            assert all(arrival.reason != reason for arrival in unit.arrivals())
        copied.append(reason)
        return keep(self, part10, sha256, reason, **about)

    monkeypatch.setattr(Quarantine, "keep", watched)
    house.send(mammogram("1"))
    unreadable(house, "bad")
    house.send(mammogram("1", PixelData=b"\7\0" * 4), mammogram("2"))
    assert house.indexer.tick() == 4
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.QUARANTINED, End.COLLECTED]
    assert copied == [arrival.reason for arrival in house.arrivals()[1:3]]


def test_a_copy_that_cannot_be_made_is_made_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk stops the tick at the object, which has no end before it is copied out; nothing is lost."""
    house.send(mammogram("1"))
    unreadable(house, "bad")
    house.send(mammogram("2"))
    with monkeypatch.context() as patch:
        patch.setattr("agent.record.quarantine._write", full)
        with pytest.raises(Transient, match="quarantine folder"):
            house.indexer.tick()
    assert house.ends() == [End.COLLECTED]
    assert house.indexer.tick() == 2
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.COLLECTED]
    assert len(list(house.folder.glob("*.dcm"))) == 1


def test_a_death_between_copy_and_commit_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is there and its record is taken in again: one file, one end."""
    unreadable(house, "bad")
    arrived = FakeUnit.arrived

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeUnit, "arrived", killed)
    with pytest.raises(KeyboardInterrupt):
        house.indexer.tick()
    assert (house.ends(), len(list(house.folder.glob("*.json")))) == ([], 1)
    monkeypatch.setattr(FakeUnit, "arrived", arrived)
    assert house.indexer.tick() == 1
    assert (house.ends(), len(list(house.folder.glob("*")))) == ([End.QUARANTINED], 2)


def full(*_: object) -> None:
    """Be a disk without room."""
    raise OSError(28, "No space left on device")


def test_what_cannot_be_read_is_kept_out_and_the_rest_goes_on(house: House) -> None:
    """An undecodable object is quarantined as a file; its neighbours are collected."""
    meta = meta_of(mammogram("bad"))
    house.send(mammogram("1"))
    house.spool.add(RecordKind.INSTANCE, meta, encode(mammogram("bad"))[:-3])
    house.send(mammogram("2"))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.COLLECTED]
    assert house.arrivals()[1].reason.startswith("truncated: (7FE0,0010) claims 8 bytes")
    assert len(list(house.folder.glob("*.dcm"))) == 1


def test_what_no_model_uses_is_not_relevant(house: House) -> None:
    """Other modalities and views end with their reason and open nothing."""
    house.send(mammogram("ct", Modality="CT"), mammogram("ml", ViewPosition="ML"))
    house.indexer.tick()
    assert [(a.end, a.reason) for a in house.arrivals()] == [
        (End.NOT_RELEVANT, "not relevant: no active model uses CT"),
        (End.NOT_RELEVANT, "not relevant: the view is ML, only CC and MLO are used"),
    ]
    assert house.cases() == []


def test_without_a_question_nothing_is_relevant(tmp_path: Path) -> None:
    """An agent without active bundles stores, and opens nothing."""
    house = House(tmp_path, scopes=())
    house.send(mammogram())
    house.indexer.tick()
    assert [a.reason for a in house.arrivals()] == ["not relevant: no question is asked here"]


def test_two_questions_open_two_cases(tmp_path: Path) -> None:
    """An image that two questions use belongs to a case of each, with one arrival."""
    scopes = tuple(QuestionScope(question, frozenset({"MG"})) for question in ("aln", "nsln"))
    house = House(tmp_path, scopes=scopes)
    house.send(mammogram())
    house.indexer.tick()
    assert [case.question for case in house.cases()] == ["aln", "nsln"]
    assert all(house.uids(case) == [uid("1")] for case in house.cases())
    assert [a.reason for a in house.arrivals()] == ["collected for aln, nsln"]


def test_our_own_results_coming_back_start_nothing(house: House) -> None:
    """Objects whose UIDs were minted here are known, three rounds long, whatever a PACS did to them."""
    house.send(mammogram())
    house.indexer.tick()
    case = house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
    sent = mammogram("result", SOPClassUID=SR, Modality="SR")
    result = ResultObject(
        Kind.SR, "sr:L", "L", 1, SR, uid("result"), uid("study"), uid("series"), "1.2.840.10008.1.2.1", b""
    )
    with house.store.unit() as unit:
        unit.save_result(case, house.clock(), {}, {"pacs": [result]})
    for round_ in range(3):
        house.send(sent, mammogram("result", SOPClassUID=SR, PatientID=f"COERCED-{round_}", StudyInstanceUID=""))
        house.indexer.tick()
    assert house.ends()[1:] == [End.OWN] * 6
    assert [c.version for c in house.cases()] == [1]
    assert not house.folder.exists()


@pytest.mark.parametrize("modality", ["SR", "KO", "PR"])
def test_documents_of_others_never_open_a_version(house: House, modality: str) -> None:
    """A document about an answered patient changes nothing."""
    house.send(mammogram())
    house.indexer.tick()
    house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED)
    house.send(mammogram("document", Modality=modality))
    house.indexer.tick()
    assert house.ends()[1:] == [End.NOT_RELEVANT]
    assert len(house.cases()) == 1


@pytest.mark.parametrize(
    "life",
    [
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.GAVE_UP),
    ],
)
def test_a_late_image_opens_the_next_version(house: House, life: tuple[CaseEvent, ...]) -> None:
    """Once an answer is on its way its version is fixed: the next one holds the old images and the new one."""
    house.send(mammogram("1"))
    house.indexer.tick()
    before = house.move(*life)
    house.send(mammogram("2"))
    house.indexer.tick()
    first, second = house.cases()
    assert first == before and house.uids(first) == [uid("1")]
    assert (second.version, second.case_uuid, second.state) == (2, first.case_uuid, CaseState.COLLECTING)
    assert house.uids(second) == [uid("1"), uid("2")]


@pytest.mark.parametrize("event", [CaseEvent.COMPLETE, CaseEvent.NOT_ASKED])
def test_an_image_wakes_a_version_without_an_answer(house: House, event: CaseEvent) -> None:
    """A ready or dormant version collects again."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(event)
    house.send(mammogram("2"))
    house.indexer.tick()
    (case,) = house.cases()
    assert case.state is CaseState.COLLECTING and len(house.uids(case)) == 2


def test_an_image_does_not_free_a_held_case(house: House) -> None:
    """A case that a person must decide takes the image and stays held, however old it is."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.CONFLICT_FOUND)
    house.clock.advance(EPISODE * 2)
    house.send(mammogram("2"))
    house.indexer.tick()
    (case,) = house.cases()
    assert case.state is CaseState.HELD and len(house.uids(case)) == 2


def test_a_closed_case_takes_nothing(house: House) -> None:
    """After its case is closed a patient's image opens a new one."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.WITHDRAWN)
    house.send(mammogram("2"))
    house.indexer.tick()
    first, second = house.cases()
    assert first.case_uuid != second.case_uuid and second.version == 1
    assert house.uids(second) == [uid("2")]


def test_images_of_a_closed_case_begin_a_new_one(house: House) -> None:
    """A woman without a diagnosis expired; after it her images are routed here again, and the question is asked."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.NOT_ASKED, CaseEvent.EXPIRED)
    house.clock.advance(EPISODE)
    house.send(mammogram("1"), mammogram("1"))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.COLLECTED, End.DUPLICATE]
    first, second = house.cases()
    assert (first.state, second.state, second.version) == (CaseState.CLOSED, CaseState.COLLECTING, 1)
    assert first.case_uuid != second.case_uuid and house.uids(second) == [uid("1")]
    with house.store.unit() as unit:
        (stored,) = unit.instances(second.id)
    assert (stored.ref, stored.received_at) == (house.arrivals()[1].ref, house.clock())


def test_other_bytes_under_the_uid_of_a_closed_case_are_kept_out(house: House) -> None:
    """What a UID stands for does not change because nobody asks about it any more."""
    house.send(mammogram())
    house.indexer.tick()
    house.move(CaseEvent.WITHDRAWN)
    house.send(mammogram(PixelData=b"\7\0" * 4))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.QUARANTINED]
    assert len(house.cases()) == 1


@pytest.mark.parametrize(
    "life",
    [
        (),
        (CaseEvent.NOT_ASKED,),
        (CaseEvent.CONFLICT_FOUND,),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED),
    ],
)
def test_an_image_of_a_case_that_is_not_closed_changes_nothing_again(house: House, life: tuple[CaseEvent, ...]) -> None:
    """Auto-routing repeats itself: an open, dormant, held or answered case is neither woken nor followed by another."""
    house.send(mammogram())
    house.indexer.tick()
    before = house.move(*life)
    house.send(mammogram())
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.DUPLICATE]
    assert house.cases() == [before]


@pytest.mark.parametrize(("later", "cases"), [(EPISODE, 1), (EPISODE + timedelta(seconds=1), 2)])
def test_an_episode_ends(house: House, later: timedelta, cases: int) -> None:
    """Images further apart than an episode belong to different cases."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED)
    house.clock.advance(later)
    house.send(mammogram("2"))
    house.indexer.tick()
    assert len({case.case_uuid for case in house.cases()}) == cases


def test_associations_hold_their_patients_case(house: House) -> None:
    """An association that brought an image is open until its end, or the receiver's, is read."""
    house.spool.add(RecordKind.ASSOCIATION_OPENED, {"association_id": "run/1", "calling_ae_title": "MAMMO1"})
    house.send(mammogram())
    house.indexer.tick()
    (case,) = house.cases()

    def is_open() -> bool:
        house.indexer.tick()
        with house.store.unit() as unit:
            return unit.has_open_association(case.id)

    assert is_open()
    house.spool.add(RecordKind.ASSOCIATION_CLOSED, {"association_id": "run/1"})
    assert not is_open()
    house.spool.add(RecordKind.ASSOCIATION_OPENED, {"association_id": "run/2", "calling_ae_title": "MAMMO1"})
    house.send(mammogram("2"), association_id="run/2")
    assert is_open()
    house.spool.add(RecordKind.RECEIVER_STARTED, {})
    assert not is_open()


def test_an_association_that_rolled_over_does_not_hold_its_case_for_ever(house: House) -> None:
    """Its end, in a second segment, may be shown before its beginning in the first."""
    house.spool.add(RecordKind.ASSOCIATION_CLOSED, {"association_id": "run/1"}, segment=2)
    house.indexer.tick()
    house.spool.add(RecordKind.ASSOCIATION_OPENED, {"association_id": "run/1", "calling_ae_title": "MAMMO1"})
    house.send(mammogram())
    house.indexer.tick()
    (case,) = house.cases()
    with house.store.unit() as unit:
        assert not unit.has_open_association(case.id)


def test_event_reports_are_handed_on_and_other_kinds_passed(house: House) -> None:
    """A storage commitment result goes to its reader within the transaction; HL7 waits for a later version."""
    house.spool.add(RecordKind.EVENT_REPORT, {"event_type_id": "1"}, b"dataset")
    house.spool.add(RecordKind.HL7, {}, b"MSH|")
    assert [house.indexer.tick(), house.indexer.tick()] == [2, 0]
    assert house.events == ["1"] and house.arrivals() == []


def test_a_tick_has_an_end(house: House) -> None:
    """A long spool is taken in over several ticks, in order."""
    for _ in range(MOST_PER_TICK + 10):
        house.spool.add(RecordKind.HL7, {})
    assert [house.indexer.tick(), house.indexer.tick(), house.indexer.tick()] == [MOST_PER_TICK, 10, 0]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_batch_commits_whole_or_not_at_all(house: House, place: int) -> None:
    """Wherever in a batch the database goes away, nothing of it stays, and the next tick takes all of it in."""
    objects = [mammogram("1"), mammogram("2"), mammogram("ct", Modality="CT")]
    house.send(*objects[:place])
    house.spool.add(RecordKind.EVENT_REPORT, {"event_type_id": "1"})
    house.send(*objects[place:])
    house.trouble = [Transient("the database is away")]
    with pytest.raises(Transient):
        house.indexer.tick()
    assert house.cases() == [] and house.arrivals() == []
    assert house.indexer.tick() == 4
    assert house.ends() == [End.COLLECTED] * 2 + [End.NOT_RELEVANT]
    assert len(house.uids(house.cases()[0])) == 2


def test_a_case_that_moved_on_is_taken_in_again(house: House) -> None:
    """A worker that claims the case meanwhile costs one tick, no image."""
    house.send(mammogram())
    house.spool.add(RecordKind.EVENT_REPORT, {"event_type_id": "1"})
    house.trouble = [StaleCase("moved on")]
    assert house.indexer.tick() == 0
    assert house.arrivals() == []
    assert house.indexer.tick() == 2
    assert house.ends() == [End.COLLECTED]


MIX: Mapping[str, Callable[[], Dataset]] = {
    "image": lambda: mammogram("1"),
    "second": lambda: mammogram("2", ViewPosition="MLO"),
    "changed": lambda: mammogram("1", PixelData=b"\7\0" * 4),
    "stranger": lambda: mammogram("3", PatientID="P-2"),
    "ct": lambda: mammogram("4", Modality="CT"),
    "nameless": lambda: mammogram("5", PatientID=""),
}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(sorted(MIX)), max_size=12), st.lists(st.integers(1, 12), max_size=4))
def test_every_arrival_has_one_end_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], pauses: list[int]
) -> None:
    """Whatever comes in whatever order and however ticks fall, every record ends once, with a reason."""
    house = House(tmp_path_factory.mktemp("quarantine"))
    for n, name in enumerate(names):
        house.send(MIX[name]())
        if n in pauses:
            house.indexer.tick()
    house.indexer.tick()
    arrivals = house.arrivals()
    assert len(arrivals) == len(names) and all(arrival.reason for arrival in arrivals)
    collected = [a.sop_instance_uid for a in arrivals if a.end is End.COLLECTED]
    assert len(collected) == len(set(collected))
    assert sorted(collected) == sorted(u for case in house.cases() for u in house.uids(case))
    wanted = {uid("1"), uid("2"), uid("3")} & {str(MIX[name]().SOPInstanceUID) for name in names}
    assert set(collected) == wanted


def test_reasons_and_files_hold_no_patient_data(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither arrivals, notes, file names nor logs repeat what an object says of its patient."""
    canary = {"PatientID": "CANARY-ID", "PatientName": "CANARY^NAME", "PatientBirthDate": "19700229"}
    house.send(mammogram("1", **canary), mammogram("1", **canary, Rows=3), mammogram("2", **canary, Modality="CT"))
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram("3")), encode(mammogram("3", **canary))[:-1])
    house.indexer.tick()
    notes = [path.name + path.read_text() for path in house.folder.glob("*.json")]
    said = "".join([*(a.reason for a in house.arrivals()), *notes, *capsys.readouterr()])
    assert len(notes) == 2
    assert "CANARY" not in said and "19700229" not in said
