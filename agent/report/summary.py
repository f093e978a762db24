"""One picture of words, where there is no estimate or no image had influence on one."""

from PIL import Image

from agent.core.prediction import Answer, Estimate
from agent.dicom import codes
from agent.report import words
from agent.report.draft import Draft
from agent.report.layout import GREY, MIN_WIDTH, ORANGE, YELLOW, Line, paragraph, stacked


def summary(draft: Draft, answers: tuple[Answer, ...]) -> Image.Image:
    """Return the picture that says the answers which no heatmap shows."""
    result = draft.result
    made_by = words.made_by(draft.device.model, draft.device.software_version, result)
    lines = [
        Line(codes.SUMMARY_TITLE.meaning),
        *(Line(words.answer(a, draft.words.event), YELLOW) for a in answers),
        *([Line(words.NO_INFLUENCE)] if any(isinstance(a, Estimate) for a in answers) else []),
        Line(words.missing(result)),
        Line(f"{made_by}.", GREY),
        *([Line(words.DEMONSTRATION, ORANGE)] if words.is_demonstration(result.model) else []),
    ]
    return stacked(paragraph(MIN_WIDTH, lines))
