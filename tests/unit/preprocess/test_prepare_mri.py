"""Dynamic MR becomes a tensor of one breast, and maps over it go back."""

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from agent.core.errors import Rejected
from agent.dicom.geometry import mr_slice
from agent.dicom.pixels import decode
from agent.preprocess.mri import choose_phases, prepare
from agent.preprocess.placement import Box, to_source, to_tensor
from tests.peers import shared

SIZE: dict[str, Any] = {"height": 80, "width": 96, "tensor_pixel_mm": 1.6, "phases": 4}
SLICES, HEIGHT_MM, WIDTH_MM = 3, 200.0, 320.0
FRONT_MM = 22.0
MASS = (1, 61.0, 217.0)  # slice, mm from the top, mm from the left: in the left breast of a supine image
GAINS = (0.0, 0.9, 0.8, 0.7)


def scan(
    pixel_mm: float = 1.0, mass: tuple[int, float, float] = MASS, gains: tuple[float, ...] = GAINS, radius_mm: float = 6
) -> NDArray[np.uint16]:
    """Two breasts of different depth before a chest, noise in the air, a mass that takes up contrast: by `gains`."""
    rows, columns = (np.mgrid[0 : round(HEIGHT_MM / pixel_mm), 0 : round(WIDTH_MM / pixel_mm)] + 0.5) * pixel_mm
    left = np.hypot((columns - 230) / 65, (rows - 110) / (110 - FRONT_MM)) < 1
    right = np.hypot((columns - 85) / 60, (rows - 110) / 75) < 1
    noise = np.random.default_rng(0).integers(0, 15, (SLICES, *rows.shape))
    before = np.where(left | right | (rows > 110), 400, 0) + noise
    inside = np.hypot(rows - mass[1], columns - mass[2]) < radius_mm
    volume = np.stack([before] * len(gains)).astype(np.float64)
    volume[:, mass[0]] += 400 * np.asarray(gains)[:, None, None] * inside
    return volume.astype(np.uint16)


def left_breast(volume: NDArray[Any], pixel_mm: float = 1.0, **other: Any) -> Any:
    """Prepare the left breast of a supine scan."""
    how: dict[str, Any] = {"side": "L", "columns_to_left": True} | SIZE | other
    return prepare(volume, pixel_mm=(pixel_mm, pixel_mm), **how)


def centre(map_hw: NDArray[Any]) -> tuple[float, float]:
    """Centre of mass, from the corner of the first pixel."""
    rows, columns = np.mgrid[0 : map_hw.shape[0], 0 : map_hw.shape[1]] + 0.5
    return float((rows * map_hw).sum() / map_hw.sum()), float((columns * map_hw).sum() / map_hw.sum())


