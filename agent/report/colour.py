"""The colours of influence: uniform to the eye, legible to the colour-blind, made once."""

from typing import Final

import numpy as np
from PIL import Image

# the upper part of plasma (CC0), by nine points of equal steps of CIE lightness, 41 to 94: laid over tissue of middle
# brightness it only gets lighter. Unlike green, it stands out from speckle
_POINTS: Final = (
    (170, 36, 149),
    (195, 62, 128),
    (215, 87, 108),
    (231, 112, 90),
    (243, 138, 72),
    (250, 165, 56),
    (253, 192, 42),
    (247, 221, 37),
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
