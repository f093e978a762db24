"""One picture a source image: where it influenced the estimate at the left, itself at the right, words around."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from agent.core.prediction import Estimate
from agent.core.result import Influence
from agent.report import words
from agent.report.colour import OPACITY, PALETTE
from agent.report.draft import Draft, Place
from agent.report.header import Source
from agent.report.layout import (
    GREY,
    MIN_WIDTH,
    ORANGE,
    YELLOW,
    Line,
    banner_height,
    font,
    font_size,
    legend,
    paragraph,
    stacked,
)

MAX_PANEL: Final = (896, 1120)  # width, height: words and influence are read, not microcalcifications
GAP: Final = 8


@dataclass(frozen=True)
class Picture:
    """A finished picture, and where its overlay lies: image pixel (x, y) is at (x * scale + left, y * scale + top)."""

    image: Image.Image
    scale: float
    left: int
    top: int


def heatmap(draft: Draft, estimate: Estimate, place: Place) -> Picture:
    """Return the picture of one image's influence. It holds no name, number or date of the patient."""
    scale, size = _fit(place.source)
    grey = Image.fromarray(place.source.image_hw).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    overlay = _overlay(grey, place.influence)
    width = max(MIN_WIDTH, 2 * size[0] + GAP)
    left = (width - 2 * size[0] - GAP) // 2
    pair = Image.new("RGB", (width, size[1]))
    pair.paste(overlay, (left, 0))
    pair.paste(grey.convert("RGB"), (left + size[0] + GAP, 0))
    captions = _captions(width, left + size[0] // 2, left + size[0] + GAP + size[0] // 2)
    whole = stacked(pair, captions, legend(width), paragraph(width, _lines(draft, estimate, place)))
    return Picture(whole, scale / place.source.reduction, left, banner_height(width))


def _fit(source: Source) -> tuple[float, tuple[int, int]]:
    """Return the scale and the size (width, height) at which an image fills a panel."""
    height, width = source.image_hw.shape
    enlarged = max(1.0, (MIN_WIDTH - GAP) / (2 * width))  # a small image only until the words have room
    scale = min(MAX_PANEL[0] / width, MAX_PANEL[1] / height, enlarged)
    return scale, (max(1, round(width * scale)), max(1, round(height * scale)))


def _overlay(grey: Image.Image, influence: Influence) -> Image.Image:
    # bytes from here on: blending in Pillow's integers is fifty times faster than in floating point
    levels = Image.fromarray((np.clip(influence.saliency_hw, 0, 1) * np.float32(255)).astype(np.uint8))
    levels = levels.resize(grey.size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    opacity = levels.point(OPACITY)
    levels.putpalette(PALETTE)
    return Image.composite(levels.convert("RGB"), grey.convert("RGB"), opacity)


def _captions(width: int, left: int, right: int) -> Image.Image:
    size = font_size(width)
    strip = Image.new("RGB", (width, 2 * size))
    draw = ImageDraw.Draw(strip)
    for x, text in ((left, words.OVERLAY), (right, words.ORIGINAL)):
        draw.text((x, size), text, fill=GREY, font=font(size), anchor="mm")
    return strip


def _lines(draft: Draft, estimate: Estimate, place: Place) -> list[Line]:
    instance, result = place.source.instance, draft.result
    view = words.view(instance.modality, instance.laterality, instance.view_position)
    made_by = words.made_by(draft.device.model, draft.device.software_version, result)
    return [
        Line(words.answer(estimate, draft.words.event), YELLOW),
        Line(f"Source: {view}. {words.effect(place.influence)} {words.missing(result)}"),
        Line(f"{made_by}.", GREY),
        *([Line(words.DEMONSTRATION, ORANGE)] if words.is_demonstration(result.model) else []),
    ]
