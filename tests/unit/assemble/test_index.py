"""The keeper's first step: each record of the spool has one end, each image its patient's case."""

from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from agent.assemble.index import MOST_PER_TICK
from agent.assemble.judging import QuestionScope
from agent.core.case import CaseEvent, CaseState
from agent.core.errors import Transient
from agent.core.instance import End
from agent.core.ports import RecordKind
from agent.core.result import Kind, ResultObject
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.indexing import ALICE, QUIET, House

SR = "1.2.840.10008.5.1.4.1.1.88.33"


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


def test_bytes_that_come_again_are_read_from_where_they_came_last(house: House) -> None:
    """The first place may be recycled before the case is answered."""
    house.send(mammogram(), mammogram())
    house.indexer.tick()
    (stored,) = house.stored(house.cases()[0])
    assert stored.ref == house.arrivals()[1].ref


def test_what_no_model_uses_is_not_relevant(house: House) -> None:
    """Other modalities and views end with their reason and open nothing."""
    house.send(mammogram("ct", Modality="CT"), mammogram("ml", ViewPosition="ML"))
    house.indexer.tick()
    assert house.ends() == [End.NOT_RELEVANT] * 2
    ct, ml = (arrival.reason for arrival in house.arrivals())
    assert ct.startswith("not relevant: a CT") and "ML" in ml
    assert house.cases() == []


def test_without_a_question_nothing_is_relevant(tmp_path: Path) -> None:
    """An agent without active bundles stores, and opens nothing."""
    house = House(tmp_path, scopes=())
    house.send(mammogram())
    house.indexer.tick()
    assert [a.reason for a in house.arrivals()] == ["not relevant: no question is asked here"]


def test_a_question_that_facts_raise_takes_images_once_it_is_asked(tmp_path: Path) -> None:
    """No image opens a case about non-sentinel nodes; one that is open takes them, with one arrival."""
    scopes = tuple(QuestionScope(question, frozenset({"MG"})) for question in ("aln", "nsln"))
    house = House(tmp_path, scopes=scopes)
    house.send(mammogram())
    house.indexer.tick()
    assert [case.question for case in house.cases()] == ["aln"]
    with house.store.unit() as unit:
        asked = unit.open_case("nsln", ALICE, house.clock(), UUID(int=99))
    house.send(mammogram("2"))
    house.indexer.tick()
    assert house.uids(asked) == [uid("2")]
    assert [a.reason for a in house.arrivals()] == ["collected for aln, nsln"] * 2


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
