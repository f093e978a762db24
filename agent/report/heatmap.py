"""One picture a source image: the answer, where the image influenced it beside the image, and what else did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from agent.core.prediction import Estimate
from agent.preprocess.placement import Box
from agent.report.colour import over
from agent.report.draft import Draft, Place
from agent.report.header import Source
from agent.report.headline import headline
from agent.report.layout import (
    BANNER,
    BODY,
    DIM,
    GREY,
    SMALL,
    WIDTH,
    YELLOW,
    Line,
    block,
    centred,
    legend,
    paragraph,
    stacked,
)
from agent.report.masthead import masthead
from agent.report.names import BREAST
from agent.report.strip import strip
from agent.report.summary import closing
from agent.report.words import Words

GAP: Final = 8
PANEL: Final = ((WIDTH - GAP) // 2, 640)  # width, height: words and influence are read, not microcalcifications
HALVES: Final = (WIDTH // 4, WIDTH - WIDTH // 4)  # middles of the panels


@dataclass(frozen=True)
class Picture:
    """A finished picture, and where its overlay lies: a source point (x, y) is at (x * scale + left, y * scale + top).

    Points count from the top left corner of the first pixel.
    """

    image: Image.Image
    scale: float
    left: float
    top: float


def heatmap(draft: Draft, estimate: Estimate, place: Place) -> Picture:
    """Return the picture of one image's influence. It holds no name, number or date of the patient."""
    source, shown = place.source, place.source.shown
    scale, size = _fit(shown)
    field = Image.fromarray(np.ascontiguousarray(shown.of(source.image_hw)))
    # all but less than one pixel of the picture, so that both axes have the same scale, exactly
    seen = (0.0, 0.0, min(size[0] / scale, shown.width), min(size[1] / scale, shown.height))
    grey = field.resize(size, Image.Resampling.BILINEAR, seen, reducing_gap=2.0)
    pair = block(size[1])
    lefts = [middle - size[0] // 2 for middle in HALVES]
    pair.paste(_overlay(grey, shown.of(place.influence.saliency_hw), seen), (lefts[0], 0))
    pair.paste(grey.convert("RGB"), (lefts[1], 0))
    words = draft.words
    captions = (_captions(draft, estimate, place), *_sides(words, source, estimate, size[0]))
    above = (masthead(draft), *headline(draft, estimate), *captions)
    below = (
        legend(words),
        strip(words, draft.result, estimate, place.influence.modality),
        paragraph(closing(draft)),
    )
    whole = stacked(words.disclaimer, *above, pair, *below)
    top = BANNER + sum(band.height for band in above)
    return Picture(whole, scale / source.reduction, lefts[0] - shown.left * scale, top - shown.top * scale)


def _fit(shown: Box) -> tuple[float, tuple[int, int]]:
    """Return the scale and the size (width, height) at which an image fills a panel."""
    height, width = shown.height, shown.width
    scale = min(PANEL[0] / width, PANEL[1] / height)
    return scale, (max(1, int(width * scale + 1e-6)), max(1, int(height * scale + 1e-6)))


def _overlay(
    grey: Image.Image, saliency_hw: NDArray[np.float32], seen: tuple[float, float, float, float]
) -> Image.Image:
    # bytes from here on: blending in Pillow's integers is fifty times faster than in floating point
    levels = Image.fromarray((np.clip(saliency_hw, 0, 1) * np.float32(255)).astype(np.uint8))
    return over(grey, levels.resize(grey.size, Image.Resampling.BILINEAR, seen, reducing_gap=2.0))


def _captions(draft: Draft, estimate: Estimate, place: Place) -> Image.Image:
    words, band = draft.words, block(2 * SMALL)
    draw = ImageDraw.Draw(band)
    whole = estimate.contributions.get(place.influence.modality, 0.0)
    named = caption(words, place.source, place.influence.side, draft.sources)
    texts = (words.effect(place.influence, whole), named)
    for middle, text in zip(HALVES, texts, strict=True):
        centred(draw, (middle, SMALL), Line(text, GREY, BODY - 2), PANEL[0] - BODY)
    return band


def caption(words: Words, source: Source, side: str, among: Sequence[Source] = ()) -> str:
    """Name a source image as a reader would look for it, told from the others of the result."""
    instance = source.instance
    series, number = source.series_number, source.instance_number
    if instance.modality == "MG":
        twins = [one for one in among if _is_twin(source, one)]
        earlier = any(_is_later(one, source) for one in twins)
        series, number = (series, number) if twins else (0, 0)
        return words.view(
            "MG", instance.laterality, instance.view_position, series=series, number=number, earlier=earlier
        )
    side, part = (side, BREAST) if source.shows_both_breasts else (instance.laterality, source.body_part)
    frame = source.frame if instance.frames > 1 else 0
    return words.view(instance.modality, side, part, series=series, number=number, frame=frame)


def _is_twin(one: Source, other: Source) -> bool:
    """Whether another mammogram is of the same side and view."""
    a, b = one.instance, other.instance
    alike = (a.modality, a.laterality, a.view_position) == (b.modality, b.laterality, b.view_position)
    return alike and a.sop_instance_uid != b.sop_instance_uid


def _is_later(one: Source, other: Source) -> bool:
    days = one.instance.acquired_on, other.instance.acquired_on
    return days[0] is not None and days[1] is not None and days[0] > days[1]


def _sides(words: Words, source: Source, estimate: Estimate, width: int) -> list[Image.Image]:
    """Mark, above an image of both breasts, which half is the answer's."""
    if not source.shows_both_breasts or source.columns_to_left is None:
        return []
    band = block(BODY + 22)
    draw = ImageDraw.Draw(band)
    order = ("R", "L") if source.columns_to_left else ("L", "R")
    for middle in HALVES:
        for n, side in enumerate(order):
            asked = side == estimate.side
            left = middle - width // 2 + n * width // 2
            right = left + width // 2
            colour = YELLOW if asked else DIM
            centred(draw, ((left + right) // 2, BODY // 2 + 2), Line(words.breast(side), colour, SMALL))
            draw.rectangle((left + 2, BODY + 8, right - 3, BODY + 16), fill=colour)
    return [band]
