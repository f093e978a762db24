"""The answer of one axilla as the first thing that a reader sees: its number, and where that lies on the scale."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from agent.core.prediction import Answer, Category, Estimate, NoEstimate, OperatingPoint
from agent.report.draft import Draft
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
    paragraph,
)
from agent.report.words import NO_ESTIMATE, Words, capital

TITLE: Final = 100
CAPTION: Final = 40
SIDE, NUMBER, CHIP = 52, 84, 44  # sizes of letters
GAP: Final = 44
SCALE: Final = (170, 1030)  # from 0 % to 100 %
BOUNDS: Final = 38  # height of the row of thresholds above the scale
LINE: Final = BOUNDS + 16  # the scale's height within its band


def headline(draft: Draft, answer: Answer) -> tuple[Image.Image, ...]:
    """Return the bands of one answer: drawn once, as they stand in several pictures."""
    return draft.once((headline, answer.side), lambda: _headline(draft, answer))


def _headline(draft: Draft, answer: Answer) -> tuple[Image.Image, ...]:
    words = draft.words
    if isinstance(answer, NoEstimate):
        title = _title(words.axilla(answer.side), words.gettext(NO_ESTIMATE).upper(), "")
        return title, paragraph([Line(capital(words.reason(answer)), YELLOW, SIDE - 16)])
    title = _title(words.axilla(answer.side), f"{words.probability(answer)} %", words.category(answer.category))
    caption = block(CAPTION)
    said = Line(words.range_of(answer))
    centred(ImageDraw.Draw(caption), (WIDTH // 2, CAPTION // 2), said, WIDTH - 2 * MARGIN)
    return title, caption, _scale(words, answer, answer.points or draft.result.operating_points)


def _title(side: str, number: str, category: str) -> Image.Image:
    """Side, number and category in one row, centred as a whole."""
    band = block(TITLE)
    draw, middle = ImageDraw.Draw(band), TITLE // 2 + 6
    size = NUMBER if category else SIDE
    row = [(side, SIDE, WHITE), (number, size, YELLOW), *([(category, CHIP, WHITE)] if category else [])]
    widths = [round(font(size).getlength(text)) for text, size, _ in row]
    x = (WIDTH - sum(widths) - GAP * (len(row) - 1)) // 2
    for (text, letters, colour), width in zip(row, widths, strict=True):
        draw.text((x, middle), text, fill=colour, font=font(letters), anchor="lm")
        if text is category:
            draw.rounded_rectangle((x - 16, middle - 34, x + width + 16, middle + 32), 12, outline=WHITE, width=3)
        x += width + GAP
    return band


def _scale(words: Words, estimate: Estimate, points: Sequence[OperatingPoint]) -> Image.Image:
    """Interval as a bar, probability as a dot, and at each threshold a stroke with its value, from 0 to 100 %."""
    band = block(LINE + 2 * SMALL + 6)
    draw = ImageDraw.Draw(band)
    draw.rounded_rectangle((SCALE[0], LINE - 4, SCALE[1], LINE + 4), 4, fill=DIM)
    draw.rounded_rectangle((_at(estimate.low), LINE - 8, _at(estimate.high), LINE + 8), 8, fill=GREY)
    for x, text, anchor in ((SCALE[0] - 14, "0 %", "rm"), (SCALE[1] + 14, "100 %", "lm")):
        draw.text((x, LINE), text, fill=GREY, font=font(SMALL), anchor=anchor)
    bounds = sorted(p.threshold for p in points if p.name in ("low", "high"))
    for bound in bounds:
        draw.line((_at(bound), LINE - 20, _at(bound), LINE + 38), fill=WHITE, width=3)
    if bounds:
        _values(draw, bounds, [f"{words.chosen(bound, words.digits(estimate, points))} %" for bound in bounds])
    _zones(draw, words, estimate.category, points)
    x = _at(estimate.probability)
    draw.ellipse((x - 14, LINE - 14, x + 14, LINE + 14), fill=YELLOW, outline=(0, 0, 0), width=3)
    return band


def _values(draw: ImageDraw.ImageDraw, bounds: Sequence[float], texts: Sequence[str]) -> None:
    """Write each threshold above its stroke; two that have no room side by side lean away from each other."""
    crowded = _at(bounds[-1]) - _at(bounds[0]) < SMALL + sum(font(SMALL).getlength(text) for text in texts) / 2
    anchors = "rl" if crowded and len(bounds) > 1 else "mm"
    for bound, text, anchor in zip(bounds, texts, anchors, strict=False):
        draw.text((_at(bound), BOUNDS // 2), text, fill=WHITE, font=font(SMALL), anchor=f"{anchor}m")


def _zones(draw: ImageDraw.ImageDraw, words: Words, category: Category, points: Sequence[OperatingPoint]) -> None:
    """Name each zone below the scale, where its name has room."""
    thresholds = {p.name: p.threshold for p in points}
    if "low" not in thresholds:
        return
    high = thresholds.get("high", 1.0)
    zones = [(Category.LOW, 0.0, thresholds["low"]), (Category.NOT_LOW, thresholds["low"], high)]
    if "high" in thresholds:
        zones.append((Category.HIGH, high, 1.0))
    for zone, begin, end in zones:
        name = words.category(zone)
        room = _at(end) - _at(begin) - 12
        size = fitting(name, room, SMALL)
        if font(size).getlength(name) <= room:
            colour = YELLOW if zone is category else GREY
            x = (_at(begin) + _at(end)) // 2
            draw.text((x, LINE + 30), name, fill=colour, font=font(size), anchor="mm")


def _at(share: float) -> int:
    return round(SCALE[0] + share * (SCALE[1] - SCALE[0]))
