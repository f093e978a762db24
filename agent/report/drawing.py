"""Where the region of an SR is drawn: on an image, or on our capture of it where viewers could not show the image."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.prediction import Estimate
from agent.core.result import Reference
from agent.report.capture import Captured
from agent.report.draft import Draft, Place
from agent.report.header import Source
from agent.report.references import reference
from agent.report.region import Box, strongest
from agent.report.temporal import is_temporal
from agent.report.words import is_notable


@dataclass(frozen=True)
class Drawing:
    """The region of an SR."""

    source: Source  # its study is the SR's
    box: Box  # in pixels of what it lies on
    on: Reference
    frame: int = 0  # of a multi-frame image, from 1
    needs: tuple[Reference, ...] = ()  # what must be in the archive before


def drawing(draft: Draft, estimate: Estimate, pictured: Sequence[Captured]) -> Drawing | None:
    """Return the region on the image that comes first; None where no image has one, which an SR cannot be without.

    An image of the axilla in the index study comes before its others, if what it contributed is worth a word.
    """
    for place in sorted(draft.places(estimate), key=lambda place: not _shows_the_axilla(draft, place)):
        box = strongest(place.influence.saliency_hw)
        if box is not None:
            source = place.source
            box = box.scaled(source.reduction).within(source.instance.columns, source.instance.rows)
            frame = source.frame if source.instance.frames > 1 else 0
            on_image = Drawing(source, box, reference(source.instance), frame)
            return on_image if _can_show(draft, source) else _on_capture(draft, on_image, estimate, pictured)
    return None


def _shows_the_axilla(draft: Draft, place: Place) -> bool:
    source = place.source
    at_hand = source.instance.study_instance_uid == draft.index.instance.study_instance_uid
    return at_hand and source.is_axillary and is_notable(place.influence)


def _can_show(draft: Draft, source: Source) -> bool:
    """Whether viewers draw a region on the image: it is no part of a 4D series, and one of many frames is named."""
    return not is_temporal(draft, source) and (source.instance.frames <= 1 or source.frame > 0)


def _on_capture(draft: Draft, on_image: Drawing, estimate: Estimate, pictured: Sequence[Captured]) -> Drawing:
    source = on_image.source
    wanted = estimate.side, source.instance.sop_instance_uid
    slot, picture = next(
        (c.finished.slot, c.picture)
        for c in pictured
        if c.picture is not None and (c.finished.slot.axilla, c.uid) == wanted
    )
    capture = draft.reference(slot, source)
    box = on_image.box.scaled(picture.scale, picture.left, picture.top)
    return Drawing(source, box, capture, needs=(capture,))
