"""Rules for every object: it has what the standard's tables of its SOP class require (PS3.3 annex A, C).

Each rule yields the keywords of the attributes that break it, never their values.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from pydicom import Dataset
from pydicom.tag import Tag

from agent.report.draft import Draft
from agent.report.iod_tables import CONTENT, iod
from agent.report.levels import Level, is_empty
from agent.report.slot import Finished

Breaks: TypeAlias = Callable[[Draft, Finished, Sequence[Level]], Iterator[str]]


def _tag(keyword: str) -> int:
    return int(Tag(keyword))


VALUE_TYPE: Final = _tag("ValueType")
RELATIONSHIP: Final = _tag("RelationshipType")
BY_REFERENCE: Final = _tag("ReferencedContentItemIdentifier")
CONCEPT_NAME: Final = _tag("ConceptNameCodeSequence")
NAMED: Final = frozenset({"TEXT", "NUM", "CODE", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME"})
MEASURED: Final = _tag("MeasuredValueSequence")  # of type 2: there, and empty where nothing could be measured
ITEMS: Final[Mapping[str, tuple[int, ...]]] = {
    value_type: tuple(map(_tag, keywords))
    for value_type, keywords in {
        "CONTAINER": ("ContinuityOfContent",),
        "TEXT": ("TextValue",),
        "NUM": ("MeasuredValueSequence",),
        "CODE": ("ConceptCodeSequence",),
        "DATETIME": ("DateTime",),
        "DATE": ("Date",),
        "TIME": ("Time",),
        "UIDREF": ("UID",),
        "PNAME": ("PersonName",),
        "IMAGE": ("ReferencedSOPSequence",),
        "COMPOSITE": ("ReferencedSOPSequence",),
        "WAVEFORM": ("ReferencedSOPSequence",),
        "SCOORD": ("GraphicType", "GraphicData"),
        "SCOORD3D": ("GraphicType", "GraphicData", "ReferencedFrameOfReferenceUID"),
        "TCOORD": ("TemporalRangeType",),
        "TABLE": ("TabulatedValuesSequence",),
    }.items()
}
"""What an item of each Value Type must have (PS3.3 C.17.3, C.18)."""
PAIRED: Final = frozenset({"BREAST", "AXILLA"})
CODE_MEANING, CODE_VALUE, SCHEME = _tag("CodeMeaning"), _tag("CodeValue"), _tag("CodingSchemeDesignator")
LONG_CODE, URN_CODE = _tag("LongCodeValue"), _tag("URNCodeValue")


def required_attributes_are_present(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Attributes of type 1 and 2 are there, at every depth."""
    for level in levels:
        if not level.item:
            for tag in level.attributes.required - level.elements.keys():
                yield level.named(tag)


