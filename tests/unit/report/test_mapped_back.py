"""A target in an image, through preprocessing and back: influence, SR's box and picture show it where it was.

The model is left out: what it is given of the target is taken for its saliency.
"""

from typing import Any, Final

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import generate_uid

from agent.core.prediction import Estimate
from agent.core.result import Influence, SourceImage
from agent.infer.influence import influences
from agent.infer.mri import _reduced, enlarged
from agent.infer.view import View
from agent.preprocess import mammogram, mri, ultrasound
from agent.preprocess.placement import Box, Placement, to_source
from agent.report.colour import LOWEST_SHOWN, OPACITY, PALETTE
from agent.report.draft import Draft
from agent.report.drawing import drawing
from agent.report.heatmap import heatmap
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE

Floats = NDArray[np.float32]
GREY: Final = 110
SHARES: Final = st.floats(0.3, 0.7)
BUDGET: Final = settings(max_examples=5, deadline=None)


def target(shape: tuple[int, int], row: float, column: float, size: float) -> Floats:
    """A spot that is alike in no direction: wider than high, with a smaller one below at its left."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    spot = np.exp(-(((rows - row) / size) ** 2) - ((columns - column) / (1.5 * size)) ** 2)
    beside = np.exp(-(((rows - row - 1.3 * size) / (0.8 * size)) ** 2) - ((columns - column + size) / size) ** 2)
    both: Floats = (spot + 0.5 * beside).astype(np.float32)
    return both / both.max()


def centre(map_hw: NDArray[Any], pixel: float = 1.0) -> NDArray[np.float64]:
    """Centre (x, y) of what is strong enough to be drawn, from the corner of the first pixel."""
    drawn = np.where(map_hw * 255 >= LOWEST_SHOWN, map_hw, 0)
    rows, columns = np.mgrid[0 : drawn.shape[0], 0 : drawn.shape[1]] + 0.5
    return np.array([(columns * drawn).sum(), (rows * drawn).sum()]) / drawn.sum() * pixel


def edges(map_hw: Floats) -> NDArray[np.int64]:
    """Left, top, right and bottom edge of what is at least half as strong as the strongest."""
    rows, columns = np.nonzero(map_hw >= 0.5)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def levels_of(picture: NDArray[np.uint8], grey: int = GREY) -> NDArray[np.float64]:
    """Read influence, in [0, 1], from the colours of an overlay on uniform grey."""
    palette, opacity = np.frombuffer(PALETTE, np.uint8).reshape(256, 3), np.array(OPACITY)[:, None] / 255
    colours = palette * opacity + grey * (1 - opacity)
    bits = np.array([16, 8, 0])
    there, which = np.unique((picture.astype(np.int64) << bits).sum(-1), return_inverse=True)  # rows sort slowly
    nearest = np.abs((there[:, None] >> bits & 255)[:, None] - colours).sum(-1).argmin(-1)
    return np.asarray(nearest[which].reshape(picture.shape[:2]) / 255)


def assert_comes_back(
    ds: Dataset, shown: tuple[int, int], reduction: float, seen: Floats, placement: Placement, wanted: Floats
) -> None:
    """Assert where a saliency map comes to lie.

    Parameters
    ----------
    ds
        Header of the image.
    shown, reduction
        Size of the image that the report gets, and how many source pixels one of its pixels stands for.
    seen
        The map over the tensor.
    placement
        Of the image in the tensor.
    wanted
        The target, in source pixels.
    """
    source = scenes.source(ds, np.full(shown, GREY, np.uint8))
    source = SourceImage(source.instance, source.header, source.image_hw, reduction)
    answer = builders.estimate("L", contributions={"MG": 0.8, "US": 0.8, "MR": 0.8})
    found = _influence(answer, View(source, seen[None], placement), seen)
    assert np.abs(centre(found.saliency_hw, reduction) - centre(wanted)).max() <= 1

    draft = Draft.of(builders.result([answer], [source], [found]), [source], DEVICE)
    drawn = drawing(draft, answer, ())
    assert drawn is not None
    box = np.array([drawn.box.left, drawn.box.top, drawn.box.right, drawn.box.bottom])
    assert np.abs(box - edges(wanted)).max() <= max(1.0, reduction)

    picture = heatmap(draft, answer, draft.places(answer)[0])
    at = draft.sources[0].shown
    corner = [round(edge * reduction * picture.scale) for edge in (at.left, at.top, at.width, at.height)]
    left, top = round(picture.left) + corner[0], round(picture.top) + corner[1]
    overlay = np.asarray(picture.image)[top : top + corner[3], left : left + corner[2]]
    offset = np.array([left, top]) - np.array([picture.left, picture.top])
    placed = (centre(levels_of(overlay)) + offset) / picture.scale
    assert np.abs(placed - centre(wanted)).max() <= 1


def _influence(answer: Estimate, view: View, seen: Floats) -> Influence:
    name = {"MG": "mammogram", "US": "ultrasound", "MR": "mri"}[view.instance.modality]
    outputs = {f"{name}_saliency": seen[None, None], f"{name}_evidence": np.array([[0.8]])}
    (found,) = influences(answer, [view], outputs, 0)
    return found


def gained(after: Floats, before: Floats) -> Floats:
    """What a tensor gained, as a share of the most."""
    more = np.clip(after - before, 0, None)
    return np.asarray(more / more.max(), np.float32)


@BUDGET
@given(st.integers(301, 340), st.integers(241, 280), SHARES, SHARES, st.booleans(), st.sampled_from([1, 2, 3]))
def test_of_a_mammogram(rows: int, columns: int, down: float, across: float, right: bool, reduction: int) -> None:
    """Mirrored or not, cropped to the breast, reduced by a factor that leaves rows and columns over."""
    yy, xx = np.mgrid[0:rows, 0:columns]
    breast = np.where((xx / (0.9 * columns)) ** 2 + ((yy - rows / 2) / (0.45 * rows)) ** 2 < 1, 1000.0, 50.0)
    wanted = target((rows, columns), down * rows, 0.6 * across * columns, 14)
    images = [np.asarray(image[:, ::-1] if right else image) for image in (breast, breast + 500 * wanted)]
    (before, placement), (after, same) = (
        mammogram.prepare(image, inverted=False, height=208, width=168) for image in images
    )
    assume(placement == same)
    assert placement.flipped is right
    ds = builders.mammogram("L", "MLO", rows=rows, columns=columns)
    shown = (rows // reduction, columns // reduction)
    wanted = np.asarray(wanted[:, ::-1] if right else wanted)
    assert_comes_back(ds, shown, reduction, gained(after, before), placement, wanted)


@BUDGET
@given(st.integers(150, 210), st.integers(160, 230), SHARES, SHARES, st.floats(0.07, 0.16))
def test_of_an_ultrasound_image(height: int, width: int, down: float, across: float, pixel_mm: float) -> None:
    """Its field of view is cropped or padded to the tensor's, and alone is in the picture."""
    field = Box(31, 47, height, width)
    shape = (height + 60, width + 90)
    ramp = np.full(shape, 255.0)
    field.of(ramp)[:] = np.linspace(40, 160, width)
    wanted = target(shape, field.top + down * height, field.left + across * width, 10)
    (before, placement), (after, _) = (
        ultrasound.prepare(
            image, pixel_mm=pixel_mm, region=field, height=144, width=160, tensor_pixel_mm=0.15, headroom=6.0
        )
        for image in (ramp, ramp + 100 * wanted)
    )
    at = placement.crop
    edge = edges(wanted)
    inside = at.left + 30 < edge[0] and edge[2] + 30 < at.left + at.width and edge[3] + 30 < at.top + at.height
    assume(inside and edge[1] > at.top + 30)
    ds = scenes.ultrasound("L", SequenceOfUltrasoundRegions=[_region(field)])
    ds.Rows, ds.Columns = shape
    assert_comes_back(ds, shape, 1, gained(after, before), placement, wanted)