def enhancing(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the slice of the mass takes up contrast, 1, else 0."""
    return np.where(tensor[MASS[0], 1] > 0.2, 1, 0).astype(np.float32)


# which phases


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(2, (0, 1, 1, 1)), (3, (0, 1, 2, 2)), (4, (0, 1, 2, 3)), (5, (0, 1, 3, 4)), (7, (0, 1, 4, 6))],
)
def test_phases_are_the_first_the_first_after_contrast_and_the_last(count: int, chosen: tuple[int, ...]) -> None:
    """With evenly spaced ones between, and repeated where there are too few."""
    assert choose_phases(count, 4) == chosen


@given(st.integers(2, 60), st.integers(2, 10))
def test_chosen_phases_are_in_order(count: int, phases: int) -> None:
    """As many as asked for, from the first to the last."""
    chosen = choose_phases(count, phases)
    assert len(chosen) == phases
    assert list(chosen) == sorted(chosen)
    assert (chosen[0], chosen[1]) == (0, 1)
    assert chosen[-1] == (count - 1 if phases > 2 else 1)


def test_one_phase_is_not_enough() -> None:
    """Nothing shows what takes up contrast."""
    with pytest.raises(Rejected, match="fewer than two phases"):
        left_breast(scan(gains=(0.0,)))


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7])
def test_each_channel_shows_its_phase(count: int) -> None:
    """The gain of the mass over its tissue, halved by the window, in each chosen phase."""
    gains = (0.0, *np.linspace(1.0, 0.4, count - 1))
    tensor, _ = left_breast(scan(gains=gains))
    inside = enhancing(tensor) > 0
    seen = [np.median(tensor[MASS[0], phase][inside]) for phase in range(1, 4)]
    assert seen == pytest.approx([gains[index] / 2 for index in choose_phases(count, 4)[1:]], abs=0.02)


# where


@pytest.mark.parametrize("pixel_mm", [0.5, 0.83, 1.0, 1.6, 2.5])
def test_a_millimetre_is_a_millimetre_at_any_resolution(pixel_mm: float) -> None:
    """Depth from the foremost tissue, distance from the midline and area, whatever the scan's resolution."""
    tensor, placement = left_breast(scan(pixel_mm), pixel_mm)
    row, column = centre(enhancing(tensor))
    front = placement.crop.top * pixel_mm
    assert placement.placed == Box(0, 0, 80, 96)
    assert row * 1.6 == pytest.approx(MASS[1] - front, abs=max(pixel_mm, 0.8))
    assert column * 1.6 == pytest.approx(MASS[2] - WIDTH_MM / 2, abs=max(pixel_mm, 0.8))
    assert enhancing(tensor).sum() * 1.6**2 == pytest.approx(math.pi * 36, rel=0.25)


@pytest.mark.parametrize("columns_to_left", [True, False])
@pytest.mark.parametrize("rows_to_back", [True, False])
@pytest.mark.parametrize("pixel_mm", [0.5, 1.0, 1.3])
@pytest.mark.parametrize("mass", [(1, 61.0, 217.0), (1, 90.0, 251.0)])
def test_what_is_seen_comes_back_to_its_place(
    columns_to_left: bool, rows_to_back: bool, pixel_mm: float, mass: tuple[int, float, float]
) -> None:
    """However the image lies, the mass is mapped back within a source pixel or half a pixel of the tensor."""
    turned = scan(pixel_mm, mass)[:, :, :: 1 if rows_to_back else -1, :: 1 if columns_to_left else -1]
    tensor, placement = left_breast(turned, pixel_mm, columns_to_left=columns_to_left, rows_to_back=rows_to_back)
    assert (placement.flipped, placement.upended) == (not columns_to_left, not rows_to_back)
    rows, columns = placement.source_shape
    back = centre(to_source(placement, enhancing(tensor), (rows, columns)))
    wanted = mass[1] / pixel_mm, mass[2] / pixel_mm
    bound = max(1.0, 0.8 / pixel_mm)
    assert back[0] == pytest.approx(wanted[0] if rows_to_back else rows - wanted[0], abs=bound)
    assert back[1] == pytest.approx(wanted[1] if columns_to_left else columns - wanted[1], abs=bound)


@pytest.mark.parametrize("columns", [320, 321])
def test_the_right_breast_is_the_mirrored_left(columns: int) -> None:
    """The midline is at the left of both tensors, the side of the patient aside nothing differs."""
    volume = scan()[..., :columns] if columns == 320 else np.pad(scan(), [(0, 0)] * 3 + [(0, 1)], mode="edge")
    left, one = left_breast(volume)
    right, other = left_breast(volume[..., ::-1], side="R")
    assert (one.flipped, other.flipped) == (False, True)
    assert np.array_equal(left, right)


def test_each_side_shows_its_own_breast() -> None:
    """The mass of the left breast is in the left tensor alone, which begins at the left breast's own front."""
    left, one = left_breast(scan())
    right, other = left_breast(scan(), side="R")
    assert left[:, 1:].max() > 0.4
    assert right[:, 1:].max() < 0.05
    assert FRONT_MM - 6 <= one.crop.top <= FRONT_MM
    assert 35 - 6 <= other.crop.top <= 35 + 3


def test_all_slices_share_one_placement() -> None:
    """The foremost tissue is that of the foremost slice, also where others reach less far."""
    volume = scan()
    volume[:, 0, :110] = 5
    assert left_breast(volume)[1] == left_breast(scan())[1]


def test_a_narrow_image_is_padded_away_from_the_midline() -> None:
    """What the tensor has beyond the image's edge and back is 0."""
    tensor, placement = left_breast(scan()[..., :90, 40:280])
    assert placement.placed == Box(0, 0, 45, 75)
    assert not tensor[:, :, 45:].any()
    assert not tensor[..., 75:].any()


def test_pixels_may_be_longer_than_wide() -> None:
    """Each axis has its own scale."""
    tensor, placement = prepare(scan()[:, :, ::2], pixel_mm=(2.0, 1.0), side="L", columns_to_left=True, **SIZE)
    row, column = to_tensor(placement, MASS[1] / 2, MASS[2])
    assert centre(enhancing(tensor)) == pytest.approx((row, column), abs=0.6)
    assert (placement.crop.height, placement.crop.width) == (64, 154)


# how bright


def test_the_tissue_before_contrast_has_headroom() -> None:
    """Its median is a third of the window, air is 0."""
    tensor, _ = left_breast(scan())
    assert np.median(tensor[:, 0][tensor[:, 0] > 0.1]) == pytest.approx(1 / 3, abs=0.01)
    assert tensor[:, 0, 0].max() < 0.05


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_gain_and_offset_do_not_matter(dtype: Any) -> None:
    """Neither does the sign of the stored values."""
    other = (scan().astype(np.int32) * 4 - (1000 if dtype is not np.uint16 else 0)).astype(dtype)
    np.testing.assert_allclose(left_breast(other)[0], left_breast(scan())[0], atol=1e-4)


def test_eight_bits_are_enough() -> None:
    """A scan of few grey levels gives nearly the same tensor."""
    coarse = (scan() / 4).astype(np.uint8)
    assert np.abs(left_breast(coarse)[0] - left_breast(scan())[0]).mean() < 0.01


@pytest.mark.parametrize("where", [np.s_[0, 0, 3, 200], np.s_[:, 1, 2, 300], np.s_[1:, :, 100:160, 170:173]])
def test_something_bright_changes_nothing_elsewhere(where: Any) -> None:
    """A hot pixel in the air or a vessel full of contrast moves neither crop nor window."""
    volume = scan()
    volume[where] = 65535
    tensor, placement = left_breast(volume)
    plain, same = left_breast(scan())
    assert placement == same
    assert (np.abs(tensor - plain) > 0.01).mean() < 0.06


def test_a_marker_in_front_of_the_breast_is_not_the_breast() -> None:
    """A capsule fixed to the coil is cut away: the body is what is heaviest."""
    volume = scan()
    volume[:, :, 2:9, 220:240] = 900
    assert left_breast(volume)[1] == left_breast(scan())[1]


def test_what_loses_intensity_is_zero() -> None:
    """Enhancement below none is noise or movement."""
    tensor, _ = left_breast(scan(gains=(0.0, -0.5, -0.5, -0.5)))
    assert tensor[:, 1:].max() < 0.05


# what is refused


@pytest.mark.parametrize("pixel_mm", [math.nan, 0.0, -1.0, 1e9])
def test_a_spacing_that_cannot_be_is_refused(pixel_mm: float) -> None:
    """Along either axis."""
    for spacing in ((pixel_mm, 1.0), (1.0, pixel_mm)):
        with pytest.raises(Rejected, match="pixels of"):
            prepare(scan(), pixel_mm=spacing, side="L", columns_to_left=True, **SIZE)


@pytest.mark.parametrize("shape", [(2, 0, 8, 8), (2, 1, 1, 8), (2, 1, 8, 1)])
def test_a_volume_without_images_is_refused(shape: tuple[int, ...]) -> None:
    """The reason says how large it is."""
    with pytest.raises(Rejected, match=r"an MR volume of \d slices of \d x \d pixels"):
        left_breast(np.zeros(shape, np.uint16))


def test_a_blank_volume_is_refused() -> None:
    """There is no tissue to be a unit."""
    with pytest.raises(Rejected, match="no tissue"):
        left_breast(np.full((2, 2, 40, 60), 7, np.uint16))


def test_what_is_no_volume_is_refused() -> None:
    """Phases, slices, rows and columns."""
    with pytest.raises(ValueError, match="phases, slices, rows and columns"):
        left_breast(np.zeros((2, 8, 8), np.uint16))


@pytest.mark.parametrize("side", ["", "B", "l"])
def test_a_breast_is_left_or_right(side: str) -> None:
    """Nothing else is taken for the left one."""
    with pytest.raises(ValueError, match="L or R"):
        left_breast(scan(), side=side)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int16]),
        st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(2, 9), st.integers(2, 9)),
    ),
    st.floats(0.005, 10),
    st.booleans(),
    st.booleans(),
)
def test_any_pixels_give_a_tensor_in_range(
    volume: NDArray[Any], pixel_mm: float, columns_to_left: bool, rows_to_back: bool
) -> None:
    """Whatever the pixels and their size are, the tensor is finite and in [0, 1], unless there is no tissue."""
    try:
        tensor, placement = left_breast(
            volume, pixel_mm, columns_to_left=columns_to_left, rows_to_back=rows_to_back, height=10, width=12
        )
    except Rejected:
        low, high = np.percentile(volume[0].astype(float), (1, 99))  # of 16-bit numbers NumPy's difference overflows
        assert low == high
        return
    assert tensor.shape == (volume.shape[1], 4, 10, 12)
    assert np.isfinite(tensor).all()
    assert 0 <= tensor.min() <= tensor.max() <= 1
    assert to_source(placement, tensor[0, 1], volume.shape[2:]).shape == volume.shape[2:]


