"""A mammogram to the tensor a bundle reads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.preprocess.placement import Box, Floats, Placement
from agent.preprocess.resize import reduce, resize, run


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
    small = peak - reduce(image_hw, step) if inverted else reduce(image_hw, step)
    breast = small > _air(small) + air_share * (_top(small) - _air(small))
    flipped = _chest_is_right(small, breast)
    crop = _breast_box(breast[:, ::-1] if flipped else breast, step, image_hw.shape, margin)
    oriented = image_hw[:, ::-1] if flipped else image_hw
    cropped = oriented[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    placed = _fit(crop, height, width)
    resized = resize(cropped, placed.height, placed.width)
    if inverted:
        resized = peak - resized
    tensor = np.zeros((height, width), np.float32)
    rows, columns = slice(placed.top, placed.top + placed.height), slice(placed.left, placed.left + placed.width)
    tensor[rows, columns] = _window(resized, _air(small), air_share, headroom)
    return tensor, Placement(_pair(image_hw.shape), flipped, crop, (height, width), placed)


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]


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
    top, bottom = run(breast.mean(1), 0.03)
    left, right = run(breast[top:bottom].mean(0), 0.03)
    pad_y, pad_x = round(margin * (bottom - top) * step), round(margin * (right - left) * step)
    first_row, last_row = max(0, top * step - pad_y), min(shape[0], bottom * step + pad_y)
    first_column, last_column = max(0, left * step - pad_x), min(shape[1], right * step + pad_x)
    return Box(first_row, first_column, last_row - first_row, last_column - first_column)


def _fit(crop: Box, height: int, width: int) -> Box:
    """Where the crop goes in the tensor: as large as fits, at the left edge, half-way down."""
    scale = min(height / crop.height, width / crop.width)
    fitted_h = max(1, min(height, round(crop.height * scale)))
    fitted_w = max(1, min(width, round(crop.width * scale)))
    return Box((height - fitted_h) // 2, 0, fitted_h, fitted_w)


def _window(resized: Floats, air: float, air_share: float, headroom: float) -> Floats:
    above = resized - np.float32(air)
    breast = above[above > air_share * float(above.max())]
    top = headroom * float(np.median(breast)) if breast.size else 1.0
    windowed: Floats = np.clip(above / np.float32(top), 0, 1)
    return windowed
