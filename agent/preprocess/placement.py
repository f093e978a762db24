"""Where an image came to lie in its tensor, and a map over that tensor back to the image's own pixels."""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Rejected

Floats: TypeAlias = NDArray[np.float32]

SMALLEST_PIXEL_MM: Final = 0.005
LARGEST_PIXEL_MM: Final = 10.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels: first row and column, and its size."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image_hw: NDArray[Any]) -> NDArray[Any]:
        """Return this rectangle of an image, or of the last two axes of a stack of them."""
        return image_hw[..., self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the pixels of a source image came to lie in its tensor."""

    source_shape: tuple[int, int]  # (rows, columns)
    flipped: bool  # columns were mirrored, so that the chest wall or the midline is at the left
    crop: Box  # what is shown, in source pixels after mirroring
    tensor_shape: tuple[int, int]
    placed: Box  # where the crop lies in the tensor; the rest is padding
    upended: bool = False  # rows were turned over, so that the front is at the top


def check_pixel_mm(*pixel_mm: float) -> None:
    """Refuse a size of a pixel that is no number, not positive, or that no scanner has.

    Raises
    ------
    Rejected
        If one is not in [0.005, 10] mm.
    """
    for one in pixel_mm:
        if not (math.isfinite(one) and SMALLEST_PIXEL_MM <= one <= LARGEST_PIXEL_MM):
            raise Rejected(f"pixels of {one:g} mm")


def along(start: int, length: int, size: int, *, pixel_mm: float, tensor_pixel_mm: float, anchor: float) -> list[int]:
    """Fit one axis of an image into one axis of a tensor at a fixed scale.

    Parameters
    ----------
    start, length : int
        First source pixel that may be shown, and how many.
    size : int
        Pixels of the tensor.
    pixel_mm, tensor_pixel_mm : float
        Size of a source pixel and of a pixel of the tensor.
    anchor : float
        What stays where it is when something is cropped or padded: 0 the start, 0.5 the middle.

    Returns
    -------
    list[int]
        Start and length of the crop in source pixels; start and length in the tensor.
    """
    wanted = max(1, round(size * tensor_pixel_mm / pixel_mm))
    if wanted <= length:
        return [start + round((length - wanted) * anchor), wanted, 0, size]
    fitted = min(size, max(1, round(length * pixel_mm / tensor_pixel_mm)))
    return [start, length, round((size - fitted) * anchor), fitted]


def to_tensor(placement: Placement, row: float, column: float) -> tuple[float, float]:
    """Return where a point of the source lies in the tensor; both count from the top left corner of the first pixel."""
    shape, crop, placed = placement.source_shape, placement.crop, placement.placed
    down = shape[0] - row if placement.upended else row
    across = shape[1] - column if placement.flipped else column
    return (
        placed.top + (down - crop.top) * placed.height / crop.height,
        placed.left + (across - crop.left) * placed.width / crop.width,
    )


def to_source(
    placement: Placement, map_hw: NDArray[Any], shape: tuple[int, int], reduction: float | None = None
) -> Floats:
    """Lay a map over the tensor back over the source image.

    Parameters
    ----------
    placement : Placement
        What `prepare` returned for the image.
    map_hw : array (h, w)
        A map over the whole tensor, at its resolution or a coarser one.
    shape : tuple[int, int]
        Rows and columns of the result: the source's own, or those of a reduced copy of it.
    reduction : float or None
        How many source pixels one of the result stands for along each axis, counted from the top left: a copy may lack
        what was left over at the right and bottom edge. None: the result stands for the whole source.

    Returns
    -------
    float32 shape
        The map, interpolated between the centres of its pixels; 0 where the tensor showed nothing of the source.
    """
    rows, row_seen = _places(placement, map_hw.shape[0], shape[0], reduction, axis=0)
    columns, column_seen = _places(placement, map_hw.shape[1], shape[1], reduction, axis=1)
    values = _interpolate(_interpolate(map_hw.astype(np.float32), rows, 0), columns, 1)
    return np.asarray(values * (row_seen[:, None] & column_seen[None, :]), np.float32)


def _places(
    placement: Placement, map_size: int, size: int, reduction: float | None, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Position in the map of each row (axis 0) or column (axis 1) of the result, and whether the tensor showed it."""
    crop, placed = placement.crop, placement.placed
    start, length = ((crop.top, crop.height), (crop.left, crop.width))[axis]
    to, fitted = ((placed.top, placed.height), (placed.left, placed.width))[axis]
    source = (np.arange(size) + 0.5) * (reduction or placement.source_shape[axis] / size)
    if (placement.upended, placement.flipped)[axis]:
        source = placement.source_shape[axis] - source
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