def _region(field: Box) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.RegionLocationMinX0, item.RegionLocationMinY0 = field.left, field.top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = field.left + field.width - 1, field.top + field.height - 1
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    return item


@BUDGET
@given(
    st.integers(200, 260),
    st.integers(320, 380),
    SHARES,
    SHARES,
    st.sampled_from("LR"),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_of_an_mr_slice(
    rows: int, columns: int, down: float, across: float, side: str, to_left: bool, to_back: bool, step: int
) -> None:
    """Either half, prone or supine, columns either way, reduced before it is prepared."""
    yy, xx = np.mgrid[0:rows, 0:columns]
    tissue = np.where((yy > 0.1 * rows) & (np.abs(xx - columns / 2) < 0.45 * columns), 400.0, 0.0)
    wanted = target((rows, columns), (0.1 + 0.6 * down) * rows, (0.5 + 0.4 * across) * columns, 12)
    turn = (slice(None, None, 1 if to_back else -1), slice(None, None, 1 if (side == "L") == to_left else -1))
    phases = [_reduced(image[turn], step) for image in (tissue, tissue + 300 * wanted)]
    tensor, placement = mri.prepare(
        np.stack(phases)[:, None],
        pixel_mm=(float(step), float(step)),
        side=side,
        columns_to_left=to_left,
        rows_to_back=to_back,
        height=128,
        width=112,
        tensor_pixel_mm=1.5,
        phases=2,
    )
    ds = scenes.mr(1, 1, ImageOrientationPatient=[1 if to_left else -1, 0, 0, 0, 1 if to_back else -1, 0])
    ds.Rows, ds.Columns, ds.SOPInstanceUID = rows, columns, generate_uid()
    whole = enlarged(placement, step, (rows, columns))
    seen = tensor[0, 1] / tensor[0, 1].max()
    assert_comes_back(ds, (rows // step, columns // step), step, seen, whole, np.asarray(wanted[turn]))


def test_a_reduced_copy_lacks_what_was_left_over() -> None:
    """Of 103 rows at a reduction of 4 the last three are in no pixel: the map does not stretch over them."""
    placement = Placement((103, 103), False, Box(0, 0, 103, 103), (103, 103), Box(0, 0, 103, 103))
    ramp = np.arange(103, dtype=np.float32)[:, None].repeat(103, 1) + 0.5
    exact, stretched = (to_source(placement, ramp, (25, 25), reduction)[:, 0] for reduction in (4.0, None))
    assert np.allclose(exact, 4 * (np.arange(25) + 0.5))
    assert abs(stretched[-1] - exact[-1]) > 2
