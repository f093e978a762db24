"""Ultrasound images become tensors of one scale, and maps over them go back."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from agent.core.errors import Rejected
from agent.dicom.geometry import ultrasound_scale
from agent.dicom.pixels import decode
from agent.preprocess.placement import Box, Placement, to_source, to_tensor
from agent.preprocess.ultrasound import prepare
from tests.peers import shared

SIZE: dict[str, Any] = {"height": 128, "width": 128, "tensor_pixel_mm": 0.4}
FIELD = Box(40, 90, 500, 500)
SPOT_MM = (12.0, 31.0)


def screen(pixel_mm: float = 0.1, spot_mm: tuple[float, float] = SPOT_MM, radius_mm: float = 2.0) -> NDArray[np.uint8]:
    """Speckle and a shadow in a field of 50 mm with one bright disc, in a black border with a white ruler."""
    size = round(50 / pixel_mm)
    rows, columns = (np.mgrid[0:size, 0:size] + 0.5) * pixel_mm
    field = np.random.default_rng(0).integers(80, 121, (size, size))
    field[:, round(23 / pixel_mm) : round(25 / pixel_mm)] = 0
    field[np.hypot(rows - spot_mm[0], columns - spot_mm[1]) < radius_mm] = 255
    image = np.zeros((size + 100, size + 200), np.uint8)
    image[40 : 40 + size, 90 : 90 + size] = field
    image[40 : 40 + size : 20, 75:85] = 255
    return image


def field(pixel_mm: float = 0.1) -> Box:
    """Where the field lies in a screen."""
    return Box(40, 90, round(50 / pixel_mm), round(50 / pixel_mm))


def bright(tensor: NDArray[np.float32]) -> tuple[float, float, float]:
    """Centre of the bright disc from the tensor's corner, and its area, in pixels."""
    seen = np.where(tensor > 0.6, 1.0, 0.0)
    rows, columns = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]] + 0.5
    return float((rows * seen).sum() / seen.sum()), float((columns * seen).sum() / seen.sum()), float(seen.sum())


@pytest.mark.parametrize("pixel_mm", [0.05, 0.1, 0.15, 0.25])
def test_a_millimetre_is_a_millimetre_at_any_resolution(pixel_mm: float) -> None:
    """The disc has its place and its size, to half a pixel of the tensor and a tenth of its area."""
    tensor, placement = prepare(screen(pixel_mm), pixel_mm=pixel_mm, region=field(pixel_mm), **SIZE)
    row, column, area = bright(tensor)
    assert row * 0.4 == pytest.approx(SPOT_MM[0], abs=0.2)
    assert (column - placement.placed.left) * 0.4 == pytest.approx(SPOT_MM[1], abs=0.2)
    assert area * 0.16 == pytest.approx(math.pi * 4, rel=0.1)


@pytest.mark.parametrize(("height", "width", "mm"), [(128, 128, 0.4), (100, 64, 0.3), (200, 300, 0.25)])
@pytest.mark.parametrize("spot", [(7.0, 17.5), (20.0, 30.0)])
def test_what_is_seen_comes_back_to_its_place(height: int, width: int, mm: float, spot: tuple[float, float]) -> None:
    """An off-centre disc, found in a tensor that crops or pads, lies within half its pixel of where it was."""
    tensor, placement = prepare(
        screen(spot_mm=spot), pixel_mm=0.1, region=FIELD, height=height, width=width, tensor_pixel_mm=mm
    )
    row, column, _ = bright(to_source(placement, np.where(tensor > 0.6, 1, 0), placement.source_shape))
    half = mm / 0.1 / 2
    assert row == pytest.approx(40 + spot[0] * 10, abs=half)
    assert column == pytest.approx(90 + spot[1] * 10, abs=half)


def test_the_transducer_is_in_the_middle_of_the_upper_edge() -> None:
    """A field deeper and wider than the tensor loses its depth and both sides, a smaller one is padded there."""
    wide = prepare(screen(), pixel_mm=0.2, region=FIELD, **SIZE)[1]
    assert wide.crop == Box(40, 90 + 122, 256, 256)
    assert wide.placed == Box(0, 0, 128, 128)
    narrow = prepare(screen(), pixel_mm=0.05, region=FIELD, **SIZE)[1]
    assert narrow.crop == FIELD
    assert narrow.placed == Box(0, 33, 62, 62)
    assert to_tensor(narrow, 40, 90 + 250) == (0, 64)


def test_beyond_the_field_there_is_nothing() -> None:
    """Neither border nor ruler gets into the tensor."""
    tensor, placement = prepare(screen(), pixel_mm=0.1, region=FIELD, **SIZE)
    outside = tensor.copy()
    placement.placed.of(outside)[:] = 0
    assert placement.placed == Box(0, 2, 125, 125)
    assert not outside.any()
    assert to_source(placement, np.ones((16, 16)), placement.source_shape)[:, :90].max() == 0


