"""What an image means for a case that has come further: its next version, a new case, or nothing."""

from datetime import timedelta

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import StaleCase
from agent.core.instance import End
from agent.core.ports import RecordKind
from tests.fakes.instances import mammogram, uid
from tests.indexing import EPISODE, House


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
    assert (stored.ref, stored.received_at) == (house.arrivals()[2].ref, house.clock())


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


def test_a_case_that_moved_on_is_taken_in_again(house: House) -> None:
    """A worker that claims the case meanwhile costs one tick, no image."""
    house.send(mammogram())
    house.spool.add(RecordKind.EVENT_REPORT, {"event_type_id": "1"})
    house.trouble = [StaleCase("moved on")]
    assert house.indexer.tick() == 0
    assert house.arrivals() == []
    assert house.indexer.tick() == 2
    assert house.ends() == [End.COLLECTED]
