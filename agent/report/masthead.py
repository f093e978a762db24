"""The band below the upper banner: viewers lay their controls for playing a clip over the middle of it."""

from typing import Final

from PIL import Image, ImageDraw

from agent.report.catalogue import marked as _
from agent.report.draft import Draft
from agent.report.layout import BODY, GREY, MARGIN, ORANGE, SMALL, WHITE, WIDTH, Line, block, fitting, font, shortened
from agent.report.words import is_demonstration

HEIGHT: Final = 100
FREE: Final = 320  # pixels across the middle that stay empty
COLUMN: Final = (WIDTH - FREE) // 2 - MARGIN  # width of the words at either side; viewers write beyond them, too
STEP: Final = 40

VERSION: Final = _("Version {version}")
SUPERSEDES_FIRST, SUPERSEDES_ALL = _("supersedes version 1"), _("supersedes every earlier version")
MODEL: Final = _("Model {model}")
DEMONSTRATION: Final = _("demonstration only")


def masthead(draft: Draft) -> Image.Image:
    """Return the band with the version and what it supersedes at the left, and the model at the right."""
    band = block(HEIGHT)
    draw = ImageDraw.Draw(band)
    left = (WIDTH - FREE) // 2
    for x, anchor, lines in ((left, "rm", _version(draft)), (WIDTH - left, "lm", _model(draft))):
        for n, line in enumerate(lines):
            middle = HEIGHT // 2 + round((n - (len(lines) - 1) / 2) * STEP)
            letters = font(fitting(line.text, COLUMN, line.size))
            draw.text((x, middle), shortened(line.text, COLUMN), fill=line.colour, font=letters, anchor=anchor)
    return band


def _version(draft: Draft) -> list[Line]:
    result, words = draft.result, draft.words
    first = Line(words.gettext(VERSION, version=result.version), WHITE if result.version > 1 else GREY, BODY)
    if not words.supersedes(result):
        return [first]
    later = SUPERSEDES_FIRST if result.version == 2 else SUPERSEDES_ALL
    return [first, Line(words.gettext(later), ORANGE, BODY)]


def _model(draft: Draft) -> list[Line]:
    model, words = draft.result.model, draft.words
    named = Line(words.gettext(MODEL, model=f"{model.name} {model.version}"), GREY, SMALL)
    return [named, Line(words.gettext(DEMONSTRATION), ORANGE, SMALL)] if is_demonstration(model) else [named]
