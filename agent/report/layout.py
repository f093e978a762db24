"""Pictures with words: bands above and below, centred, because viewers write into the corners."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agent.report.catalogue import marked as _
from agent.report.colour import LOWEST_SHOWN, over
from agent.report.names import Names

WIDTH: Final = 1200  # even, so that Pixel Data is; the words are still legible at a third of it
BODY: Final = 30
SMALL: Final = 26
SMALLEST: Final = 18
MARGIN: Final = 40
BANNER: Final = 60
TISSUE: Final = 110  # grey below the colour scale: its colours are those of the overlay on tissue of middle brightness

LEGEND: Final = (_("low"), _("high"), _("relative influence in this image (not the outline of a lesion)"))

Colour: TypeAlias = tuple[int, int, int]
RED: Final = (120, 0, 0)
WHITE: Final = (255, 255, 255)
GREY: Final = (185, 185, 185)
DIM: Final = (90, 90, 90)
YELLOW: Final = (255, 235, 90)
ORANGE: Final = (255, 165, 60)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of words, its colour and the size of its letters in pixels."""

    text: str
    colour: Colour = WHITE
    size: int = BODY


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return our own font: it holds every letter of the catalogue, which Pillow's own does not, on every machine."""
    return ImageFont.truetype(BytesIO((files("agent.report") / "fonts" / "DejaVuSansCondensed.ttf").read_bytes()), size)


def block(height: int, colour: Colour = (0, 0, 0)) -> Image.Image:
    """Return an empty band across the picture."""
    return Image.new("RGB", (WIDTH, height), colour)


@cache
def banner(disclaimer: str) -> Image.Image:
    """Return the disclaimer's band; it stands above and below, as viewers may lay controls over either."""
    band = block(BANNER, RED)
    centred(ImageDraw.Draw(band), (WIDTH // 2, BANNER // 2), Line(disclaimer), WIDTH - 2 * MARGIN)
    return band


def centred(draw: ImageDraw.ImageDraw, at: tuple[int, int], line: Line, room: int = WIDTH) -> None:
    """Write a line around a point, in smaller letters or shortened where it is longer than its room."""
    letters = font(fitting(line.text, room, line.size))
    draw.text(at, shortened(line.text, room), fill=line.colour, font=letters, anchor="mm")


def fitting(text: str, room: int, size: int) -> int:
    """Return the largest size of letters, down to the smallest legible one, at which a text has room."""
    length = font(size).getlength(text)
    return size if length <= room else max(SMALLEST, int(size * room / length))


def shortened(text: str, room: int) -> str:
    """Return a text that has room in the smallest letters: of a longer one the middle is left out, not its end."""
    letters = font(SMALLEST)
    if letters.getlength(text) <= room:
        return text
    kept = next((n for n in range(len(text) - 1, 1, -1) if letters.getlength(_cut(text, n)) <= room), 1)
    return _cut(text, kept)


def _cut(text: str, kept: int) -> str:
    behind = kept // 2
    return f"{text[: kept - behind]}…{text[len(text) - behind :]}"


def paragraph(lines: Sequence[Line]) -> Image.Image:
    """Return lines of words, centred on black, broken where they are longer than the picture is wide."""
    broken = [
        Line(part, line.colour, line.size)
        for line in lines
        for part in wrapped(line.text, WIDTH - 2 * MARGIN, line.size)
    ]
    steps = [round(1.4 * line.size) for line in broken]
    band = block(sum(steps) + BODY)
    draw, y = ImageDraw.Draw(band), BODY // 2
    for line, step in zip(broken, steps, strict=True):
        centred(draw, (WIDTH // 2, y + step // 2), line)
        y += step
    return band


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


def legend(names: Names) -> Image.Image:
    """Return the colour scale with its ends named, and what it means."""
    return _legend(*(names.gettext(text) for text in LEGEND))


@cache
def _legend(low: str, high: str, meaning: str) -> Image.Image:
    parts = (_label(low), _scale(8 * SMALL, SMALL), _label(high), _label(meaning))
    gap = SMALL // 2
    strip = block(2 * SMALL)
    x = (WIDTH - sum(part.width for part in parts) - gap * (len(parts) - 1)) // 2
    for part in parts:
        strip.paste(part, (x, SMALL - part.height // 2))
        x += part.width + gap
    return strip


def _label(text: str) -> Image.Image:
    label = Image.new("RGB", (round(font(SMALL).getlength(text)), 2 * SMALL))
    ImageDraw.Draw(label).text((0, SMALL), text, fill=GREY, font=font(SMALL), anchor="lm")
    return label


def _scale(width: int, height: int) -> Image.Image:
    levels_hw = np.linspace(LOWEST_SHOWN, 255, width).astype(np.uint8)[None].repeat(height, axis=0)
    return over(Image.new("L", (width, height), TISSUE), Image.fromarray(levels_hw))


def stacked(disclaimer: str, *blocks: Image.Image) -> Image.Image:
    """Put blocks below each other, between two banners."""
    whole = (banner(disclaimer), *blocks, banner(disclaimer))
    picture = block(sum(b.height for b in whole))
    y = 0
    for one in whole:
        picture.paste(one, (0, y))
        y += one.height
    return picture