def required_attributes_have_values(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Attributes of type 1, and those of type 1C that are there, are not empty."""
    for level in levels:
        for tag in level.attributes.valued & level.elements.keys():
            if is_empty(level.elements[tag]):
                yield level.named(tag)


def content_items_are_whole(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """An item of a content tree has its relation, its name and what its Value Type asks for (PS3.3 C.17.3)."""
    if CONTENT not in iod(one.slot.sop_class_uid).mandatory:
        return
    for level in levels:
        if level.item and level.value(RELATIONSHIP) is None:
            yield level.named(RELATIONSHIP)
        if (level.item or not level.path) and BY_REFERENCE not in level.elements:
            yield from _of_its_type(level)


def _of_its_type(level: Level) -> Iterator[str]:
    value_type = str(level.value(VALUE_TYPE))
    if value_type not in ITEMS:
        yield level.named(VALUE_TYPE)
    if (value_type in NAMED or not level.item) and level.value(CONCEPT_NAME) is None:
        yield level.named(CONCEPT_NAME)
    for tag in ITEMS.get(value_type, ()):
        if level.value(tag) is None and not (tag == MEASURED and tag in level.elements):
            yield level.named(tag)


def codes_are_whole(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """A code has one of the three values, and a scheme unless the value is a URN (PS3.3 8.8)."""
    for level in levels:
        if CODE_MEANING in level.elements:
            values = [t for t in (CODE_VALUE, LONG_CODE, URN_CODE) if level.value(t) is not None]
            if len(values) != 1:
                yield level.named(CODE_VALUE)
            elif values != [URN_CODE] and level.value(SCHEME) is None:
                yield level.named(SCHEME)


def conditions_are_met(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Attributes of type 1C and 2C are there where what they depend on can be told."""
    modules = iod(one.slot.sop_class_uid).mandatory
    for keyword, (needed, may_be_empty) in CONDITIONS.items():
        if needed(one.ds, modules):
            element = one.ds.get_item(keyword)
            if element is None or not (may_be_empty or element.value):
                yield keyword


Needed: TypeAlias = Callable[[Dataset, frozenset[str]], bool]


def _is_paired(ds: Dataset, modules: frozenset[str]) -> bool:
    """Laterality, General Series: of a paired part whose image does not say its side (PS3.3 C.7.3.1)."""
    part = str(ds.get("BodyPartExamined", ""))
    return "general-series" in modules and part in PAIRED and not ds.get("ImageLaterality")


def _is_plane_without_axes(ds: Dataset, modules: frozenset[str]) -> bool:
    """Patient Orientation, General Image: where no orientation in space is given (PS3.3 C.7.6.1)."""
    groups = [*ds.get("SharedFunctionalGroupsSequence", ()), *ds.get("PerFrameFunctionalGroupsSequence", ())[:1]]
    oriented = "ImageOrientationPatient" in ds or any("PlaneOrientationSequence" in g for g in groups)
    return "general-image" in modules and not oriented


def _is_fractional(ds: Dataset, modules: frozenset[str]) -> bool:
    return "segmentation-image" in modules and ds.get("SegmentationType") == "FRACTIONAL"


CONDITIONS: Final[Mapping[str, tuple[Needed, bool]]] = {
    "SpecificCharacterSet": (lambda ds, modules: True, False),
    "Laterality": (_is_paired, True),
    "PatientOrientation": (_is_plane_without_axes, True),
    "PlanarConfiguration": (lambda ds, modules: ds.get("SamplesPerPixel", 1) > 1, True),
    "LossyImageCompressionRatio": (lambda ds, modules: ds.get("LossyImageCompression") == "01", False),
    "LossyImageCompressionMethod": (lambda ds, modules: ds.get("LossyImageCompression") == "01", False),
    "SegmentationFractionalType": (_is_fractional, False),
    "MaximumFractionalValue": (_is_fractional, False),
    "PerFrameFunctionalGroupsSequence": (
        lambda ds, modules: "segmentation-multi-frame-functional-groups" in modules,
        False,
    ),
    "PositionReferenceIndicator": (lambda ds, modules: "FrameOfReferenceUID" in ds, True),
    "GraphicLayerSequence": (lambda ds, modules: "GraphicAnnotationSequence" in ds, False),
    "PresentationLUTShape": (
        lambda ds, modules: "softcopy-presentation-lut" in modules and "PresentationLUTSequence" not in ds,
        False,
    ),
    "VerifyingObserverSequence": (lambda ds, modules: ds.get("VerificationFlag") == "VERIFIED", False),
}
"""When an attribute is needed, and whether it may be empty then (type 2C)."""


def pixel_data_is_as_long_as_its_image(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Pixel Data holds rows x columns x samples x frames, of whole bytes, of even length (PS3.5 8.1.1)."""
    ds = one.ds
    if "image-pixel" in iod(one.slot.sop_class_uid).mandatory:
        values = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel) * int(ds.get("NumberOfFrames", 1) or 1)
        needed = (values * int(ds.BitsAllocated) + 7) // 8
        if len(ds.get("PixelData") or b"") != needed + needed % 2:
            yield "PixelData"


def uids_are_new(draft: Draft, finished: Sequence[Finished]) -> bool:
    """What we mint names nothing else: no series is an object, and neither is anything of the source images'."""
    own = {str(one.ds.SOPInstanceUID) for one in finished}
    series = {str(one.ds.SeriesInstanceUID) for one in finished}
    given = {
        uid
        for i in (*draft.evidence, *draft.at_hand)
        for uid in (i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid)
    }
    return own.isdisjoint(series) and given.isdisjoint(own | series)


PRESENCE: Final[tuple[Breaks, ...]] = (
    required_attributes_are_present,
    required_attributes_have_values,
    content_items_are_whole,
    codes_are_whole,
    pixel_data_is_as_long_as_its_image,
)
"""Asked first: the other rules take what is required for granted."""
CONDITIONAL: Final[tuple[Breaks, ...]] = (conditions_are_met,)
TOGETHER: Final = (uids_are_new,)
