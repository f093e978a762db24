"""What a merge or a contradiction does to the versions of a case that are not its newest one."""

from datetime import timedelta

import pytest

from agent.core.adt import PatientNews
from agent.core.case import UNCHANGED, Case, CaseEvent, CaseState
from agent.core.conflict import Ruling
from agent.core.instance import End
from agent.core.patient import PatientKey
from tests.fakes.instances import RECEIVED, mammogram, uid
from tests.indexing import ALICE, House

BERTA = PatientKey("PHANTOM", "P-2")
SENDING = (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED)
ANSWERED = (*SENDING, CaseEvent.ALL_CONFIRMED)


def merged(retired: PatientKey, surviving: PatientKey) -> PatientNews:
    """The hospital says that a key is another one now."""
    return PatientNews("M1", "A40", RECEIVED + timedelta(minutes=1), surviving, retired)


def withdrawn(house: House) -> Case:
    """Let the newest version end as one that would have said the same again."""
    case = house.cases()[-1]
    with house.store.unit() as unit:
        return unit.apply(case, CaseEvent.WITHDRAWN, house.clock(), reason=UNCHANGED)


def followed(house: House, *life: CaseEvent) -> tuple[Case, Case]:
    """Let a version live, and an image open the next one; return both."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.move(*life)
    house.send(mammogram("2"))
    house.indexer.tick()
    first, second = house.cases()
    return first, second


@pytest.mark.parametrize("life", [SENDING[:2], SENDING])
def test_a_merge_stops_the_version_before(house: House, life: tuple[CaseEvent, ...]) -> None:
    """The next version is open already: that does not let the one before leave under the retired key."""
    first, second = followed(house, *life)
    house.tell(merged(ALICE, BERTA))
    house.indexer.tick()
    states = {case.id: (case.state, case.patient) for case in house.cases()}
    assert states == {first.id: (CaseState.CLOSED, ALICE), second.id: (CaseState.COLLECTING, BERTA)}


def test_a_merge_into_a_case_stops_the_version_before(house: House) -> None:
    """So it is where the images move to a case that is there."""
    first, _ = followed(house, *SENDING)
    house.send(mammogram("3", PatientID="P-2", StudyInstanceUID=uid("s2")))
    house.indexer.tick()
    house.tell(merged(ALICE, BERTA))
    house.indexer.tick()
    assert house.store.tables.cases[first.id].state is CaseState.CLOSED
    assert {name: len(house.uids(case)) for name, case in house.heads().items()} == {"P-2": 3}


def test_a_contradiction_stops_the_version_before(house: House) -> None:
    """An image of which the side is in doubt does not go out with the version that used it."""
    first, second = followed(house, *SENDING)
    house.send(mammogram("1", ImageLaterality="R"))
    house.indexer.tick()
    assert house.store.tables.cases[first.id].state is CaseState.CLOSED
    assert house.store.tables.cases[second.id].state is CaseState.HELD


@pytest.mark.parametrize("life", [SENDING, ANSWERED])
def test_a_case_whose_newest_version_was_withdrawn_follows_its_patient(
    house: House, life: tuple[CaseEvent, ...]
) -> None:
    """What changed nothing hides nothing: the answer that stands is the merged patient's, in one case."""
    first, _ = followed(house, *life)
    withdrawn(house)
    house.tell(merged(ALICE, BERTA))
    house.indexer.tick()
    heads = house.heads()
    assert list(heads) == ["P-2"]
    assert (heads["P-2"].case_uuid, heads["P-2"].version) == (first.case_uuid, 3)
    assert house.store.tables.cases[first.id].state is (CaseState.DONE if life is ANSWERED else CaseState.CLOSED)


@pytest.mark.parametrize("life", [SENDING, ANSWERED])
def test_an_image_of_a_withdrawn_version_is_corrected_by_a_person(house: House, life: tuple[CaseEvent, ...]) -> None:
    """It came, changed nothing, and is known: another object under its UID holds the case."""
    first, second = followed(house, *life)
    withdrawn(house)
    house.send(mammogram("2"), mammogram("2", ImageLaterality="R"))
    house.indexer.tick()
    assert house.ends()[-2:] == [End.DUPLICATE, End.CORRECTION]
    third = house.cases()[-1]
    assert (third.case_uuid, third.version, third.state) == (second.case_uuid, 3, CaseState.HELD)
    assert house.store.tables.cases[first.id].state is (CaseState.DONE if life is ANSWERED else CaseState.CLOSED)
    house.rule(Ruling.DROP)
    assert [one.instance.laterality for one in house.stored(house.cases()[-1])] == ["L", "L"]
