"""Where source pixels lie in a tensor, there and back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.core.errors import Rejected
from agent.preprocess.placement import Box, Placement, along, check_pixel_mm, to_source, to_tensor

SOURCE, TENSOR = (90, 70), (60, 50)
ALL_WAYS = [(flipped, upended) for flipped in (False, True) for upended in (False, True)]


def placed(flipped: bool, upended: bool) -> Placement:
    """Most of a source, off its centre, reduced by different factors into a part of the tensor."""
    return Placement(SOURCE, flipped, Box(11, 3, 70, 60), TENSOR, Box(5, 2, 50, 40), upended)


def blob(shape: tuple[int, int], row: float, column: float, radius: float) -> NDArray[np.float32]:
    """A round cone around a point that counts from the corner of the first pixel."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    return np.clip(1 - np.hypot(rows - row, columns - column) / radius, 0, None).astype(np.float32)


def centre(map_hw: NDArray[np.float32]) -> tuple[float, float]:
    """Centre of mass, from the corner of the first pixel."""
    rows, columns = np.mgrid[0 : map_hw.shape[0], 0 : map_hw.shape[1]] + 0.5
    return float((rows * map_hw).sum() / map_hw.sum()), float((columns * map_hw).sum() / map_hw.sum())


@pytest.mark.parametrize(("flipped", "upended"), ALL_WAYS)
@pytest.mark.parametrize("point", [(30.0, 20.0), (62.5, 41.0)])
def test_a_point_comes_back_to_where_it_was(flipped: bool, upended: bool, point: tuple[float, float]) -> None:
    """Shown in the tensor where `to_tensor` says, a spot is mapped back within half a source pixel."""
    placement = placed(flipped, upended)
    seen = blob(TENSOR, *to_tensor(placement, *point), 4)
    assert centre(to_source(placement, seen, SOURCE)) == pytest.approx(point, abs=0.5)


def test_mirroring_and_turning_over_are_about_the_middle() -> None:
    """The last row and column of the source become the first."""
    row, column = to_tensor(placed(True, True), SOURCE[0] - 20.0, SOURCE[1] - 13.0)
    assert (row, column) == to_tensor(placed(False, False), 20.0, 13.0)


def test_a_rectangle_is_cut_out_of_every_image_of_a_stack() -> None:
    """The last two axes are rows and columns."""
    stack = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    assert np.array_equal(Box(1, 2, 3, 2).of(stack), stack[:, 1:4, 2:4])


@pytest.mark.parametrize(
    ("anchor", "crop", "pad"), [(0, [10, 50, 0, 25], [10, 80, 0, 40]), (0.5, [25, 50, 0, 25], [10, 80, 10, 40])]
)
def test_the_anchor_stays_where_it_is(anchor: float, crop: list[int], pad: list[int]) -> None:
    """What is too long is cropped and what is too short is padded, at the end or at both ends."""
    assert along(10, 80, 25, pixel_mm=0.5, tensor_pixel_mm=1.0, anchor=anchor) == crop
    assert along(10, 80, 60, pixel_mm=0.5, tensor_pixel_mm=1.0, anchor=anchor) == pad


@given(st.integers(2, 4000), st.integers(1, 300), st.floats(0.005, 10), st.floats(0.1, 3), st.sampled_from([0.0, 0.5]))
def test_whatever_the_sizes_both_ends_stay_inside(
    length: int, size: int, pixel_mm: float, tensor_pixel_mm: float, anchor: float
) -> None:
    """Nothing is taken from outside the source or put outside the tensor, and there is always something."""
    start, taken, to, fitted = along(7, length, size, pixel_mm=pixel_mm, tensor_pixel_mm=tensor_pixel_mm, anchor=anchor)
    assert 7 <= start < start + taken <= 7 + length
    assert 0 <= to < to + fitted <= size


@pytest.mark.parametrize("pixel_mm", [math.nan, math.inf, 0.0, -0.5, 0.004, 11.0])
def test_no_scanner_has_such_pixels(pixel_mm: float) -> None:
    """A size that is no number, not positive or absurd is refused, and the reason says which."""
    with pytest.raises(Rejected, match=f"pixels of {pixel_mm:g} mm"):
        check_pixel_mm(0.5, pixel_mm)
