"""The picture of the whole answer, which every result has: each axilla, what it rests on, and who says so."""

import re
from collections import Counter
from dataclasses import replace
from typing import Final

from PIL import Image

from agent.core.prediction import Answer, Estimate
from agent.report import inputs
from agent.report.catalogue import marked as _
from agent.report.draft import Draft
from agent.report.headline import headline
from agent.report.layout import BANNER, GREY, ORANGE, SMALL, YELLOW, Line, paragraph, stacked
from agent.report.masthead import masthead
from agent.report.names import ANY_VIEW
from agent.report.strip import strip
from agent.report.words import NO_INFLUENCE

MOST: Final = 1800  # pixels of its height: a higher one is shown in letters too small to read
SHARE: Final = re.compile(r"(\d+) of (\d+) instances of (?:the (\w+) study|a study)")  # as the evidence counts a study
NOT_HERE: Final = re.compile(r"The .+ did not arrive\.")  # of a view

RECEIVED: Final = _("Images received: {images}.")
PARTIAL: Final = _("{study}: {here} of {listed} instances are here.")
MORE: Final = _("More is said in the text report.")


def summary(draft: Draft) -> Image.Image:
    """Return the picture that says every answer. It holds no name, number or date of the patient."""
    bands = [masthead(draft), *(band for answer in draft.answers for band in _answer(draft, answer))]
    end = paragraph(closing(draft))
    room = MOST - 2 * BANNER - end.height - sum(band.height for band in bands)
    return stacked(draft.words.disclaimer, *bands, _fitting(draft, room), end)


def closing(draft: Draft) -> list[Line]:
    """Return the lines at the end of every picture: who made it, what it replaces, what the model is."""
    result, words = draft.result, draft.words
    later = words.supersedes(result)
    made_by = words.made_by(draft.device.model, draft.device.software_version, result)
    return [
        *([Line(later, ORANGE, SMALL)] if later else []),
        Line(f"{made_by}.", GREY, SMALL),
        *(Line(said, ORANGE, SMALL) for said in words.demonstration(result.model, answers=bool(draft.ranked))),
    ]


def _answer(draft: Draft, answer: Answer) -> list[Image.Image]:
    bands = [*headline(draft, answer)]
    if isinstance(answer, Estimate):
        bands.append(strip(draft.words, draft.result, answer))
        if not draft.places(answer):
            bands.append(paragraph([Line(draft.words.gettext(NO_INFLUENCE))]))
    return bands


def _fitting(draft: Draft, room: int) -> Image.Image:
    """Return as many lines as there is room for: what comes last goes first, what is missing is always said."""
    lines, more = _evidence(draft), Line(draft.words.gettext(MORE), GREY, SMALL)
    kept = inputs.missing(draft.words, draft.result)
    band = paragraph(lines)
    while band.height > room and (less := [n for n, line in enumerate(lines) if line.text != kept]):
        del lines[less[-1]]
        band = paragraph([*lines, more])
    return band


def _evidence(draft: Draft) -> list[Line]:
    result, words = draft.result, draft.words
    images = inputs.images_used(words, result) if result.estimates else _received(draft)
    rest = [
        words.shifted(result) if result.estimates else "",
        *inputs.left_out(words, result, draft.at_hand),
        inputs.facts_used(words, result) if result.estimates else "",
    ]
    said = [Line(images), Line(inputs.missing(words, result)), *_partial(draft), *map(Line, rest)]
    return [replace(line, size=SMALL) for line in said if line.text]


def _received(draft: Draft) -> str:
    """Count every image that there is, used or not: a reader sees whether one that matters never came."""
    result, words = draft.result, draft.words
    modalities = {i.sop_instance_uid: i.modality for i in (*draft.at_hand, *result.used)}
    modalities |= {item.what: item.modality for item in result.left_out if item.modality}
    counts = Counter(modalities.values())
    return words.gettext(RECEIVED, images=words.listed([words.images(m, n) for m, n in counts.items()]))


def _partial(draft: Draft) -> list[Line]:
    """Say what was expected and is not here, without the evidence's days and hours: a picture holds none."""
    words = draft.words
    lines = []
    for sentence in draft.result.evidence:
        share = SHARE.match(sentence)
        if share and share[1] != share[2]:
            study = words.heading(share[3]) if share[3] else words.gettext(ANY_VIEW)
            lines.append(words.gettext(PARTIAL, study=study, here=share[1], listed=share[2]))
        elif NOT_HERE.fullmatch(sentence):
            lines.append(words.stored(sentence))
    return [Line(text, YELLOW) for text in lines]
