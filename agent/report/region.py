"""From a saliency map to a box: where in an image the strongest region of influence lies."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.report.colour import LOWEST_SHOWN

STRONG: Final = 0.5  # share of the map's maximum that counts as the region
FAINT: Final = LOWEST_SHOWN / 255  # a map that stays below has no colour in a picture: nothing stands out


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left and top edge, right and bottom edge (PS3.3 C.18.6: column before row)."""

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, factor: float, x: float = 0.0, y: float = 0.0) -> "Box":
        """Enlarge by a factor, then move."""
        return Box(self.left * factor + x, self.top * factor + y, self.right * factor + x, self.bottom * factor + y)

    def within(self, columns: int, rows: int) -> "Box":
        """Cut off what lies outside an image."""
        return Box(max(self.left, 0.0), max(self.top, 0.0), min(self.right, columns), min(self.bottom, rows))

    @property
    def polyline(self) -> NDArray[np.float64]:
        """The closed outline, (5, 2), column before row."""
        x0, y0, x1, y1 = self.left, self.top, self.right, self.bottom
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])


def stands_out(saliency_hw: NDArray[np.float32]) -> bool:
    """Whether a map has a region worth showing: networks scale the strongest to 1, and leave faint what shows none."""
    return float(saliency_hw.max(initial=0.0)) >= FAINT


def strongest(saliency_hw: NDArray[np.float32]) -> Box | None:
    """Return the smallest box around the strongest region, None where none stands out.

    The region is what holds together with the maximum above half of it; the box grows from the maximum until
    no such pixel touches it.
    """
    if not stands_out(saliency_hw):
        return None
    strong_hw = saliency_hw >= STRONG * float(saliency_hw.max())
    row, column = np.unravel_index(int(saliency_hw.argmax()), saliency_hw.shape)
    top, left, bottom, right = int(row), int(column), int(row) + 1, int(column) + 1
    height, width = saliency_hw.shape
    while True:
        across = slice(max(left - 1, 0), right + 1)
        down = slice(max(top - 1, 0), bottom + 1)
        grown = (
            top - (top > 0 and bool(strong_hw[top - 1, across].any())),
            left - (left > 0 and bool(strong_hw[down, left - 1].any())),
            bottom + (bottom < height and bool(strong_hw[bottom, across].any())),
            right + (right < width and bool(strong_hw[down, right].any())),
        )
        if grown == (top, left, bottom, right):
            return Box(left, top, right, bottom)
        top, left, bottom, right = grown
