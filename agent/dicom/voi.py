"""How stored values become grey levels on a screen: one table look-up an image (PS3.3 C.11.1 and C.11.2)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi

_SAMPLE_STEP: Final = 8
_DARKEST_PERCENT, _BRIGHTEST_PERCENT = 0.5, 99.8


def display_lut(ds: Dataset, image_hw: NDArray[Any], lowest: int, highest: int) -> NDArray[np.uint8]:
    """Return the grey level of each stored value from `lowest` to `highest`, before any inversion.

    The first window of the image counts, else its first VOI LUT, else the percentiles of its pixels.

    Parameters
    ----------
    ds : Dataset
        Modality LUT and VOI LUT modules.
    image_hw : array (H, W)
        Stored values.
    lowest, highest : int
        The range that Bits Stored and Pixel Representation allow.

    Returns
    -------
    uint8 (highest - lowest + 1,)
    """
    ramp = np.arange(lowest, highest + 1)
    values = np.asarray(apply_modality_lut(ramp, ds), np.float64)
    centre, width = _first(ds, "WindowCenter"), _first(ds, "WindowWidth")
    if centre is not None and width is not None and width >= 1:
        return _to_uint8(_window(values, centre, width, str(ds.get("VOILUTFunction", "LINEAR"))))
    if ds.get("VOILUTSequence"):
        table = np.asarray(apply_voi(values.astype(np.int64), ds, index=0), np.float64)
        return _to_uint8((table - table.min()) / max(table.max() - table.min(), 1))
    sample = image_hw[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    dark, bright = np.percentile(sample, (_DARKEST_PERCENT, _BRIGHTEST_PERCENT))
    return _to_uint8((ramp - dark) / max(bright - dark, 1))


def _first(ds: Dataset, keyword: str) -> float | None:
    value = ds.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value in (None, "") else float(value)


def _window(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """Grey level in [0, 1] before clipping: equations of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5


def _to_uint8(level: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(np.clip(level, 0, 1) * 255).astype(np.uint8)
