"""The band below the upper banner: viewers lay their controls for playing a clip over the middle of it."""

from typing import Final

from PIL import Image, ImageDraw

from agent.report.catalogue import marked as _
from agent.report.draft import Draft
from agent.report.layout import BODY, GREY, MARGIN, ORANGE, SMALL, WHITE, WIDTH, Line, block, centred
from agent.report.words import is_demonstration

HEIGHT: Final = 100
FREE: Final = 320  # pixels across the middle that stay empty
COLUMN: Final = (WIDTH - FREE) // 2 - MARGIN  # width of the words at either side

VERSION: Final = _("Version {version}")
SUPERSEDES_FIRST, SUPERSEDES_ALL = _("supersedes version 1"), _("supersedes every earlier version")
MODEL: Final = _("Model {model}")
DEMONSTRATION: Final = _("demonstration only")


def masthead(draft: Draft) -> Image.Image:
    """Return the band with the version and what it supersedes at the left, and the model at the right."""
    band = block(HEIGHT)
    draw = ImageDraw.Draw(band)
    middle = MARGIN + COLUMN // 2
    for x, lines in ((middle, _version(draft)), (WIDTH - middle, _model(draft))):
        top = (HEIGHT - sum(round(1.3 * line.size) for line in lines)) // 2
        for line in lines:
            step = round(1.3 * line.size)
            centred(draw, (x, top + step // 2), line, COLUMN)
            top += step
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
