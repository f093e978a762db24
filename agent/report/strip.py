"""What each input did to an estimate, as bars: to the right it raised it, to the left it lowered it."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from agent.core.prediction import Estimate
from agent.core.result import Result
from agent.report.catalogue import marked as _
from agent.report.contributions import Part, parts, start
from agent.report.layout import (
    DIM,
    GREY,
    MARGIN,
    SMALL,
    WHITE,
    WIDTH,
    YELLOW,
    Line,
    block,
    centred,
    fitting,
    font,
    shortened,
)
from agent.report.words import Words

ROW: Final = 40
HALF: Final = 200  # pixels of the longest bar
MIDDLE: Final = 640
NAMES: Final = MIDDLE - HALF - 40  # right edge of the names
FIGURES: Final = MIDDLE + HALF + 40  # left edge of the figures
RAISES: Final = (230, 159, 0)  # with the blue below told apart by the colour-blind (Okabe and Ito)
LOWERS: Final = (86, 180, 233)
LEAST_SPAN: Final = 2.5  # log-odds at the end of a bar (odds x 12), of nearly every picture: bars can be compared

MOVED: Final = _("What moved this estimate")
NOT_AVAILABLE: Final = _("not available")
LOWERED, RAISED = _("lowered"), _("raised")


def strip(words: Words, result: Result, estimate: Estimate, shown: str = "") -> Image.Image:
    """Return the bars of an estimate, a row an input.

    Parameters
    ----------
    words
        In which language.
    result, estimate
        Whose contributions.
    shown
        The input that the picture above shows: its name stands out.
    """
    found = parts(result, estimate)
    begin = start(estimate)
    band = block(ROW * (1 + len(found) + (begin is not None)) + ROW // 2)
    draw = ImageDraw.Draw(band)
    _head(draw, words)
    _rows(draw, words, found, shown)
    if begin is not None:
        middle = ROW * (len(found) + 1) + ROW // 2
        centred(draw, (WIDTH // 2, middle), Line(words.starting_point(begin), GREY, SMALL))
    return band


def _head(draw: ImageDraw.ImageDraw, words: Words) -> None:
    middle = ROW // 2
    draw.text((NAMES, middle), words.gettext(MOVED), fill=WHITE, font=font(SMALL), anchor="rm")
    draw.text((MIDDLE - 16, middle), words.gettext(LOWERED), fill=LOWERS, font=font(SMALL), anchor="rm")
    draw.text((MIDDLE + 16, middle), words.gettext(RAISED), fill=RAISES, font=font(SMALL), anchor="lm")


def _rows(draw: ImageDraw.ImageDraw, words: Words, found: Sequence[Part], shown: str) -> None:
    span = max([LEAST_SPAN, *(abs(part.log_odds) for part in found if part.log_odds is not None)])
    draw.line((MIDDLE, 8, MIDDLE, ROW * (len(found) + 1) - 4), fill=DIM, width=3)
    for n, part in enumerate(found, start=1):
        middle = ROW * n + ROW // 2
        colour = YELLOW if part.input == shown else GREY if part.log_odds is None else WHITE
        _name(draw, middle, Line(words.heading(part.input), colour, SMALL))
        if part.log_odds is None:
            draw.text((FIGURES, middle), words.gettext(NOT_AVAILABLE), fill=GREY, font=font(SMALL), anchor="lm")
            continue
        end = MIDDLE + round(HALF * part.log_odds / span)
        bar = (min(MIDDLE, end), middle - 11, max(MIDDLE, end), middle + 11)
        draw.rectangle(bar, fill=RAISES if part.log_odds > 0 else LOWERS)
        draw.text((FIGURES, middle), words.odds(part), fill=colour, font=font(SMALL), anchor="lm")


def _name(draw: ImageDraw.ImageDraw, middle: int, line: Line) -> None:
    """Write the name of an input before its bar, in smaller letters or shortened where it is long."""
    room = NAMES - MARGIN
    letters = font(fitting(line.text, room, line.size))
    draw.text((NAMES, middle), shortened(line.text, room), fill=line.colour, font=letters, anchor="rm")
