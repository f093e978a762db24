"""Mammograms become tensors, and maps over tensors go back to the mammogram."""

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from agent.preprocess.mammogram import prepare
from agent.preprocess.placement import Box, Placement, to_source
from tests.peers import shared

ROWS, COLUMNS = 900, 700
SIZE = {"height": 128, "width": 104}


def breast(right: bool = False, spot: tuple[int, int] | None = None) -> NDArray[np.uint16]:
    """Half an ellipse of tissue at a chest wall, on air of 50, with an optional bright spot (row, column)."""
    yy, xx = np.mgrid[0:ROWS, 0:COLUMNS]
    inside = (xx / 480) ** 2 + ((yy - 430) / 350) ** 2 < 1
    image = np.where(inside, 1000 + xx // 4, 50).astype(np.uint16)
    if spot:
        image[(yy - spot[0]) ** 2 + (xx - spot[1]) ** 2 < 100] = 3500
    return np.ascontiguousarray(image[:, ::-1]) if right else image


def centre(map_hw: NDArray[np.float32]) -> tuple[float, float]:
    """Centre of mass, in pixels from the centre of the first."""
    rows, columns = np.mgrid[0 : map_hw.shape[0], 0 : map_hw.shape[1]]
    return float((rows * map_hw).sum() / map_hw.sum()), float((columns * map_hw).sum() / map_hw.sum())


@pytest.mark.parametrize("right", [False, True])
def test_the_chest_wall_is_put_at_the_left(right: bool) -> None:
    """A right breast is mirrored, a left one is not, and both give the same tensor."""
    tensor, placement = prepare(breast(right), inverted=False, **SIZE)
    assert placement.flipped is right
    assert (tensor[:, 0] > 0).mean() > 0.7
    np.testing.assert_allclose(tensor, prepare(breast(), inverted=False, **SIZE)[0], atol=1e-6)


def test_side_markers_do_not_turn_an_image_round() -> None:
    """A bright letter in the empty corner changes neither orientation nor crop."""
    marked = breast()
    marked[20:60, 620:690] = 4095
    plain, placement = prepare(breast(), inverted=False, **SIZE)
    _, with_marker = prepare(marked, inverted=False, **SIZE)
    assert with_marker == placement
    assert plain.shape == (128, 104)


def test_inverted_pixels_give_the_same_tensor() -> None:
    """MONOCHROME1 is the negative of MONOCHROME2."""
    image = breast(right=True, spot=(300, 200))
    upright, placement = prepare(image, inverted=False, **SIZE)
    inverted, same = prepare(np.uint16(4095) - image, inverted=True, **SIZE)
    assert same == placement
    np.testing.assert_allclose(inverted, upright, atol=2e-3)


def test_the_crop_is_the_breast() -> None:
    """Air around the breast is cut away but for a margin."""
    crop = prepare(breast(), inverted=False, **SIZE)[1].crop
    assert crop.left == 0
    assert 80 - 25 <= crop.top <= 80
    assert 780 <= crop.top + crop.height <= 780 + 25
    assert 480 - 5 <= crop.width <= 480 + 20


def test_proportions_are_kept() -> None:
    """Both directions are reduced by the same factor, to half a pixel."""
    placement = prepare(breast(), inverted=False, height=200, width=60)[1]
    scale = placement.placed.width / placement.crop.width
    assert abs(placement.placed.height - placement.crop.height * scale) <= 0.51
    assert placement.placed.width == 60


def test_padding_is_zero() -> None:
    """What the tensor has beyond the breast is 0."""
    tensor, placement = prepare(breast(), inverted=False, height=128, width=200)
    assert placement.placed.width < 200
    assert not tensor[:, placement.placed.width :].any()


def test_air_is_zero_and_the_median_has_headroom() -> None:
    """The window spans from air to a multiple of the breast's median."""
    tensor, _ = prepare(breast(), inverted=False, **SIZE, headroom=2.0)
    assert tensor.dtype == np.float32
    assert tensor[0, -1] == 0
    assert np.median(tensor[tensor > 0.1]) == pytest.approx(0.5, abs=0.01)


def test_a_bright_finding_does_not_darken_the_rest() -> None:
    """The window is the same with and without a finding."""
    plain, _ = prepare(breast(), inverted=False, **SIZE)
    found, _ = prepare(breast(spot=(300, 200)), inverted=False, **SIZE)
    assert found.max() == 1
    assert np.median(np.abs(found - plain)) < 1e-3


def test_a_linear_change_of_grey_values_changes_nothing() -> None:
    """Gain and offset of a detector do not matter."""
    image = breast().astype(np.float32)
    one, _ = prepare(image, inverted=False, **SIZE)
    other, _ = prepare(image * 3 + 700, inverted=False, **SIZE)
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("spot", [(200, 90), (610, 333)])
def test_a_spot_in_the_tensor_comes_back_to_its_place(right: bool, spot: tuple[int, int]) -> None:
    """An off-centre spot, seen in the tensor and mapped back, lies within a source pixel of where it was."""
    with_spot, placement = prepare(breast(right, spot), inverted=False, height=640, width=520)
    without, _ = prepare(breast(right), inverted=False, height=640, width=520)
    back = to_source(placement, np.where(with_spot > 0.95, with_spot, 0), (ROWS, COLUMNS))
    column = COLUMNS - 1 - spot[1] if right else spot[1]
    found = centre(back)
    assert without.shape == with_spot.shape
    assert abs(found[0] - spot[0]) <= 1
    assert abs(found[1] - column) <= 1


@pytest.mark.parametrize("right", [False, True])
def test_a_coarse_map_comes_back_within_a_cell(right: bool) -> None:
    """The cell of a coarse map that holds the spot covers the spot in the source."""
    spot = (330, 250)
    tensor, placement = prepare(breast(right, spot), inverted=False, **SIZE)
    coarse = np.where(tensor > 0.95, tensor, 0).reshape(16, 8, 13, 8).sum((1, 3))
    back = to_source(placement, coarse / coarse.max(), (ROWS, COLUMNS))
    cell = 8 * placement.crop.height / placement.placed.height
    found = centre(np.where(back > 0.5, back, 0))
    column = COLUMNS - 1 - spot[1] if right else spot[1]
    assert abs(found[0] - spot[0]) <= cell
    assert abs(found[1] - column) <= cell


def test_a_map_can_be_laid_over_a_reduced_copy() -> None:
    """Asked for half the size, the map lies where it would after reducing."""
    _, placement = prepare(breast(True, (330, 250)), inverted=False, **SIZE)
    map_hw = np.zeros((32, 26), np.float32)
    map_hw[10:13, 8:12] = 1
    full = centre(to_source(placement, map_hw, (ROWS, COLUMNS)))
    half = centre(to_source(placement, map_hw, (ROWS // 2, COLUMNS // 2)))
    assert abs(half[0] - full[0] / 2) <= 0.5
    assert abs(half[1] - full[1] / 2) <= 0.5


def test_nothing_is_laid_over_what_was_cropped_away() -> None:
    """Outside the crop the map is 0, inside a map of ones is 1."""
    _, placement = prepare(breast(True), inverted=False, **SIZE)
    back = to_source(placement, np.ones((32, 26), np.float32), (ROWS, COLUMNS))
    assert back[:, : COLUMNS - placement.crop.width - 1].max() == 0
    assert back[430, -200:].min() == 1


def test_a_blank_image_is_kept_whole() -> None:
    """Where nothing stands out from the air, everything is kept and the tensor is 0."""
    tensor, placement = prepare(np.full((80, 60), 7, np.uint16), inverted=False, **SIZE)
    assert placement.crop == Box(0, 0, 80, 60)
    assert not tensor.any()


@pytest.mark.parametrize("shape", [(5,), (1, 9), (3, 4, 5)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    """A mammogram has two dimensions of at least two pixels."""
    with pytest.raises(ValueError, match="rows and columns"):
        prepare(np.zeros(shape, np.uint16), inverted=False, **SIZE)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16]), arrays.array_shapes(min_dims=2, max_dims=2, min_side=2)
    ),
    st.booleans(),
)
def test_any_pixels_give_a_tensor_in_range(image: NDArray[np.uint16], inverted: bool) -> None:
    """Whatever the pixels are, the tensor is finite and in [0, 1], and the way back has the source's shape."""
    tensor, placement = prepare(image, inverted=inverted, height=16, width=12)
    assert tensor.shape == (16, 12)
    assert np.isfinite(tensor).all()
    assert tensor.min() >= 0
    assert tensor.max() <= 1
    assert isinstance(placement, Placement)
    assert to_source(placement, tensor, (image.shape[0], image.shape[1])).shape == image.shape


def test_a_real_mammogram_is_oriented_and_cropped() -> None:
    """A right MLO of a real detector is mirrored, and the fold of the abdomen below the breast is cut away."""
    ds = pydicom.dcmread(shared("data", "dicom", "fo-dicom", "GH133.dcm"))
    image = imagecodecs.ljpeg_decode(next(generate_frames(ds.PixelData, number_of_frames=1)))
    tensor, placement = prepare(image, inverted=False, height=256, width=208)
    assert (ds.ImageLaterality, placement.flipped) == ("R", True)
    assert placement.crop.left == 0
    assert 2000 < placement.crop.height < 2600
    assert (tensor[:, 0] > 0.1).mean() > 0.8
    assert (tensor == 1).mean() < 0.01