def test_a_volume_takes_little_time() -> None:
    """Four phases of eight slices of 256 x 384; the best of five, since the machine does other things too."""
    volume = np.random.default_rng(0).integers(0, 2000, (4, 8, 256, 384)).astype(np.uint16)
    took_s = []
    for _ in range(5):
        start_s = time.perf_counter()
        left_breast(volume, 0.83)
        took_s.append(time.perf_counter() - start_s)
    assert min(took_s) < 0.1


def test_a_real_prone_scan_lies_as_all_others() -> None:
    """Its rows count forwards and its columns to the right: the front comes to the top, air before it."""
    files = sorted(shared("data", "duke_breast_mri", "dicom").glob("*.dcm"))
    parts = [path.read_bytes() for path in files]
    first = mr_slice(parts[0])
    assert (first.columns_to_left, first.rows_to_back) == (False, False)
    before = np.stack([decode(part).image_hw for part in parts])
    for side in ("L", "R"):
        tensor, placement = prepare(
            np.stack([before, before]),
            pixel_mm=first.pixel_mm,
            side=side,
            columns_to_left=first.columns_to_left,
            rows_to_back=first.rows_to_back,
            **SIZE,
        )
        assert (placement.flipped, placement.upended) == (side == "L", True)
        assert 230 < placement.crop.top < 260
        assert tensor[:, 0, :2].mean() < 0.06
        assert tensor[:, 0, 20:40, 5:40].mean() > 0.2
        assert not tensor[:, 1:].any()
