"""Where an ultrasound image shows anything but words: names are burned in beside its regions, never within."""

import math
import struct
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from agent.core.result import SourceImage
from agent.dicom.geometry import read_attributes

ULTRASOUND: Final = "US"
LEAST_OUTSIDE: Final = 0.02  # share of the image: where regions leave less, a name would have no room beside them
STRAY_PIXELS: Final = 2  # some count a region's last column from 1
_SHOWN: Final = frozenset(range(1, 5))  # two-dimensional, M-mode, spectral, waveform (PS3.3 C.8.5.5.1.1); not graphics
_EDGES: Final = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
_UNREADABLE: Final = (InvalidDicomError, EOFError, OSError, ValueError, TypeError, KeyError, struct.error)

Mask: TypeAlias = NDArray[np.bool_]


def covered(image: SourceImage) -> Mask | None:
    """Return which pixels of `image_hw` lie wholly within a region that shows something (PS3.3 C.8.5.5).

    None where it is no ultrasound image, its header states no region or one that is not within the image, or the
    regions leave no room beside them.
    """
    if image.instance.modality != ULTRASOUND:
        return None
    inside_hw = np.zeros(image.image_hw.shape, bool)
    instance = image.instance
    for left, top, right, bottom in _regions(image.header):
        if right >= instance.columns + STRAY_PIXELS or bottom >= instance.rows + STRAY_PIXELS:
            return None
        rows = slice(math.ceil(top / image.reduction), math.floor((bottom + 1) / image.reduction))
        columns = slice(math.ceil(left / image.reduction), math.floor((right + 1) / image.reduction))
        inside_hw[rows, columns] = True
    share = 1 - inside_hw.mean()
    return inside_hw if LEAST_OUTSIDE <= share < 1 else None


def without_names(image: SourceImage) -> NDArray[np.uint8] | None:
    """Return the pixels with black beside every region; None where they hold all that the image does."""
    inside_hw = covered(image)
    return None if inside_hw is None else np.where(inside_hw, image.image_hw, np.uint8(0))


def _regions(header: bytes) -> list[tuple[int, int, int, int]]:
    try:
        items = read_attributes(header, ["SequenceOfUltrasoundRegions"]).get("SequenceOfUltrasoundRegions") or ()
        return [_edges(item) for item in items if item.get("RegionSpatialFormat") in _SHOWN and _is_whole(item)]
    except _UNREADABLE:
        return []


def _is_whole(item: Dataset) -> bool:
    return bool(item.get("RegionDataType")) and all(isinstance(item.get(edge), int) for edge in _EDGES)


def _edges(item: Dataset) -> tuple[int, int, int, int]:
    left, top, right, bottom = (max(0, int(item[edge].value)) for edge in _EDGES)
    return left, top, right, bottom
