"""From a saliency map to a box."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agent.report.colour import LOWEST_SHOWN
from agent.report.region import STRONG, Box, strongest

MAPS = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.floats(0, 1, width=32))


def test_nothing_salient_has_no_box() -> None:
    """A map of zeros, of no size, or too faint to have a colour in a picture, points nowhere."""
    assert strongest(np.zeros((4, 5), np.float32)) is None
    assert strongest(np.zeros((0, 0), np.float32)) is None
    faint, seen = (np.full((4, 5), (LOWEST_SHOWN + more) / 255, np.float32) for more in (-0.5, 0.5))
    assert strongest(faint) is None
    assert strongest(seen) == Box(0, 0, 5, 4)


def test_box_is_the_smallest_around_the_strongest_region() -> None:
    """A second, weaker region and a diagonal neighbour: the box holds what holds together with the maximum."""
    saliency_hw = np.zeros((10, 12), np.float32)
    saliency_hw[2:4, 7:10] = 0.6
    saliency_hw[3, 8] = 1.0
    saliency_hw[4, 10] = 0.5  # touches at a corner
    saliency_hw[8, 1] = 0.9  # far away
    assert strongest(saliency_hw) == Box(7, 2, 11, 5)


def test_region_at_the_edge_is_found() -> None:
    """A maximum in the last row and column gives a box that ends with the image."""
    saliency_hw = np.zeros((6, 5), np.float32)
    saliency_hw[5, 4] = saliency_hw[5, 3] = 0.2
    assert strongest(saliency_hw) == Box(3, 5, 5, 6)


@given(MAPS)
def test_box_holds_the_maximum_and_nothing_strong_touches_it(saliency_hw: np.ndarray) -> None:
    """Whatever the map, the maximum is inside and the ring around the box is weak."""
    box = strongest(saliency_hw)
    if box is None:
        assert saliency_hw.max() < LOWEST_SHOWN / 255
        return
    rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    assert saliency_hw[rows, columns].max() == saliency_hw.max()
    ring = saliency_hw[max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1].copy()
    ring[rows.start - max(rows.start - 1, 0) :, columns.start - max(columns.start - 1, 0) :][
        : rows.stop - rows.start, : columns.stop - columns.start
    ] = 0
    assert ring.max(initial=0) < STRONG * saliency_hw.max()


def test_box_is_scaled_moved_and_cut() -> None:
    """Reduced pixels become the source's, and what rounding puts outside is cut off."""
    assert Box(1, 2, 3, 4).scaled(2.5, 10, 20) == Box(12.5, 25, 17.5, 30)
    assert Box(-1, 2, 30, 40).within(columns=20, rows=35) == Box(0, 2, 20, 35)


def test_outline_is_closed() -> None:
    """The polyline ends where it began, column before row."""
    assert Box(1, 2, 3, 4).polyline.tolist() == [[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]
