"""Rules for segmentations: an influence on its source's pixels, and never a lesion."""

from typing import Final

import numpy as np
from pydicom import Dataset

from agent.dicom import codes, uids
from agent.report import tree, words
from agent.report.draft import Draft, Place
from agent.report.segmentation import region_mask
from agent.report.slot import Finished


def segments_are_influences(draft: Draft, one: Finished) -> bool:
    """The one segment is a region of influence by its category and its type, and names the model that found it."""
    segments = one.ds.get("SegmentSequence", ())
    wanted = [(codes.SPATIAL_CONCEPT.value, "SCT"), (codes.REGION_OF_INFLUENCE.value, codes.SCHEME)]
    return (
        len(segments) == 1
        and _coded(segments[0]) == wanted
        and _algorithm(segments[0])
        == (
            draft.result.model.name,
            draft.result.model.version,
        )
    )


def segment_is_tracked_as_in_the_sr(draft: Draft, one: Finished) -> bool:
    """Tracking UID and identifier are those of the SR's group of this axilla."""
    result, side = draft.result, one.slot.axilla
    wanted = uids.tracking_uid(result.installation, result.case_uuid, result.version, result.question, side)
    return all(
        (s.TrackingID, str(s.TrackingUID)) == (f"{draft.words.short} risk {side}", wanted)
        for s in one.ds.SegmentSequence
    )


def segment_has_a_colour(draft: Draft, one: Finished) -> bool:
    """Viewers warn of a segment without one."""
    return all("RecommendedDisplayCIELabValue" in s for s in one.ds.SegmentSequence)


def segment_holds_the_disclaimer(draft: Draft, one: Finished) -> bool:
    """The segment says what it is not."""
    said = [str(s.get("SegmentDescription", "")) for s in one.ds.SegmentSequence]
    return all(draft.words.disclaimer in s and draft.words.gettext(words.NOT_AN_OUTLINE) in s for s in said)


def pixels_are_the_region(draft: Draft, one: Finished) -> bool:
    """Pixel by pixel it is the region of one key image, which it names, of that image's size."""
    named = _named(one.ds)
    places = [p for e in draft.ranked if e.side == one.slot.axilla for p in draft.places(e)]
    found = [p for p in places if [p.source.instance.sop_instance_uid] == named]
    return bool(found) and _pixels(one.ds) == _packed(found[0])


def _coded(segment: Dataset) -> list[tuple[str, str]]:
    return [
        tree.code(segment[keyword][0])
        for keyword in ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
    ]


def _algorithm(segment: Dataset) -> tuple[str, str]:
    item = segment.SegmentationAlgorithmIdentificationSequence[0]
    return str(item.AlgorithmName), str(item.AlgorithmVersion)


def _named(ds: Dataset) -> list[str]:
    return [str(i.ReferencedSOPInstanceUID) for s in ds.ReferencedSeriesSequence for i in s.ReferencedInstanceSequence]


def _pixels(ds: Dataset) -> tuple[int, int, bytes]:
    return int(ds.Rows), int(ds.Columns), bytes(ds.PixelData)


def _packed(place: Place) -> tuple[int, int, bytes]:
    mask_hw = region_mask(place)
    packed = np.packbits(mask_hw.ravel(), bitorder="little").tobytes()
    return *mask_hw.shape, packed + bytes(len(packed) % 2)


RULES: Final = (
    segments_are_influences,
    segment_is_tracked_as_in_the_sr,
    segment_has_a_colour,
    segment_holds_the_disclaimer,
    pixels_are_the_region,
)
