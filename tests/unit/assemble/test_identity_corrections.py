"""The same object again: what it changes is a person's to confirm, and its pixels never change."""

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.conflict import ConflictKind, Ruling
from agent.core.errors import Permanent
from agent.core.instance import End
from tests.fakes.instances import mammogram, uid
from tests.indexing import House, answered, kinds

JANE = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "PatientSex": "F"}
OTHER_ID = {"PatientID": "P-2"}


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
