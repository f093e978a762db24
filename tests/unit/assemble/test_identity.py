"""The firewall around identity: contradictions hold a case, merges re-key it, and a person decides."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from agent.core.adt import PatientNews
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import ConflictKind, Ruling
from agent.core.demographics import Demographics
from agent.core.errors import Permanent
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind, ResultObject
from tests.fakes.instances import RECEIVED, mammogram, uid
from tests.indexing import House

JANE = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "PatientSex": "F"}
BORN_LATER = {**JANE, "PatientBirthDate": "19810203"}
OTHER_ID = {"PatientID": "P-2"}


def key(patient_id: str) -> PatientKey:
    """A patient of the phantom's issuer."""
    return PatientKey("PHANTOM", patient_id)


def merge(retired: str, surviving: str, minutes: int = 0, event: str = "A40") -> PatientNews:
    """A message that one Patient ID is another's now."""
    sent_at = RECEIVED + timedelta(minutes=minutes)
    return PatientNews(f"M{minutes}", event, sent_at, key(surviving), key(retired))


def answered(house: House) -> None:
    """Let the newest version be answered and delivered."""
    life = (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED)
    house.move(*life)


def kinds(house: House, patient_id: str) -> list[ConflictKind]:
    """What a patient's case is held for."""
    case = house.heads()[patient_id]
    with house.store.unit() as unit:
        return [conflict.kind for conflict in unit.conflicts(case.id)]


# ── contradicting demographics under one key ──


@pytest.mark.parametrize("other", [BORN_LATER, {**JANE, "PatientSex": "M"}, {**JANE, "PatientName": "Smith^Anna"}])
@pytest.mark.parametrize("is_first", [True, False])
def test_two_persons_under_one_key_hold_the_case(house: House, other: dict[str, str], is_first: bool) -> None:
    """Another birth date, sex or name under one Patient ID: a person must look, whichever came first."""
    images = [mammogram("1", **JANE), mammogram("2", StudyInstanceUID=uid("other"), **other)]
    house.send(*(images if is_first else images[::-1]))
    house.indexer.tick()
    (case,) = house.cases()
    assert case.state is CaseState.HELD
    assert kinds(house, "P-1") == [ConflictKind.DEMOGRAPHICS]
    assert "differ" in case.reason and "Doe" not in case.reason


def test_a_tolerable_difference_holds_nothing(house: House) -> None:
    """Case, padding and a typing error in the name alone are one person's."""
    house.send(mammogram("1", **JANE), mammogram("2", **{**JANE, "PatientName": "DOE^JANE^"}))
    house.send(mammogram("3", **{**JANE, "PatientName": "Doe^Janne"}))
    house.indexer.tick()
    assert [case.state for case in house.cases()] == [CaseState.COLLECTING]


def test_former_names_that_the_hospital_knows_hold_nothing(house: House) -> None:
    """A name that changed by marriage is no contradiction once an HL7 message gives both."""
    house.send(mammogram("1", **JANE), mammogram("2", **{**JANE, "PatientName": "Smith^Jane"}))
    house.indexer.tick()
    assert house.cases()[0].state is CaseState.HELD
    told = Demographics("Smith^Jane", date(1970, 1, 1), "F")
    house.tell(PatientNews("1", "A08", RECEIVED, key("P-1"), demographics=told, other_names=("Doe^Jane",)))
    house.indexer.tick()
    assert house.cases()[0].state is CaseState.COLLECTING


def test_a_message_that_contradicts_an_image_holds_the_case(house: House) -> None:
    """The hospital's birth date is another than the image's: a person must look."""
    house.tell(PatientNews("1", "A31", RECEIVED, key("P-1"), demographics=Demographics("", date(1955, 5, 5), "F")))
    house.send(mammogram("1", **JANE))
    house.indexer.tick()
    assert kinds(house, "P-1") == [ConflictKind.DEMOGRAPHICS]


def test_merging_demographics_frees_the_case_for_good(house: House) -> None:
    """Once a person said that they are one, images of both go in."""
    house.send(mammogram("1", **JANE), mammogram("2", **BORN_LATER))
    house.indexer.tick()
    assert house.rule(Ruling.MERGE).state is CaseState.COLLECTING
    house.send(mammogram("3", **JANE), mammogram("4", **BORN_LATER))
    house.indexer.tick()
    (case,) = house.cases()
    assert case.state is CaseState.COLLECTING and len(house.uids(case)) == 4