def test_without_a_scale_the_field_is_as_deep_as_the_tensor() -> None:
    """The whole depth is shown, and the middle of the width."""
    placement = prepare(screen(), pixel_mm=None, region=Box(40, 90, 400, 500), **SIZE)[1]
    assert placement.crop == Box(40, 140, 400, 400)
    assert placement.placed == Box(0, 0, 128, 128)


def test_without_a_region_the_whole_image_is_the_field() -> None:
    """As of a file that states only Pixel Spacing."""
    whole = screen()
    placement = prepare(whole, pixel_mm=0.1, height=200, width=200, tensor_pixel_mm=1.0)[1]
    assert (placement.crop.height, placement.crop.width) == whole.shape


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_gain_offset_and_depth_do_not_matter(dtype: Any) -> None:
    """Signed, 12-bit and 16-bit values of the same image give the same tensor."""
    plain = prepare(screen(), pixel_mm=0.1, region=FIELD, **SIZE)[0]
    other = (screen().astype(np.int32) * 16 - (2000 if dtype is not np.uint16 else 0)).astype(dtype)
    np.testing.assert_allclose(prepare(other, pixel_mm=0.1, region=FIELD, **SIZE)[0], plain, atol=1e-4)


def test_inverted_pixels_give_the_same_tensor() -> None:
    """MONOCHROME1 is the negative of MONOCHROME2, but for which percentile is the darkest."""
    plain = prepare(screen(), pixel_mm=0.1, region=FIELD, **SIZE)[0]
    inverted = prepare(255 - screen(), pixel_mm=0.1, region=FIELD, inverted=True, **SIZE)[0]
    np.testing.assert_allclose(inverted, plain, atol=1e-4)


@pytest.mark.parametrize("size", [1, 30])
def test_something_bright_does_not_darken_the_rest(size: int) -> None:
    """Neither one hot pixel nor a calcification moves the window."""
    plain = prepare(screen(), pixel_mm=0.1, region=FIELD, **SIZE)[0]
    spotted = screen().astype(np.uint16)
    spotted[300 : 300 + size, 400 : 400 + size] = 65535
    assert np.median(np.abs(prepare(spotted, pixel_mm=0.1, region=FIELD, **SIZE)[0] - plain)) < 1e-2


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (Box(-1, 0, 10, 10), "not within the image"),
        (Box(0, -1, 10, 10), "not within the image"),
        (Box(590, 0, 11, 10), "not within the image"),
        (Box(0, 690, 10, 11), "not within the image"),
        (Box(0, 0, 1, 10), "1 x 10 pixels"),
        (Box(0, 0, 10, -3), "10 x -3 pixels"),
    ],
)
def test_a_region_that_cannot_be_is_refused(region: Box, reason: str) -> None:
    """With a plain reason."""
    with pytest.raises(Rejected, match=reason):
        prepare(screen(), pixel_mm=0.1, region=region, **SIZE)


@pytest.mark.parametrize("pixel_mm", [math.nan, 0.0, -0.1, math.inf])
def test_a_scale_that_cannot_be_is_refused(pixel_mm: float) -> None:
    """With a plain reason."""
    with pytest.raises(Rejected, match="pixels of"):
        prepare(screen(), pixel_mm=pixel_mm, **SIZE)


def test_what_has_no_rows_and_columns_is_refused() -> None:
    """A colour image comes as its luminance."""
    with pytest.raises(ValueError, match="rows and columns"):
        prepare(np.zeros((8, 8, 3), np.uint8), pixel_mm=0.1, **SIZE)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16]), arrays.array_shapes(min_dims=2, max_dims=2, min_side=2)
    ),
    st.none() | st.floats(0.005, 10),
    st.booleans(),
)
def test_any_pixels_give_a_tensor_in_range(image: NDArray[Any], pixel_mm: float | None, inverted: bool) -> None:
    """Whatever the pixels and their size are, the tensor is finite and in [0, 1]."""
    tensor, placement = prepare(image, pixel_mm=pixel_mm, inverted=inverted, height=16, width=12, tensor_pixel_mm=0.4)
    assert tensor.shape == (16, 12)
    assert np.isfinite(tensor).all()
    assert 0 <= tensor.min() <= tensor.max() <= 1
    assert isinstance(placement, Placement)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("weasis/ybrFull-RLE.dcm", (368, 400)),
        ("cornerstone-wado/US-YBR_FULL_422-EVRLE.dcm", (480, 616)),
        ("fo-dicom/DIRW0007", (344, 522)),
        ("nema-wg04/US1_RLE", (480, 640)),
    ],
)
def test_real_images_are_prepared(name: str, shape: tuple[int, int]) -> None:
    """Their stated field of view, else the whole, and tissue that is neither black nor burnt out."""
    part10 = shared("data", "dicom", *name.split("/")).read_bytes()
    scale = ultrasound_scale(part10)
    tensor, placement = prepare(decode(part10).image_hw, pixel_mm=scale.pixel_mm, region=scale.region, **SIZE)
    field_of_view = scale.region or Box(0, 0, *placement.source_shape)
    assert (field_of_view.height, field_of_view.width) == shape
    assert 0.02 < placement.placed.of(tensor).mean() < 0.6
    assert (tensor == 1).mean() < 0.3
