"""The colours of influence: uniform to the eye, legible to the colour-blind, made once."""

from typing import Final

import numpy as np
from PIL import Image

# plasma (CC0) by nine of its points; between them it is as good as linear. Unlike green, it stands out from speckle
_POINTS: Final = (
    (13, 8, 135),
    (75, 3, 161),
    (125, 3, 168),
    (168, 34, 150),
    (203, 70, 121),
    (229, 107, 93),
    (248, 148, 65),
    (253, 195, 40),
    (240, 249, 33),
)
_FAINT: Final = 0.15  # below this share of the strongest influence nothing is drawn
_FULL: Final = 0.6  # from this share on the colour alone tells: half as strong a place is still seen on bright tissue
_OPAQUE: Final = 0.4  # at most: the lesion below is what a reader looks at


def _palette() -> bytes:
    at = np.linspace(0, 255, len(_POINTS))
    channels = [np.interp(np.arange(256), at, [p[k] for p in _POINTS]) for k in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8).tobytes()


def _opacity() -> tuple[int, ...]:
    level = np.arange(256) / 255
    shown = np.clip((level - _FAINT) / (_FULL - _FAINT), 0, 1) * _OPAQUE
    return tuple(int(v) for v in (255 * shown).round())


PALETTE: Final = _palette()
"""256 RGB triples, for a Pillow image of mode P."""
OPACITY: Final = _opacity()
"""Opacity (0-255) of the overlay by level of influence (0-255)."""
LOWEST_SHOWN: Final = next(level for level, opacity in enumerate(OPACITY) if opacity)
"""The least level that is drawn at all: where the legend begins."""


def over(grey: Image.Image, levels: Image.Image) -> Image.Image:
    """Lay influence over an image.

    Parameters
    ----------
    grey
        The image, mode L.
    levels
        Influence from 0 to 255, mode L, of the same size.
    """
    coloured = levels.copy()
    coloured.putpalette(PALETTE)
    return Image.composite(coloured.convert("RGB"), grey.convert("RGB"), levels.point(OPACITY))
