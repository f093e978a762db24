"""Where the region of an SR is drawn: on an image, or on our capture of it where viewers could not show the image."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.prediction import Estimate
from agent.core.result import Reference
from agent.report.capture import Captured
from agent.report.draft import Draft, reference
from agent.report.header import Source
from agent.report.region import Box, strongest


@dataclass(frozen=True)
class Drawing:
    """The region of an SR."""

    source: Source  # its study is the SR's
    box: Box  # in pixels of what it lies on
    on: Reference
    needs: tuple[Reference, ...] = ()  # what must be in the archive before


def drawing(draft: Draft, estimate: Estimate, pictured: Sequence[Captured]) -> Drawing | None:
    """Return the region on the image that comes first; None where no image has one, which an SR cannot be without."""
    for place in draft.places(estimate):
        box = strongest(place.influence.saliency_hw)
        if box is not None:
            source = place.source
            box = box.scaled(source.reduction).within(source.instance.columns, source.instance.rows)
            on_image = Drawing(source, box, reference(source.instance))
            return _on_capture(draft, on_image, estimate, pictured) if _is_temporal(draft, source) else on_image
    return None


def _on_capture(draft: Draft, on_image: Drawing, estimate: Estimate, pictured: Sequence[Captured]) -> Drawing:
    source = on_image.source
    wanted = estimate.side, source.instance.sop_instance_uid
    slot, picture = next(
        (c.finished.slot, c.picture)
        for c in pictured
        if c.picture is not None and (c.finished.slot.axilla, c.uid) == wanted
    )
    capture = draft.reference(slot, source)
    return Drawing(source, on_image.box.scaled(picture.scale, picture.left, picture.top), capture, (capture,))


def _is_temporal(draft: Draft, source: Source) -> bool:
    """Whether viewers show the image's series as 4D: an SR with a region on it freezes them."""
    series = source.instance.series_instance_uid
    return len({s.temporal_position for s in draft.sources if s.instance.series_instance_uid == series}) > 1
