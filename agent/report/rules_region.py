"""Rules for where a region lies: it is the strongest part of the map of the image on which it lies, and no other."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft, Place
from agent.report.region import strongest
from agent.report.rules_sr import estimate_of
from agent.report.slot import Finished, Slot

EXACT: Final = 1e-3  # pixels: coordinates are kept in single precision


def regions_are_the_maps(draft: Draft, one: Finished) -> bool:
    """Each region on a source image is the outline drawn from its map; all of a group are one."""
    regions = one.tree.typed("SCOORD")
    if not regions or any(r.GraphicData != regions[0].GraphicData for r in regions[1:]):
        return False
    image = _image(regions[0])
    if any(_image(r) != image for r in regions[1:]):
        return False
    place = _place_on_image(draft, one, image)
    if place is not None:
        return _is_outline(regions[0].GraphicData, _outline(draft, place))
    return _place_on_capture(draft, one, image) is not None  # where on it: `regions_on_captures_are_the_maps`


def source_of_measurement_is_the_regions(draft: Draft, one: Finished) -> bool:
    """The group names the source image on which the region lies, or whose capture carries it."""
    named = [
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for group in one.tree.named(codes.MEASUREMENT_GROUP)
        for item in tree.children(group, "IMAGE")
        if tree.is_named(item, codes.SOURCE_OF_MEASUREMENT)
    ]
    images = [_image(region) for region in one.tree.typed("SCOORD")]
    places = [_place_on_image(draft, one, i) or _place_on_capture(draft, one, i) for i in images]
    return len(named) == 1 and all(p is not None and [p.source.instance.sop_instance_uid] == named for p in places)


def state_draws_the_maps_region(draft: Draft, one: Finished) -> bool:
    """A presentation state draws the one outline of its image's map, and its words begin at a corner of that."""
    image = one.ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    place = _place_on_image(draft, one, (str(image.ReferencedSOPInstanceUID), _frame(image)))
    drawn = [g for a in one.ds.GraphicAnnotationSequence for g in a.GraphicObjectSequence]
    if place is None or len(drawn) != 1:
        return False
    outline = _outline(draft, place)
    corner = outline[:, 0].min(), outline[:, 1].max()
    anchors = [t.get("AnchorPoint", ()) for a in one.ds.GraphicAnnotationSequence for t in a.TextObjectSequence]
    return _is_outline(drawn[0].GraphicData, outline) and all(np.allclose(a, corner, atol=EXACT) for a in anchors)


def regions_on_captures_are_the_maps(draft: Draft, finished: Sequence[Finished]) -> bool:
    """A region on one of our captures is the map's, moved to where the picture shows the image."""
    pictures = {str(one.ds.SOPInstanceUID): one.drawn for one in finished}
    for one in (one for one in finished if one.slot.kind is Kind.SR):
        region = one.tree.typed("SCOORD")[0]
        image = _image(region)
        if _place_on_image(draft, one, image) is None:
            place, picture = _place_on_capture(draft, one, image), pictures.get(image[0])
            if place is None or picture is None:
                return False
            moved = _outline(draft, place) * picture.scale + np.array([picture.left, picture.top])
            if not _is_outline(region.GraphicData, moved):
                return False
    return True


def heatmap_uid(draft: Draft, side: str, index: int) -> str:
    """Return the SOP Instance UID of the picture of an axilla's n-th key image."""
    return draft.uid(Slot(Kind.SECONDARY_CAPTURE, SecondaryCaptureImageStorage, "OT", "", 0, side, index))


def _image(region: Dataset) -> tuple[str, int]:
    """Return on what a region lies, and on which of its frames; 0 where that is not said."""
    named = tree.children(region, "IMAGE")[0].ReferencedSOPSequence[0]
    return str(named.ReferencedSOPInstanceUID), _frame(named)


def _frame(named: Dataset) -> int:
    return int(named.get("ReferencedFrameNumber") or 0)


def _place_on_image(draft: Draft, one: Finished, image: tuple[str, int]) -> Place | None:
    for place in draft.places(estimate_of(draft, one)):
        source = place.source
        frame = source.frame if source.instance.frames > 1 else 0
        if (source.instance.sop_instance_uid, frame) == image:
            return place
    return None


def _place_on_capture(draft: Draft, one: Finished, image: tuple[str, int]) -> Place | None:
    places = enumerate(draft.places(estimate_of(draft, one)), start=1)
    return next((place for n, place in places if (heatmap_uid(draft, one.slot.axilla, n), 0) == image), None)


def _outline(draft: Draft, place: Place) -> NDArray[np.float64]:
    """Return the corners of a map's region in pixels of the source image, (5, 2), column before row."""
    what = _outline, place.influence.sop_instance_uid, place.influence.frame, place.influence.side
    return draft.once(what, lambda: _traced(place))


def _traced(place: Place) -> NDArray[np.float64]:
    box, source = strongest(place.influence.saliency_hw), place.source
    size = source.instance.columns, source.instance.rows
    return np.full((5, 2), np.nan) if box is None else box.scaled(source.reduction).within(*size).polyline


def _is_outline(data: Sequence[float], outline: NDArray[np.float64]) -> bool:
    return len(data) == outline.size and np.allclose(np.reshape(data, (-1, 2)), outline, rtol=1e-6, atol=EXACT)


FOR_SR: Final = (regions_are_the_maps, source_of_measurement_is_the_regions)
FOR_STATES: Final = (state_draws_the_maps_region,)
TOGETHER: Final = (regions_on_captures_are_the_maps,)