def test_splitting_gives_the_other_person_a_case_apart(house: House) -> None:
    """What was split off, and whatever comes of it later, is never among the patient's images again."""
    house.send(mammogram("1", **JANE))
    house.clock.advance(seconds=1)
    house.send(mammogram("2", **BORN_LATER))
    house.indexer.tick()
    house.rule(Ruling.SPLIT)
    house.send(mammogram("3", **BORN_LATER), mammogram("4", **JANE))
    house.indexer.tick()
    heads = house.heads()
    assert house.uids(heads["P-1"]) == [uid("1"), uid("4")]
    assert house.uids(heads["SPLIT P-1"]) == [uid("2"), uid("3")]
    assert {case.state for case in heads.values()} == {CaseState.COLLECTING}


def test_dropping_leaves_the_other_person_out(house: House) -> None:
    """What was dropped stays with the case, says why, and so does what comes later."""
    house.send(mammogram("1", **JANE))
    house.clock.advance(seconds=1)
    house.send(mammogram("2", **BORN_LATER))
    house.indexer.tick()
    house.rule(Ruling.DROP)
    house.send(mammogram("3", **BORN_LATER))
    house.indexer.tick()
    (case,) = house.cases()
    barred = {one.instance.sop_instance_uid: bool(one.instance.barred) for one in house.stored(case)}
    assert barred == {uid("1"): False, uid("2"): True, uid("3"): True}
    assert case.state is CaseState.COLLECTING


# ── two Patient IDs in one study ──


def test_two_patient_ids_in_one_study_hold_both(house: House) -> None:
    """Neither patient is answered about before a person looked."""
    house.send(mammogram("1"), mammogram("2", **OTHER_ID))
    house.indexer.tick()
    assert {name: case.state for name, case in house.heads().items()} == dict.fromkeys(["P-1", "P-2"], CaseState.HELD)
    assert kinds(house, "P-1") == kinds(house, "P-2") == [ConflictKind.SHARED_STUDY]


def test_a_merge_message_ends_that_by_itself(house: House) -> None:
    """When the hospital says that both are one, nobody needs to decide any more."""
    house.send(mammogram("1"), mammogram("2", **OTHER_ID))
    house.tell(merge("P-2", "P-1"))
    house.indexer.tick()
    heads = house.heads()
    assert list(heads) == ["P-1"]
    assert heads["P-1"].state is CaseState.COLLECTING and len(house.uids(heads["P-1"])) == 2


def test_a_person_merges_splits_or_drops(house: House) -> None:
    """Merged they are one case, split two, dropped the other's images are left out."""
    house.send(mammogram("1"), mammogram("2", **OTHER_ID))
    house.indexer.tick()
    house.rule(Ruling.MERGE, house.heads()["P-1"])
    assert {name: len(house.uids(case)) for name, case in house.heads().items()} == {"P-1": 2}
    house.send(mammogram("3", StudyInstanceUID=uid("s2")), mammogram("4", PatientID="P-3", StudyInstanceUID=uid("s2")))
    house.indexer.tick()
    house.rule(Ruling.SPLIT, house.heads()["P-3"])
    assert {name: len(house.uids(case)) for name, case in house.heads().items()} == {"P-1": 3, "P-3": 1}
    assert {case.state for case in house.heads().values()} == {CaseState.COLLECTING}
    house.send(mammogram("5", StudyInstanceUID=uid("s3")), mammogram("6", PatientID="P-4", StudyInstanceUID=uid("s3")))
    house.indexer.tick()
    house.rule(Ruling.DROP, house.heads()["P-1"])
    (dropped,) = house.stored(house.heads()["P-4"])
    assert dropped.instance.barred and house.heads()["P-1"].state is CaseState.COLLECTING


# ── merges at any moment ──


@pytest.mark.parametrize(
    "life",
    [
        (),
        (CaseEvent.NOT_ASKED,),
        (CaseEvent.COMPLETE,),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED),
        (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.GAVE_UP),
        (CaseEvent.CONFLICT_FOUND,),
    ],
)
@pytest.mark.parametrize("event", ["A40", "A47"])
def test_a_merge_rekeys_a_case_at_any_moment(house: House, life: tuple[CaseEvent, ...], event: str) -> None:
    """Whatever the case was doing, it goes on under the surviving ID; nothing of it leaves under the retired one."""
    house.send(mammogram("1"))
    house.indexer.tick()
    before = house.move(*life)
    house.tell(merge("P-1", "P-9", event=event))
    house.indexer.tick()
    heads = house.heads()
    assert list(heads) == ["P-9"]
    assert (heads["P-9"].case_uuid, house.uids(heads["P-9"])) == (before.case_uuid, [uid("1")])
    expected = CaseState.HELD if life == (CaseEvent.CONFLICT_FOUND,) else CaseState.COLLECTING
    assert heads["P-9"].state is expected
    retired = [case for case in house.cases() if case.patient == key("P-1")]
    assert all(case.state in (CaseState.CLOSED, CaseState.DONE, CaseState.FAILED) for case in retired)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_images_and_merges_does_not_matter(house: House, order: tuple[int, ...]) -> None:
    """Two patients' images and a chain of two merges end as one case of the last key, in each order, repeated too."""
    acts = [
        lambda: house.send(mammogram("1", StudyInstanceUID=uid("s1"))),
        lambda: house.send(mammogram("2", StudyInstanceUID=uid("s2"), **OTHER_ID)),
        lambda: house.tell(merge("P-1", "P-2")),
        lambda: house.tell(merge("P-2", "P-3", 1)),
    ]
    for n in (*order, *order):
        acts[n]()
        house.indexer.tick()
    heads = house.heads()
    assert list(heads) == ["P-3"]
    assert sorted(house.uids(heads["P-3"])) == sorted([uid("1"), uid("2")])
    assert heads["P-3"].state is CaseState.COLLECTING


