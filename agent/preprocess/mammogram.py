"""A mammogram to the tensor a bundle reads, and a map over that tensor back to the mammogram's own pixels."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels: first row and column, and its size."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the pixels of a source image came to lie in its tensor."""

    source_shape: tuple[int, int]  # (rows, columns)
    flipped: bool  # columns were mirrored, so that the chest wall is at the left
    crop: Box  # the breast, in source pixels after mirroring
    tensor_shape: tuple[int, int]
    placed: Box  # where the crop lies in the tensor; the rest is padding


def prepare(
    image_hw: NDArray[Any],
    *,
    inverted: bool,
    height: int,
    width: int,
    air_share: float = 0.05,
    margin: float = 0.02,
    headroom: float = 2.6,
) -> tuple[Floats, Placement]:
    """Orient, crop, resize and window one mammogram.

    The breast is what lies above the air by more than `air_share` of the grey range; it is put with the chest wall
    at the left edge and fitted into the tensor with its proportions kept. Resizing averages areas and comes before
    windowing, which maps air to 0 and `headroom` times the breast's median to 1: a window that a finding, however
    bright or large, hardly moves.

    Parameters
    ----------
    image_hw : array (H, W)
        Pixel values as stored, of any real type.
    inverted : bool
        Whether low values are bright (MONOCHROME1, PS3.3 C.7.6.3.1.2).
    height, width : int
        Size of the tensor.
    air_share : float
        Share of the grey range, in (0, 1), up to which a pixel counts as air.
    margin : float
        Share of the breast's size that is kept around it.
    headroom : float
        How many times the median of the breast's pixels, above air, becomes 1.

    Returns
    -------
    tensor : float32 (height, width), in [0, 1]
    placement : Placement

    Raises
    ------
    ValueError
        If the image is not two-dimensional or is smaller than 2 x 2.
    """
    if image_hw.ndim != 2 or min(image_hw.shape) < 2:
        raise ValueError(f"a mammogram has rows and columns, this image's shape is {image_hw.shape}")
    step = max(1, max(image_hw.shape) // 320)
    peak = np.float32(image_hw.max())
    small = peak - _reduce(image_hw, step) if inverted else _reduce(image_hw, step)
    breast = small > _air(small) + air_share * (_top(small) - _air(small))
    flipped = _chest_is_right(small, breast)
    crop = _breast_box(breast[:, ::-1] if flipped else breast, step, image_hw.shape, margin)
    oriented = image_hw[:, ::-1] if flipped else image_hw
    cropped = oriented[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    placed = _fit(crop, height, width)
    resized = _resize(cropped, placed.height, placed.width)
    if inverted:
        resized = peak - resized
    tensor = np.zeros((height, width), np.float32)
    rows, columns = slice(placed.top, placed.top + placed.height), slice(placed.left, placed.left + placed.width)
    tensor[rows, columns] = _window(resized, _air(small), air_share, headroom)
    return tensor, Placement(_pair(image_hw.shape), flipped, crop, (height, width), placed)


def to_source(placement: Placement, map_hw: NDArray[Any], shape: tuple[int, int]) -> Floats:
    """Lay a map over the tensor back over the source image.

    Parameters
    ----------
    placement : Placement
        What `prepare` returned for the image.
    map_hw : array (h, w)
        A map over the whole tensor, at its resolution or a coarser one.
    shape : tuple[int, int]
        Rows and columns of the result: the source's own, or those of a reduced copy of it.

    Returns
    -------
    float32 shape
        The map, interpolated between the centres of its pixels; 0 where the tensor showed nothing of the source.
    """
    rows, row_seen = _places(placement, map_hw.shape[0], shape[0], axis=0)
    columns, column_seen = _places(placement, map_hw.shape[1], shape[1], axis=1)
    values = _interpolate(_interpolate(map_hw.astype(np.float32), rows, 0), columns, 1)
    return np.asarray(values * (row_seen[:, None] & column_seen[None, :]), np.float32)


def _places(placement: Placement, map_size: int, size: int, axis: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Position in the map of each row (axis 0) or column (axis 1) of the result, and whether the tensor showed it."""
    crop, placed = placement.crop, placement.placed
    start, length = ((crop.top, crop.height), (crop.left, crop.width))[axis]
    to, fitted = ((placed.top, placed.height), (placed.left, placed.width))[axis]
    source = (np.arange(size) + 0.5) * placement.source_shape[axis] / size
    if axis == 1 and placement.flipped:
        source = placement.source_shape[1] - source
    tensor = to + (source - start) * fitted / length
    position = tensor * map_size / placement.tensor_shape[axis] - 0.5
    return np.clip(position, 0, map_size - 1), (source >= start) & (source <= start + length)


def _interpolate(values: Floats, position: NDArray[np.float64], axis: int) -> Floats:
    low = np.floor(position).astype(np.intp)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    weight = (position - low).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    between: Floats = np.take(values, low, axis) * (1 - weight) + np.take(values, high, axis) * weight
    return between


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


def _reduce(image_hw: NDArray[Any], step: int) -> Floats:
    """Average blocks of step x step pixels; what is left over at the right and bottom edge is dropped."""
    if step == 1:
        return image_hw.astype(np.float32)
    height, width = image_hw.shape[0] // step, image_hw.shape[1] // step
    kind = np.uint32 if image_hw.dtype.kind == "u" and image_hw.dtype.itemsize <= 2 else np.float32
    rows = image_hw[: height * step, : width * step].reshape(height, step, width * step).sum(1, dtype=kind)
    total: Floats = rows.reshape(height, width, step).sum(2, dtype=kind).astype(np.float32)
    return total / np.float32(step * step)


def _air(small: Floats) -> float:
    return float(np.percentile(small, 1))


def _top(small: Floats) -> float:
    return float(np.percentile(small, 99.5))


def _chest_is_right(small: Floats, breast: NDArray[np.bool_]) -> bool:
    """Whether the right half of the image is the heavier one."""
    half = small.shape[1] // 2
    light = np.where(breast, small - small.min(), 0)
    return bool(light[:, -half:].sum() > light[:, :half].sum())


def _breast_box(breast: NDArray[np.bool_], step: int, shape: tuple[int, ...], margin: float) -> Box:
    """Bounds of the breast in source pixels. A side marker's few rows and columns are too short to count."""
    top, bottom = _run(breast.mean(1), 0.03)
    left, right = _run(breast[top:bottom].mean(0), 0.03)
    pad_y, pad_x = round(margin * (bottom - top) * step), round(margin * (right - left) * step)
    first_row, last_row = max(0, top * step - pad_y), min(shape[0], bottom * step + pad_y)
    first_column, last_column = max(0, left * step - pad_x), min(shape[1], right * step + pad_x)
    return Box(first_row, first_column, last_row - first_row, last_column - first_column)


def _run(share: NDArray[Any], least: float) -> tuple[int, int]:
    """First and one-past-last index of the heaviest unbroken run above `least`; everything if there is none."""
    above = np.concatenate(([False], share > least, [False]))
    edges = np.flatnonzero(above[1:] != above[:-1])
    if edges.size == 0:
        return 0, share.size
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    return max(runs, key=lambda run: float(share[run[0] : run[1]].sum()))


def _fit(crop: Box, height: int, width: int) -> Box:
    """Where the crop goes in the tensor: as large as fits, at the left edge, half-way down."""
    scale = min(height / crop.height, width / crop.width)
    fitted_h = max(1, min(height, round(crop.height * scale)))
    fitted_w = max(1, min(width, round(crop.width * scale)))
    return Box((height - fitted_h) // 2, 0, fitted_h, fitted_w)


def _resize(cropped: NDArray[Any], height: int, width: int) -> Floats:
    """Resize by averaging areas; upwards by interpolating between pixels."""
    step = max(1, min(cropped.shape[0] // (2 * height), cropped.shape[1] // (2 * width)))
    box = (0.0, 0.0, cropped.shape[1] / step, cropped.shape[0] / step)
    padded = cropped if step == 1 else np.pad(cropped, [(0, -n % step) for n in cropped.shape], mode="edge")
    image = Image.fromarray(np.ascontiguousarray(_reduce(padded, step)))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box), np.float32)


def _window(resized: Floats, air: float, air_share: float, headroom: float) -> Floats:
    above = resized - np.float32(air)
    breast = above[above > air_share * float(above.max())]
    top = headroom * float(np.median(breast)) if breast.size else 1.0
    windowed: Floats = np.clip(above / np.float32(top), 0, 1)
    return windowed
