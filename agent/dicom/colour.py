"""The luminance of a colour image: in colour ultrasound what is tissue is grey, and only that is read."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

PALETTE: Final = "PALETTE COLOR"
_LUMINANCE_FIRST: Final = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422"})
COLOURS: Final = _LUMINANCE_FIRST | {"RGB", "YBR_ICT", "YBR_RCT"}
"""Photometric Interpretations of three samples a pixel that are read (PS3.3 C.7.6.3.1.2)."""

_RED, _GREEN, _BLUE = 77, 150, 29  # of 256: the weights of ITU-R BT.601, so that grey stays what it is


def luminance(ds: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the luminance of decoded pixels; what a decoder has already reduced to it comes back as it is.

    Parameters
    ----------
    ds : Dataset
        Image Pixel module.
    stored : array (H, W) or (H, W, 3)
        8- or 16-bit values as a decoder gives them: JPEG 2000's own colour transforms are undone.
    """
    if ds.PhotometricInterpretation == PALETTE:
        coloured = apply_color_lut(stored, ds)
        return _mixed(coloured >> 8 if coloured.dtype.itemsize == 2 else coloured)
    if stored.ndim == 2:
        return np.asarray(stored, np.uint8)
    return stored[..., 0] if ds.PhotometricInterpretation in _LUMINANCE_FIRST else _mixed(stored)


def _mixed(rgb: NDArray[Any]) -> NDArray[np.uint8]:
    red, green, blue = (rgb[..., channel].astype(np.uint16) for channel in range(3))
    return np.asarray((_RED * red + _GREEN * green + _BLUE * blue) >> 8, np.uint8)