def test_an_answered_case_that_was_merged_away_is_superseded(house: House) -> None:
    """Both patients were answered: the survivor's next version holds both, and the other case is part of it."""
    house.send(mammogram("1", StudyInstanceUID=uid("s1")))
    house.indexer.tick()
    answered(house)
    house.send(mammogram("2", StudyInstanceUID=uid("s2"), **OTHER_ID))
    house.indexer.tick()
    answered(house)
    house.tell(merge("P-2", "P-1"))
    house.indexer.tick()
    heads = house.heads()
    assert list(heads) == ["P-1"]
    assert (heads["P-1"].version, len(house.uids(heads["P-1"]))) == (2, 2)


def test_news_wakes_the_patients_cases(house: House) -> None:
    """A message about a dormant patient makes the case due at once."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.NOT_ASKED)
    house.tell(PatientNews("1", "A08", RECEIVED, key("P-1")))
    house.indexer.tick()
    assert house.cases()[0].due_at == house.clock()


# ── corrections ──


def test_the_same_object_in_another_encoding_is_a_duplicate(house: House) -> None:
    """Implicit VR of the same attributes and pixels is the same object."""
    house.send(mammogram("1", **JANE))
    house.send_as("1.2.840.10008.1.2", mammogram("1", **JANE))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.DUPLICATE]
    assert house.cases()[0].state is CaseState.COLLECTING


def test_changed_attributes_hold_the_case_until_a_person_confirms(house: House) -> None:
    """A corrected side: held; accepted, the later object counts, and the earlier one is a duplicate for ever."""
    house.send(mammogram("1"), mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.CORRECTION]
    assert kinds(house, "P-1") == [ConflictKind.CORRECTION]
    assert house.rule(Ruling.ACCEPT).state is CaseState.COLLECTING
    house.send(mammogram("1"), mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    assert house.ends()[2:] == [End.DUPLICATE, End.DUPLICATE]
    (stored,) = house.stored(house.cases()[0])
    assert (stored.instance.laterality, stored.ref) == ("R", house.arrivals()[3].ref)


def test_a_dropped_correction_changes_nothing(house: House) -> None:
    """The earlier object stays, and the later one does not hold the case again."""
    house.send(mammogram("1"), mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    house.rule(Ruling.DROP)
    house.send(mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    (case,) = house.cases()
    assert [one.instance.laterality for one in house.stored(case)] == ["L"]
    assert case.state is CaseState.COLLECTING


@pytest.mark.parametrize("is_first", [True, False])
def test_a_corrected_patient_id_moves_the_image(house: House, is_first: bool) -> None:
    """Both patients are held; accepted, the image is the other patient's, and the first case has nothing left."""
    images = [mammogram("1"), mammogram("1", **OTHER_ID)]
    house.send(*(images if is_first else images[::-1]))
    house.indexer.tick()
    assert {name: case.state for name, case in house.heads().items()} == dict.fromkeys(["P-1", "P-2"], CaseState.HELD)
    house.rule(Ruling.ACCEPT)
    late = "P-2" if is_first else "P-1"
    assert {name: (case.state, house.uids(case)) for name, case in house.heads().items()} == {
        late: (CaseState.COLLECTING, [uid("1")])
    }


def test_other_pixels_are_a_conflict(house: House) -> None:
    """They are kept apart as a file, and a person says which object counts."""
    house.send(mammogram("1"), mammogram("1", PixelData=b"\7\0" * 4))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.QUARANTINED]
    assert kinds(house, "P-1") == [ConflictKind.PIXELS]
    assert len(list(house.folder.glob("*.dcm"))) == 1
    assert house.rule(Ruling.ACCEPT).state is CaseState.COLLECTING
    assert house.stored(house.cases()[0])[0].ref == house.arrivals()[1].ref


