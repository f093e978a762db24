"""What is still needed of the received bytes, and what goes first."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from agent.core.case import CaseState
from agent.core.instance import GONE, SpoolRef
from agent.core.retention import (
    Holder,
    Need,
    Pressure,
    Resident,
    SegmentState,
    goes,
    is_scarce,
    is_worth_copying,
    need_of,
    room_bytes,
)
from agent.core.stored import StoredInstance
from tests.state_stores import T0, instance

ONE, OTHER = UUID(int=1), UUID(int=2)
DAY = timedelta(days=1)
REF = SpoolRef(1, 1, 8)


def _held(*states: CaseState, case: UUID = ONE) -> Resident:
    return Resident(REF, tuple(Holder(case, n, state, T0) for n, state in enumerate(states, 1)))


def _segment(number: int, *, is_closed: bool = True, is_released: bool = False) -> SegmentState:
    return SegmentState(number, 1, 1000, 900, 5, is_closed, is_released)


@pytest.mark.parametrize(
    ("state", "need"),
    [
        (CaseState.COLLECTING, Need.PINNED),
        (CaseState.READY, Need.PINNED),
        (CaseState.RUNNING, Need.PINNED),
        (CaseState.DELIVERING, Need.PINNED),
        (CaseState.HELD, Need.PINNED),
        (CaseState.FAILED, Need.PINNED),
        (CaseState.DORMANT, Need.DORMANT),
        (CaseState.DONE, Need.DONE_AND_CONFIRMED),
        (CaseState.CLOSED, Need.FREE),
    ],
)
def test_the_state_of_its_case_says_how_much_a_record_is_needed(state: CaseState, need: Need) -> None:
    """An unfinished case needs its images; so does one that may be run again."""
    assert need_of(_held(state), T0) is need


@pytest.mark.parametrize("state", list(CaseState))
def test_with_its_episode_only_a_finished_case_is_closed(state: CaseState) -> None:
    """What is not finished, or waits for a person, is needed however old it is."""
    is_free = state in (CaseState.DONE, CaseState.FAILED, CaseState.CLOSED)
    assert (need_of(_held(state), T0 + DAY) is Need.FREE) is is_free


def test_a_record_that_is_owed_to_the_quarantine_is_pinned() -> None:
    """Whoever holds it: it is nowhere else."""
    owed = Resident(REF, awaits_copy=True)
    assert {need_of(one, T0 + DAY) for one in (owed, replace(_held(CaseState.CLOSED), awaits_copy=True))} == {
        Need.PINNED
    }


def test_a_record_that_no_case_holds_is_free() -> None:
    """Nothing rests on it."""
    assert need_of(Resident(REF), T0) is Need.FREE


@pytest.mark.parametrize(
    ("states", "need"),
    [
        ((CaseState.DONE, CaseState.COLLECTING), Need.PINNED),
        ((CaseState.HELD, CaseState.DONE), Need.PINNED),
        ((CaseState.DONE, CaseState.CLOSED), Need.DONE_AND_CONFIRMED),
        ((CaseState.DONE, CaseState.DORMANT), Need.DORMANT),
        ((CaseState.FAILED, CaseState.DONE), Need.DONE_AND_CONFIRMED),
        ((CaseState.FAILED, CaseState.CLOSED), Need.PINNED),
        ((CaseState.FAILED, CaseState.DORMANT), Need.PINNED),
        ((CaseState.DONE, CaseState.FAILED), Need.PINNED),
    ],
)
def test_of_several_versions_the_neediest_counts(states: tuple[CaseState, ...], need: Need) -> None:
    """A version that was given up needs nothing once a later one took its place."""
    assert need_of(_held(*states), T0) is need


def test_another_case_takes_no_version_s_place() -> None:
    """Cases of two questions hold one image: the failed one may be run again."""
    held = (Holder(ONE, 1, CaseState.FAILED, T0), Holder(OTHER, 2, CaseState.DONE, T0))
    assert need_of(Resident(REF, held), T0) is Need.PINNED


def test_what_a_person_is_to_decide_about_stays_while_a_version_is_open() -> None:
    """A case that is closed asks nobody."""
    for state in CaseState:
        waiting = Resident(REF, (Holder(ONE, 1, state, T0),), awaits_decision=True)
        assert need_of(waiting, T0 + DAY) is (Need.FREE if state is CaseState.CLOSED else Need.PINNED)


def test_what_goes_under_which_pressure() -> None:
    """Finished cases first, then dormant ones, then nothing."""
    gone = {pressure: [need for need in Need if goes(need, pressure)] for pressure in Pressure}
    assert gone == {
        Pressure.NONE: [Need.FREE],
        Pressure.SCARCE: [Need.FREE, Need.DONE_AND_CONFIRMED],
        Pressure.STILL_SCARCE: [Need.FREE, Need.DONE_AND_CONFIRMED, Need.DORMANT],
    }


def test_a_running_case_is_being_read() -> None:
    """A worker that has it may be at its bytes."""
    assert [state for state in CaseState if _held(state).is_being_read] == [CaseState.RUNNING]
    assert not Resident(REF).is_being_read


def test_room_is_what_is_not_made_yet_and_what_is_released() -> None:
    """Of a spool of 10,000 bytes with three segments of 1,000, one of them released, 8,000 are free."""
    segments = [_segment(1), _segment(2, is_released=True), _segment(-1)]
    assert room_bytes(segments, 10_000) == 8_000


def test_room_is_scarce_below_an_eighth() -> None:
    """The share is of the whole spool."""
    assert (is_scarce(1249, 10_000), is_scarce(1250, 10_000)) == (True, False)


def test_less_than_a_quarter_of_a_segment_is_worth_copying() -> None:
    """Of a segment of 1,000 bytes 249 are; of one that stayed before 749."""
    assert (is_worth_copying(249, _segment(1)), is_worth_copying(250, _segment(1))) == (True, False)
    assert is_worth_copying(749, _segment(1), stayed=True)
    assert not is_worth_copying(750, _segment(1), stayed=True)


def test_an_open_or_a_released_segment_is_not_looked_at() -> None:
    """To an open one more may come; a released one is over."""
    assert _segment(1).may_be_looked_at
    assert not _segment(1, is_closed=False).may_be_looked_at
    assert not _segment(1, is_released=True).may_be_looked_at


def test_an_instance_without_a_place_is_gone() -> None:
    """No segment has the number 0."""
    stored = StoredInstance(1, instance(), REF, T0)
    assert not stored.is_gone
    assert replace(stored, ref=GONE).is_gone
