"""One picture of words, where there is no estimate or no image had influence on one; and how every picture ends."""

from PIL import Image

from agent.core.prediction import Answer, Estimate
from agent.report import inputs
from agent.report.draft import Draft
from agent.report.headline import headline
from agent.report.layout import GREY, ORANGE, SMALL, Line, paragraph, stacked
from agent.report.strip import strip
from agent.report.words import NO_INFLUENCE


def summary(draft: Draft, answers: tuple[Answer, ...]) -> Image.Image:
    """Return the picture that says the answers which no heatmap shows."""
    bands: list[Image.Image] = []
    for answer in answers:
        bands += headline(draft, answer)
        if isinstance(answer, Estimate):
            bands.append(strip(draft.words, draft.result, answer))
            bands.append(paragraph([Line(draft.words.gettext(NO_INFLUENCE))]))
    return stacked(draft.words.disclaimer, *bands, paragraph(_evidence(draft)), paragraph(closing(draft)))


def closing(draft: Draft) -> list[Line]:
    """Return the lines at the end of every picture: who made it, what it replaces, what the model is."""
    result, words = draft.result, draft.words
    later = words.supersedes(result)
    made_by = words.made_by(draft.device.model, draft.device.software_version, result)
    return [
        *([Line(later, GREY, SMALL)] if later else []),
        Line(f"{made_by}.", GREY, SMALL),
        *(Line(said, ORANGE, SMALL) for said in words.demonstration(result.model, answers=bool(draft.ranked))),
    ]


def _evidence(draft: Draft) -> list[Line]:
    result, words = draft.result, draft.words
    used = inputs.images_used(words, result) if result.estimates else ""
    said = [used, inputs.missing(words, result), *inputs.left_out(words, result, draft.at_hand)]
    return [Line(text) for text in said if text]