def test_a_correction_after_the_answer_holds_the_next_version(house: House) -> None:
    """What was delivered stands; the next version waits for the person."""
    house.send(mammogram("1"))
    house.indexer.tick()
    answered(house)
    house.send(mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    first, second = house.cases()
    assert (first.state, second.state, second.version) == (CaseState.DONE, CaseState.HELD, 2)


def test_a_correction_stops_what_is_on_its_way(house: House) -> None:
    """A version that is being delivered is closed, and the next one held."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED)
    house.send(mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    first, second = house.cases()
    assert (first.state, second.state) == (CaseState.CLOSED, CaseState.HELD)


def test_a_good_object_takes_the_place_of_a_damaged_one(house: House) -> None:
    """What could not be decoded is replaced by what comes under its UID, without asking anybody."""
    house.send(mammogram("1"))
    house.indexer.tick()
    case = house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
    with house.store.unit() as unit:
        unit.mark_left_out(case, unit.instances(case.id)[0], "it cannot be decoded", quarantined=True)
    house.send(mammogram("1", PixelData=b"\7\0" * 4))
    house.indexer.tick()
    second = house.cases()[-1]
    assert (second.version, second.state, house.uids(second)) == (2, CaseState.COLLECTING, [uid("1")])
    assert house.stored(second)[0].ref == house.arrivals()[1].ref


# ── what can be said ──


def test_a_ruling_that_means_nothing_is_refused(house: House) -> None:
    """A case that is not held, none at all, or a ruling of another kind: said in words, and nothing changes."""
    house.send(mammogram("1"))
    house.indexer.tick()
    with pytest.raises(Permanent, match="not held"):
        house.rule(Ruling.MERGE)
    house.send(mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    with pytest.raises(Permanent, match="--accept, --drop"):
        house.rule(Ruling.MERGE)
    with pytest.raises(Permanent, match="is not about x"):
        house.rule(Ruling.ACCEPT, about="x")
    assert house.cases()[0].state is CaseState.HELD


def test_a_decision_is_written_down(house: House) -> None:
    """Who decided what stands in the case's history."""
    house.send(mammogram("1"), mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    case = house.rule(Ruling.ACCEPT)
    with house.store.unit() as unit:
        assert "someone decided: accept" in unit.history(case.id)[-1].reason


# ── what was sent about the wrong person ──


def sent(house: House) -> Case:
    """Let the newest version be answered and its one object leave."""
    case = house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
    made = ResultObject(Kind.SR, "sr:L", "L", 1, "1.2.3", uid(f"sr {case.id}"), "1", "2", "3", b"")
    with house.store.unit() as unit:
        saved = unit.save_result(case, house.clock(), {"p": 0.9}, {"pacs": [made]})
        unit.settle(unit.outbox_of(saved.id)[0], OutboxStatus.CONFIRMED, house.clock())
        return unit.apply(saved, CaseEvent.ALL_CONFIRMED, house.clock())


def test_a_sent_result_whose_images_are_anothers_waits_for_a_person(house: House) -> None:
    """The image was corrected to another patient: she never inherits that result, and somebody has it rejected."""
    house.send(mammogram("1"))
    house.indexer.tick()
    first = sent(house)
    house.send(mammogram("1", StudyInstanceUID=uid("hers"), **OTHER_ID))
    house.indexer.tick()
    house.rule(Ruling.ACCEPT, house.heads()["P-1"])
    heads = house.heads()
    assert kinds(house, "P-1") == [ConflictKind.STRANDED]
    assert (heads["P-1"].version, heads["P-1"].case_uuid, house.uids(heads["P-1"])) == (2, first.case_uuid, [])
    assert (heads["P-2"].state, house.uids(heads["P-2"])) == (CaseState.COLLECTING, [uid("1")])
    with house.store.unit() as unit:
        assert unit.superseded(heads["P-2"]) is None
    assert house.rule(Ruling.ACCEPT, heads["P-1"]).state is CaseState.CLOSED
    assert list(house.heads()) == ["P-2"]


def test_a_merge_stops_every_earlier_version_that_is_under_way(house: House) -> None:
    """The first version is still being delivered though the second has failed and a third collects."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED)
    house.send(mammogram("2"))
    house.indexer.tick()
    house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.GAVE_UP)
    house.send(mammogram("3"))
    house.indexer.tick()
    house.tell(merge("P-1", "P-9"))
    house.indexer.tick()
    assert [case.state for case in house.cases() if case.patient == key("P-1")] == [CaseState.CLOSED, CaseState.FAILED]
    assert len(house.uids(house.heads()["P-9"])) == 3
