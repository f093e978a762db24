"""Rules for Secondary Captures: shown as what they are, and measured by nobody."""

from typing import Final

import numpy as np

from agent.report.draft import Draft
from agent.report.layout import banner
from agent.report.slot import Finished

ATTRIBUTES: Final = {
    "ImageType": ["DERIVED", "SECONDARY"],
    "Modality": "OT",
    "ConversionType": "WSD",
    "RecognizableVisualFeatures": "NO",
    "PhotometricInterpretation": "RGB",
    "SamplesPerPixel": 3,
    "BitsAllocated": 8,
    "PlanarConfiguration": 0,
}
ABSENT: Final = (
    "FrameOfReferenceUID",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Laterality",
)


def attributes_are_those_of_a_capture(draft: Draft, one: Finished) -> bool:
    """Type, modality and conversion as specified, so that viewers neither cine nor measure it."""
    right = all(bool(one.ds.get(keyword) == value) for keyword, value in ATTRIBUTES.items())
    return right and not any(keyword in one.ds for keyword in ABSENT)


def side_equals_the_source(draft: Draft, one: Finished) -> bool:
    """A heatmap has its axilla's side, which is its source's; the summary the side of its answers, or both."""
    sides = {s.instance.sop_instance_uid: s.instance.laterality for s in draft.sources}
    if not one.slot.axilla:
        spoken = {str(a.side or "B") for a in draft.result.answers}
        return str(one.ds.get("ImageLaterality")) == (spoken.pop() if len(spoken) == 1 else "B")
    sources = [item.ReferencedSOPInstanceUID for item in one.ds.get("SourceImageSequence", ())]
    return (
        str(one.ds.get("ImageLaterality")) == one.slot.axilla
        and len(sources) == 1
        and sides.get(sources[0]) in ("", "B", one.slot.axilla)
    )


def body_part_equals_the_source(draft: Draft, one: Finished) -> bool:
    """A picture of an image of the axilla is of the axilla, every other one of the breast."""
    axillary = {s.instance.sop_instance_uid for s in draft.sources if s.is_axillary}
    sources = {str(item.ReferencedSOPInstanceUID) for item in one.ds.get("SourceImageSequence", ())}
    return str(one.ds.get("BodyPartExamined")) == ("AXILLA" if sources & axillary else "BREAST")


def burned_in_names_are_admitted(draft: Draft, one: Finished) -> bool:
    """A picture whose source may show a name or a date says so; every other one says that it shows none."""
    uncertain = {s.instance.sop_instance_uid for s in draft.sources if s.may_identify}
    sources = {str(item.ReferencedSOPInstanceUID) for item in one.ds.get("SourceImageSequence", ())}
    return bool(one.ds.get("BurnedInAnnotation") == ("YES" if sources & uncertain else "NO"))


def locations_are_not_preserved(draft: Draft, one: Finished) -> bool:
    """Nobody may carry a position from the picture over to its source."""
    return all(item.SpatialLocationsPreserved == "NO" for item in one.ds.get("SourceImageSequence", ()))


def disclaimer_is_burned_in(draft: Draft, one: Finished) -> bool:
    """The bands above and below are the disclaimer, pixel by pixel."""
    rows, columns = int(one.ds.Rows), int(one.ds.Columns)
    pixels_hwc = np.frombuffer(one.ds.PixelData, np.uint8, rows * columns * 3).reshape(rows, columns, 3)
    band_hwc = np.asarray(banner(draft.words.disclaimer))
    height = len(band_hwc)
    return np.array_equal(pixels_hwc[:height], band_hwc) and np.array_equal(pixels_hwc[-height:], band_hwc)


def capture_states_its_answer(draft: Draft, one: Finished) -> bool:
    """The words of the picture are also there to be read by machines: of the summary, all answers."""
    said = str(one.ds.get("ImageComments", ""))
    stated = [draft.words.answer(a) in said for a in draft.result.answers]
    return any(stated) if one.slot.axilla else all(stated)


RULES: Final = (
    attributes_are_those_of_a_capture,
    side_equals_the_source,
    body_part_equals_the_source,
    burned_in_names_are_admitted,
    locations_are_not_preserved,
    disclaimer_is_burned_in,
    capture_states_its_answer,
)
