"""Making images smaller or larger, and finding the stretch that holds something."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agent.preprocess.placement import Floats


def reduce(image_hw: NDArray[Any], step: int) -> Floats:
    """Average blocks of step x step pixels; what is left over at the right and bottom edge is dropped."""
    if step == 1:
        return image_hw.astype(np.float32)
    height, width = image_hw.shape[0] // step, image_hw.shape[1] // step
    kind = np.uint32 if image_hw.dtype.kind == "u" and image_hw.dtype.itemsize <= 2 else np.float32
    rows = image_hw[: height * step, : width * step].reshape(height, step, width * step).sum(1, dtype=kind)
    total: Floats = rows.reshape(height, width, step).sum(2, dtype=kind).astype(np.float32)
    return total / np.float32(step * step)


def resize(cropped: NDArray[Any], height: int, width: int) -> Floats:
    """Resize by averaging areas; upwards by interpolating between pixels."""
    step = max(1, min(cropped.shape[0] // (2 * height), cropped.shape[1] // (2 * width)))
    box = (0.0, 0.0, cropped.shape[1] / step, cropped.shape[0] / step)
    padded = cropped if step == 1 else np.pad(cropped, [(0, -n % step) for n in cropped.shape], mode="edge")
    image = Image.fromarray(np.ascontiguousarray(reduce(padded, step)))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box), np.float32)


def run(share: NDArray[Any], least: float) -> tuple[int, int]:
    """First and one-past-last index of the heaviest unbroken run above `least`; everything if there is none."""
    above = np.concatenate(([False], share > least, [False]))
    edges = np.flatnonzero(above[1:] != above[:-1])
    if edges.size == 0:
        return 0, share.size
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    return max(runs, key=lambda run: float(share[run[0] : run[1]].sum()))
