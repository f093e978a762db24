"""Pictures with words: bands above and below, centred, because viewers write into the corners."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agent.report import words
from agent.report.colour import LOWEST_SHOWN, PALETTE

MIN_WIDTH: Final = 960
RED: Final = (120, 0, 0)
WHITE: Final = (255, 255, 255)
GREY: Final = (190, 190, 190)
YELLOW: Final = (255, 235, 90)
ORANGE: Final = (255, 165, 60)
_CHARACTERS_ACROSS: Final = 90  # of the smallest picture; the letters of larger ones grow with them


@dataclass(frozen=True, slots=True)
class Line:
    """One line of words and its colour."""

    text: str
    colour: tuple[int, int, int] = WHITE


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, which holds all letters of the English catalogue."""
    loaded = ImageFont.load_default(size=size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):  # a Pillow without FreeType has only a bitmap font
        raise TypeError("Pillow was built without FreeType")
    return loaded


def font_size(width: int) -> int:
    """Return the size of letters, in pixels, for a picture of this width."""
    return max(20, round(width * 2 / _CHARACTERS_ACROSS))


def banner_height(width: int) -> int:
    """Return the height of the disclaimer's band."""
    return 2 * font_size(width)


@cache
def banner(width: int) -> Image.Image:
    """Return the disclaimer's band; it stands above and below, as viewers may lay controls over either."""
    height = banner_height(width)
    band = Image.new("RGB", (width, height), RED)
    ImageDraw.Draw(band).text(
        (width // 2, height // 2), words.DISCLAIMER, fill=WHITE, font=font(font_size(width)), anchor="mm"
    )
    return band


def paragraph(width: int, lines: Sequence[Line]) -> Image.Image:
    """Return lines of words, centred on black, broken where they are longer than the picture is wide."""
    size = font_size(width)
    step = round(1.5 * size)
    broken = [Line(part, line.colour) for line in lines for part in wrapped(line.text, width - 2 * size, size)]
    block = Image.new("RGB", (width, step * len(broken) + size))
    draw = ImageDraw.Draw(block)
    for n, line in enumerate(broken):
        y = size // 2 + step * n + step // 2
        draw.text((width // 2, y), line.text, fill=line.colour, font=font(size), anchor="mm")
    return block


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Break a text into lines of at most `width` pixels, between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(size).getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def legend(width: int) -> Image.Image:
    """Return the colour scale with its ends named, and what it means."""
    size = font_size(width)
    parts = (
        _label(words.LEGEND_LOW, size),
        _scale(8 * size, size),
        _label(words.LEGEND_HIGH, size),
        _label(words.LEGEND, size),
    )
    gap = size // 2
    strip = Image.new("RGB", (width, 2 * size))
    x = (width - sum(part.width for part in parts) - gap * (len(parts) - 1)) // 2
    for part in parts:
        strip.paste(part, (x, size - part.height // 2))
        x += part.width + gap
    return strip


def _label(text: str, size: int) -> Image.Image:
    label = Image.new("RGB", (round(font(size).getlength(text)), 2 * size))
    ImageDraw.Draw(label).text((0, size), text, fill=WHITE, font=font(size), anchor="lm")
    return label


def _scale(width: int, height: int) -> Image.Image:
    levels_hw = np.linspace(LOWEST_SHOWN, 255, width).astype(np.uint8)[None].repeat(height, axis=0)
    scale = Image.fromarray(levels_hw)
    scale.putpalette(PALETTE)
    return scale.convert("RGB")


def stacked(*blocks: Image.Image) -> Image.Image:
    """Put blocks of equal width below each other, between two banners."""
    width = blocks[0].width
    whole = (banner(width), *blocks, banner(width))
    picture = Image.new("RGB", (width, sum(b.height for b in whole)))
    y = 0
    for block in whole:
        picture.paste(block, (0, y))
        y += block.height
    return picture
