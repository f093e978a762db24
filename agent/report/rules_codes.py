"""Rules for every code and enumerated value of every object: it is one that we use, and means what it says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from highdicom.sr import CodedConcept
from pydicom.tag import Tag

from agent.core.result import Kind
from agent.dicom import codes
from agent.report.draft import Draft
from agent.report.levels import Level
from agent.report.rules_iod import CODE_MEANING, CODE_VALUE, SCHEME, Breaks
from agent.report.slot import Finished

MODALITIES: Final[Mapping[Kind, str]] = {
    Kind.SR: "SR",
    Kind.TEXT_SR: "SR",
    Kind.SECONDARY_CAPTURE: "OT",
    Kind.SEGMENTATION: "SEG",
    Kind.PRESENTATION_STATE: "PR",
    Kind.KEY_OBJECT: "KO",
    Kind.REJECTION: "KO",
}
"""Modality by the IOD (PS3.3 C.7.3.1.1.1)."""
ENUMERATED: Final[Mapping[int, frozenset[str]]] = {
    int(Tag(keyword)): frozenset(values.split("|"))
    for keyword, values in {
        "BurnedInAnnotation": "YES|NO",
        "ColorSpace": "SRGB",
        "CompletionFlag": "COMPLETE",
        "ContinuityOfContent": "SEPARATE|CONTINUOUS",
        "GraphicAnnotationUnits": "PIXEL",
        "GraphicFilled": "Y|N",
        "GraphicType": "POLYLINE",
        "ImageLaterality": "L|R|B",
        "Laterality": "L|R",
        "LossyImageCompression": "00|01",
        "PhotometricInterpretation": "MONOCHROME2|RGB",
        "PreliminaryFlag": "PRELIMINARY",
        "PresentationLUTShape": "IDENTITY|INVERSE",
        "PresentationSizeMode": "SCALE TO FIT",
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentationType": "BINARY",
        "SegmentsOverlap": "NO",
        "SpatialLocationsPreserved": "YES|NO|REORIENTED_ONLY",
        "VOILUTFunction": "LINEAR|LINEAR_EXACT|SIGMOID",
        "VerificationFlag": "UNVERIFIED",
    }.items()
}
"""What our objects may say, at any depth: each a part of what PS3.3 enumerates (C.7.6.1, C.10.5, C.11, C.17, C.18)."""


def codes_mean_what_they_say(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Every code is one of `agent.dicom.codes`, with that meaning: on a page as its language says it."""
    for level in levels:
        if CODE_MEANING in level.elements:
            known = MEANINGS.get((str(level.value(CODE_VALUE)), str(level.value(SCHEME))))
            said = str(level.value(CODE_MEANING))
            if known is None:
                yield level.named(CODE_VALUE)
            elif said != (draft.words.meaning(known) if one.slot.kind is Kind.TEXT_SR else known):
                yield level.named(CODE_MEANING)


def enumerated_values_are_ours(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Where the standard enumerates values, an object has one of those that it can have."""
    if one.ds.Modality != MODALITIES[one.slot.kind]:
        yield "Modality"
    for level in levels:
        for tag in ENUMERATED.keys() & level.elements.keys():
            value = level.value(tag)
            if value is not None and str(value) not in ENUMERATED[tag]:
                yield level.named(tag)


def _concepts(value: object) -> Iterator[CodedConcept]:
    """Yield a concept, and those that a table holds."""
    if isinstance(value, CodedConcept):
        yield value
    elif isinstance(value, codes.QuestionCodes):
        yield from (value.probability, value.category, value.finding)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _concepts(one)


MEANINGS: Final = {
    (str(concept.value), str(concept.scheme_designator)): str(concept.meaning)
    for value in vars(codes).values()
    for concept in _concepts(value)
}
"""What each of our codes means, in English."""
RULES: Final[tuple[Breaks, ...]] = (codes_mean_what_they_say, enumerated_values_are_ours)
