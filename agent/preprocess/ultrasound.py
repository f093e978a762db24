"""A B-mode ultrasound image to the tensor a bundle reads: one scale, the transducer at the top."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Rejected
from agent.preprocess.placement import Box, Floats, Placement, along, check_pixel_mm
from agent.preprocess.resize import resize


def prepare(
    image_hw: NDArray[Any],
    *,
    pixel_mm: float | None,
    region: Box | None = None,
    inverted: bool = False,
    height: int,
    width: int,
    tensor_pixel_mm: float,
    headroom: float = 3.0,
) -> tuple[Floats, Placement]:
    """Crop or pad to the tensor's field of view, resample to its scale and window one ultrasound image.

    The middle of the region's upper edge, where the transducer is, stays the middle of the tensor's. Resizing averages
    areas. The window maps the darkest percentile to 0 and `headroom` times the median of what is lit, above it, to 1:
    gain hardly matters, nor does a bright spot.

    Parameters
    ----------
    image_hw : array (H, W)
        Pixel values as stored, or luminance, of any real type.
    pixel_mm : float or None
        Size of a (square) pixel; None if not known: the region then counts as as deep as the tensor.
    region : Box or None
        The field of view (PS3.3 C.8.5.5); None is the whole image.
    inverted : bool
        Whether low values are bright (MONOCHROME1).
    height, width : int
        Size of the tensor.
    tensor_pixel_mm : float
        Size of a pixel of the tensor.
    headroom : float
        How many times the median of what is lit becomes 1.

    Returns
    -------
    tensor : float32 (height, width), in [0, 1]; 0 beyond the region
    placement : Placement

    Raises
    ------
    ValueError
        If the image is not two-dimensional.
    Rejected
        If the region is not within the image or smaller than 2 x 2, or `pixel_mm` is no size of a pixel.
    """
    if image_hw.ndim != 2:
        raise ValueError(f"an ultrasound image has rows and columns, this one's shape is {image_hw.shape}")
    rows, columns = image_hw.shape
    field = region or Box(0, 0, rows, columns)
    _check_inside(field, rows, columns)
    scale_mm = height * tensor_pixel_mm / field.height if pixel_mm is None else float(pixel_mm)
    if pixel_mm is not None:
        check_pixel_mm(scale_mm)
    crop, placed = _boxes(field, (height, width), scale_mm, tensor_pixel_mm)
    shown = resize(crop.of(image_hw), placed.height, placed.width)
    tensor = np.zeros((height, width), np.float32)
    placed.of(tensor)[:] = _window(-shown if inverted else shown, headroom)
    return tensor, Placement((rows, columns), False, crop, (height, width), placed)


def _boxes(field: Box, size: tuple[int, int], pixel_mm: float, tensor_pixel_mm: float) -> tuple[Box, Box]:
    """Return what is shown of the image, and where in a tensor of that size."""
    top, crop_h, to_row, placed_h = along(
        field.top, field.height, size[0], pixel_mm=pixel_mm, tensor_pixel_mm=tensor_pixel_mm, anchor=0
    )
    left, crop_w, to_column, placed_w = along(
        field.left, field.width, size[1], pixel_mm=pixel_mm, tensor_pixel_mm=tensor_pixel_mm, anchor=0.5
    )
    return Box(top, left, crop_h, crop_w), Box(to_row, to_column, placed_h, placed_w)


def _check_inside(field: Box, rows: int, columns: int) -> None:
    if field.top < 0 or field.left < 0 or field.top + field.height > rows or field.left + field.width > columns:
        raise Rejected("the ultrasound region is not within the image")
    if min(field.height, field.width) < 2:
        raise Rejected(f"an ultrasound image of {field.height} x {field.width} pixels")


def _window(shown: Floats, headroom: float) -> Floats:
    above = shown - np.float32(np.percentile(shown, 1))
    lit = above[above > 0.1 * float(np.percentile(above, 90))]
    top = headroom * float(np.median(lit)) if lit.size else 1.0
    windowed: Floats = np.clip(above / np.float32(top), 0, 1)
    return windowed
