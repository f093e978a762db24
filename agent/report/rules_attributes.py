"""Rules for what captures and presentation states may say at all: what nobody expects could move, measure or darken."""

from collections.abc import Mapping
from typing import Final

from pydicom.datadict import keyword_for_tag

from agent.core.result import Kind
from agent.report.draft import Draft
from agent.report.header import OPTIONAL, REQUIRED
from agent.report.slot import Finished

_COMMON: Final = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "CodingSchemeIdentificationSequence"),
    *("Modality", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "SeriesTime"),
    *("SeriesDescription", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"),
    *("DeviceUID", *REQUIRED, *OPTIONAL),
)
_PIXELS: Final = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)
ATTRIBUTES: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.SECONDARY_CAPTURE: frozenset(
        {
            *("ContentDate", "ContentTime", "ConversionType", "DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
            *("ImageType", "PatientOrientation", "BodyPartExamined", "ImageLaterality", "ImageComments"),
            *("BurnedInAnnotation", "RecognizableVisualFeatures", "SourceImageSequence", "DerivationDescription"),
            *(*_COMMON, *_PIXELS),
        }
    ),
    Kind.PRESENTATION_STATE: frozenset(
        {
            *("Laterality", "ContentLabel", "ContentDescription", "ContentCreatorName", "PresentationCreationDate"),
            *("PresentationCreationTime", "ReferencedSeriesSequence", "GraphicLayerSequence"),
            *("GraphicAnnotationSequence", "DisplayedAreaSelectionSequence", "SoftcopyVOILUTSequence"),
            *("ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "RescaleType", "PresentationLUTShape"),
            *("ICCProfile", "ColorSpace", *_COMMON),
        }
    ),
}
"""Of a capture above all no position and no spacing, of a state no mask, shutter, flip or table besides."""


def says_nothing_else(draft: Draft, one: Finished) -> bool:
    """No attribute at its root beside those of its kind."""
    return ATTRIBUTES[one.slot.kind].issuperset(keyword_for_tag(element.tag) for element in one.ds.values())


RULES: Final = (says_nothing_else,)
