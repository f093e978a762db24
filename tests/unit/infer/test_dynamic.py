"""The dynamic series of an MR examination is found, and every other image is left out for a reason in words."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.instance import SpoolRef
from agent.core.ports import StoredInstance
from agent.infer.dynamic import (
    DERIVED,
    NO_TIME,
    NOT_IN_ALL,
    ONE_PHASE,
    SAME_MOMENT,
    SHORT_PHASE,
    SMALLER,
    Located,
    find_dynamic,
)
from tests.state_stores import instance

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Examination:
    """Images one after the other."""

    def __init__(self) -> None:
        self.images: list[Located] = []

    def add(self, position_mm: float, acquired: str = "1000", series: str = "1", **changes: Any) -> None:
        """Take one image."""
        number = len(self.images)
        header = instance(f"1.2.{number}")
        object.__setattr__(header, "series_instance_uid", series)
        stored = StoredInstance(number, header, SpoolRef(1, 1, number), NOON)
        lies = {
            "position_mm": position_mm,
            "acquired": acquired,
            "columns_to_left": True,
            "rows_to_back": True,
            "pixel_mm": (1.0, 1.0),
            "temporal_position": None,
            "derived": False,
            "rows": 64,
            "columns": 64,
            "slope": 1.0,
            "intercept": 0.0,
            "weighting": "EchoTime 1.7",
        }
        self.images.append(Located(stored, SimpleNamespace(**lies | changes)))

    def phase(self, acquired: str, series: str, places: int = 4, **changes: Any) -> None:
        """Take one phase as a series of its own."""
        for place in range(places):
            self.add(3.0 * place, acquired, series, **changes)

    def found(self) -> list[list[int]]:
        """Numbers of the images of the dynamic series: phases of each slice position."""
        dynamic, _ = find_dynamic(self.images)
        return [[one.stored.id for one in position] for position in dynamic.positions] if dynamic else []

    def reasons(self) -> dict[int, str]:
        """Why images are left out, by number."""
        _, left_out = find_dynamic(self.images)
        assert max(Counter(stored.id for stored, _ in left_out).values(), default=1) == 1
        return {stored.id: reason for stored, reason in left_out}


@pytest.fixture
def mri() -> Examination:
    """Nothing taken yet."""
    return Examination()


def test_a_series_a_phase_is_put_in_the_order_of_time(mri: Examination) -> None:
    """Whatever the order in which they came."""
    for acquired, series in (("1003", "c"), ("1000", "a"), ("1001", "b")):
        mri.phase(acquired, series, places=2)
    assert mri.found() == [[2, 4, 0], [3, 5, 1]]
    assert mri.reasons() == {}


def test_slices_are_counted_from_the_feet(mri: Examination) -> None:
    """Positions that differ by rounding are one."""
    for acquired, shift in (("1000", 0.0), ("1001", 0.1)):
        for position in (9.0, -3.0, 3.0):
            mri.add(position + shift, acquired, acquired)
    assert mri.found() == [[1, 4], [2, 5], [0, 3]]


def test_phases_of_one_series_are_told_apart_by_temporal_position(mri: Examination) -> None:
    """Also where all of them claim one moment."""
    for place in range(2):
        for temporal_position in (2, 1, 3):
            mri.add(3.0 * place, temporal_position=temporal_position)
    assert mri.found() == [[1, 0, 2], [4, 3, 5]]


def test_phases_of_one_series_are_told_apart_by_their_moment(mri: Examination) -> None:
    """A slice position that lacks one is left out."""
    for acquired in ("1000", "1001", "1002"):
        mri.add(0, acquired)
        if acquired != "1001":
            mri.add(3, acquired)
    assert mri.found() == [[0, 2, 3]]
    assert mri.reasons() == {1: NOT_IN_ALL, 4: NOT_IN_ALL}


def test_slices_with_moments_of_their_own_are_counted(mri: Examination) -> None:
    """Each slice of a phase a little later than the one before; where one lacks an image, counting would mislead."""
    for phase in range(2):
        for place in range(3):
            if (phase, place) != (0, 2):
                mri.add(3 * place, f"10{phase}{place}")
    assert mri.found() == [[0, 2], [1, 3]]
    assert mri.reasons() == {4: NOT_IN_ALL}


def test_images_of_one_place_and_moment_are_no_phases(mri: Examination) -> None:
    """As water and fat are, or two echoes: of one series, or of several."""
    for _ in range(2):
        mri.phase("1000", "1")
        mri.phase("1001", "1")
    assert mri.found() == []
    assert set(mri.reasons().values()) == {SAME_MOMENT}
    apart = Examination()
    for acquired in ("1000", "1001"):
        apart.phase(acquired, f"water{acquired}")
        apart.phase(acquired, f"fat{acquired}")
    assert apart.found() == []
    assert set(apart.reasons().values()) == {SAME_MOMENT}


def test_without_times_there_is_no_order(mri: Examination) -> None:
    """Which image is the one before contrast is not guessed."""
    mri.phase("", "a")
    mri.phase("", "b")
    assert mri.found() == []
    assert set(mri.reasons().values()) == {NO_TIME}


def test_other_series_are_left_out_in_words(mri: Examination) -> None:
    """Subtractions, a scout and a series of another kind beside the dynamic one."""
    mri.phase("1000", "a", places=2)
    mri.phase("1001", "b", places=2)
    mri.phase("1001", "subtraction", places=2, derived=True)
    mri.add(0, "0959", "scout", rows=32)
    mri.phase("0958", "t2", places=2, pixel_mm=(0.7, 0.7))
    assert mri.found() == [[0, 2], [1, 3]]
    assert mri.reasons() == {4: DERIVED, 5: DERIVED, 6: ONE_PHASE, 7: ONE_PHASE, 8: ONE_PHASE}


def test_an_earlier_image_of_another_weighting_is_not_the_one_before_contrast(mri: Examination) -> None:
    """As one without fat suppression, of the same slices and size."""
    mri.phase("0955", "plain", places=2, weighting="EchoTime 1.7, fat suppressed")
    mri.phase("1000", "a", places=2)
    mri.phase("1001", "b", places=2)
    assert mri.found() == [[2, 4], [3, 5]]
    assert mri.reasons() == {0: ONE_PHASE, 1: ONE_PHASE}


def test_the_largest_dynamic_series_is_used(mri: Examination) -> None:
    """A smaller one, as diffusion looks like, is named."""
    for n, acquired in enumerate(("1000", "1001")):
        mri.phase(acquired, f"diffusion{n}", places=2, rows=32)
    for n, acquired in enumerate(("1002", "1003")):
        mri.phase(acquired, f"dynamic{n}", places=2)
    assert mri.found() == [[4, 6], [5, 7]]
    assert mri.reasons() == dict.fromkeys(range(4), SMALLER)


def test_a_phase_that_was_broken_off_does_not_cost_the_others_their_slices(mri: Examination) -> None:
    """It is left out as a whole."""
    mri.phase("1000", "a", places=5)
    mri.phase("1001", "b", places=5)
    mri.phase("1002", "c", places=2)
    assert [len(position) for position in mri.found()] == [2] * 5
    assert mri.reasons() == {10: SHORT_PHASE, 11: SHORT_PHASE}


def test_phases_without_a_common_slice_are_not_used(mri: Examination) -> None:
    """They were taken somewhere else."""
    mri.phase("1000", "a", places=2)
    mri.add(90, "1001", "b")
    mri.add(93, "1001", "b")
    assert mri.found() == []
    assert set(mri.reasons().values()) == {NOT_IN_ALL}


def test_nothing_is_found_in_nothing() -> None:
    """An examination of which no image could be read."""
    assert find_dynamic([]) == (None, [])


TAKEN = st.lists(
    st.fixed_dictionaries(
        {
            "position_mm": st.sampled_from([0.0, 0.1, 3.0, 6.0]),
            "acquired": st.sampled_from(["", "1000", "1001", "1002"]),
            "series": st.sampled_from(["a", "b"]),
            "temporal_position": st.sampled_from([None, 1, 2]),
            "derived": st.sampled_from([False, False, True]),
            "rows": st.sampled_from([64, 64, 32]),
        }
    ),
    max_size=16,
)


@given(TAKEN)
def test_every_image_is_used_or_left_out_once(taken: list[dict[str, Any]]) -> None:
    """None vanishes; the phases of a slice position lie at one place, in the order of time."""
    mri = Examination()
    for one in taken:
        mri.add(**one)
    dynamic, left_out = find_dynamic(mri.images)
    used = [one for position in dynamic.positions for one in position] if dynamic else []
    assert sorted([one.stored.id for one in used] + [stored.id for stored, _ in left_out]) == list(range(len(taken)))
    for position in dynamic.positions if dynamic else ():
        assert len(position) == dynamic.phases >= 2  # type: ignore[union-attr]
        assert max(o.slice.position_mm for o in position) - min(o.slice.position_mm for o in position) <= 0.25
