"""The firewall around identity: contradictions hold a case, merges re-key it, and a person decides."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from agent.core.adt import PatientNews
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Ruling
from agent.core.demographics import Demographics
from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind, ResultObject
from tests.fakes.instances import RECEIVED, mammogram, uid
from tests.indexing import House, answered, held_for, kinds

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


def test_a_message_that_omits_a_field_releases_nothing(house: House) -> None:
    """PID-7 and PID-8 may be empty, and other messages than ADT may say anything: what ADT said stands."""
    house.tell(
        PatientNews("1", "A31", RECEIVED, key("P-1"), demographics=Demographics("Roe^Ann", date(1955, 5, 5), "F"))
    )
    house.send(mammogram("1", **JANE))
    house.tell(
        PatientNews("2", "A08", RECEIVED + timedelta(minutes=5), key("P-1"), demographics=Demographics("Roe^Ann"))
    )
    told = Demographics("Doe^Jane", date(1970, 1, 1), "F")
    house.tell(PatientNews("3", "R01", RECEIVED + timedelta(minutes=6), key("P-1"), demographics=told))
    house.indexer.tick()
    assert kinds(house, "P-1") == [ConflictKind.DEMOGRAPHICS]
    house.tell(PatientNews("4", "A31", RECEIVED + timedelta(minutes=7), key("P-1"), demographics=told))
    house.indexer.tick()
    assert house.heads()["P-1"].state is CaseState.COLLECTING


@pytest.mark.parametrize(
    ("told", "shown", "is_held"),
    [
        (Demographics("Roe^Ann", None, "F"), {"PatientName": "Doe^Jane", "PatientSex": "F"}, True),
        (Demographics("Roe^Ann", date(1970, 1, 1), ""), JANE, True),
        (Demographics("Roe^Ann", date(1970, 1, 1), "F"), JANE, False),
        (Demographics("Doe", None, ""), JANE, False),
        (Demographics("Doh^Jane", None, "F"), JANE, True),
        (Demographics("Roe^Ann", None, "F"), {"PatientName": None}, False),
        (Demographics("=山田^花子", None, "F"), JANE, False),
        (Demographics("", None, "F"), JANE, False),
    ],
)
@pytest.mark.parametrize("images", [("first", "news"), ("news", "first", "second"), ("first", "news", "second")])
def test_an_image_of_another_name_than_was_told_holds_the_case(
    house: House, told: Demographics, shown: dict[str, str | None], is_held: bool, images: tuple[str, ...]
) -> None:
    """None of the names that HL7 gave, and no birth date and sex to confirm it; in whatever order they come."""
    for act in images:
        if act == "news":
            house.tell(PatientNews("1", "A31", RECEIVED, key("P-1"), demographics=told))
        else:
            house.send(mammogram(act, **shown))
        house.indexer.tick()
    (case,) = house.cases()
    assert case.state is (CaseState.HELD if is_held else CaseState.COLLECTING)
    assert not is_held or (case.reason == "Under one Patient ID the names differ between an image and an HL7 message.")


def test_a_family_name_that_was_told_excuses_no_given_names(house: House) -> None:
    """Two images' names are two sisters', though HL7 gives the family name that both have."""
    house.send(mammogram("1", PatientName="Doe^Jane"), mammogram("2", PatientName="Doe^Martha"))
    house.indexer.tick()
    assert kinds(house, "P-1") == [ConflictKind.DEMOGRAPHICS]
    house.tell(PatientNews("1", "A31", RECEIVED, key("P-1"), demographics=Demographics("Doe")))
    house.indexer.tick()
    assert kinds(house, "P-1") == [ConflictKind.DEMOGRAPHICS]
    house.tell(PatientNews("2", "A31", RECEIVED, key("P-1"), demographics=Demographics("Doe^Jane^Martha")))
    house.indexer.tick()
    assert house.heads()["P-1"].state is CaseState.COLLECTING


def test_a_late_merge_of_a_third_id_brings_nothing_back(house: House) -> None:
    """P-1 is P-2's; who merges P-3 into P-1 later did not know: the case stays P-2's."""
    house.send(mammogram("1", **JANE))
    house.tell(merge("P-1", "P-2"))
    house.tell(merge("P-3", "P-1", 5))
    house.indexer.tick()
    assert list(house.heads()) == ["P-2"]


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


# ── several contradictions ──


def test_of_several_contradictions_one_is_named(house: House) -> None:
    """Nobody decides about what came up since he looked: without a name the ruling is refused, and lists them."""
    house.send(mammogram("1", **JANE), mammogram("2", **BORN_LATER))
    house.indexer.tick()
    (seen,) = held_for(house, "P-1")
    house.send(mammogram("3", **{**JANE, "PatientBirthDate": "19900909"}))
    house.indexer.tick()
    open_ones = held_for(house, "P-1")
    assert len(open_ones) == 3
    with pytest.raises(Permanent) as refused:
        house.rule(Ruling.MERGE, house.heads()["P-1"])
    assert all(conflict.id in str(refused.value) for conflict in open_ones)
    assert held_for(house, "P-1") == open_ones
    house.rule(Ruling.MERGE, house.heads()["P-1"], conflict=seen.id)
    assert held_for(house, "P-1") == [conflict for conflict in open_ones if conflict != seen]
    with pytest.raises(Permanent, match="look at it again"):
        house.rule(Ruling.MERGE, house.heads()["P-1"], conflict=seen.id)
    house.rule(Ruling.MERGE, house.heads()["P-1"], every=True)
    assert house.heads()["P-1"].state is CaseState.COLLECTING


def test_dropping_everything_does_not_end_the_case(house: House) -> None:
    """Images of the other breast end a case when they are dropped: that must be said of them alone."""
    house.send(mammogram("1", **JANE), mammogram("2", **BORN_LATER))
    house.indexer.tick()
    side = Conflict(ConflictKind.LATERALITY, ("R", "x"), "Every image is of the other breast.")
    (case,) = house.cases()
    names = held_for(house, "P-1")
    with house.store.unit() as unit:
        unit.hold(case, [*names, side], house.clock())
    for every, why in ((False, "or --all"), (True, "One of these ends the case")):
        with pytest.raises(Permanent, match=why):
            house.rule(Ruling.DROP, every=every)
    house.rule(Ruling.DROP, conflict=names[0].id)
    assert kinds(house, "P-1") == [ConflictKind.LATERALITY]


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
