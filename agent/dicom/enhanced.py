"""The frames of an enhanced or legacy converted multi-frame MR image as slices (PS3.3 C.8.13, C.7.6.16)."""

from collections.abc import Iterator
from typing import Any, Final

from pydicom import Dataset

from agent.core.errors import Rejected
from agent.dicom.geometry import MR_ATTRIBUTES, MrSlice, mr_slice, read_attributes, slice_of
from agent.dicom.guard import rejecting

MOST_FRAMES: Final = 4096

_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_CONVERTED: Final = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
_CLASSIC: Final = {  # attribute of a functional group -> attribute of a classic image
    ("PlaneOrientationSequence", "ImageOrientationPatient"): "ImageOrientationPatient",
    ("PlanePositionSequence", "ImagePositionPatient"): "ImagePositionPatient",
    ("PixelMeasuresSequence", "PixelSpacing"): "PixelSpacing",
    ("PixelValueTransformationSequence", "RescaleSlope"): "RescaleSlope",
    ("PixelValueTransformationSequence", "RescaleIntercept"): "RescaleIntercept",
    ("FrameContentSequence", "FrameAcquisitionDateTime"): "AcquisitionDateTime",
    ("FrameContentSequence", "TemporalPositionIndex"): "TemporalPositionIdentifier",
    ("MRImageFrameTypeSequence", "FrameType"): "ImageType",
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime"): "RepetitionTime",
    ("MRTimingAndRelatedParametersSequence", "FlipAngle"): "FlipAngle",
    ("MREchoSequence", "EffectiveEchoTime"): "EchoTime",
    ("MRModifierSequence", "SpectrallySelectedSuppression"): "ScanOptions",
}


@rejecting("the image's geometry cannot be read")
def mr_slices(part10: bytes) -> tuple[MrSlice, ...]:
    """Read where and when each frame of an MR image was taken; a classic image has one.

    Raises
    ------
    Rejected
        If one of its frames is not as `agent.dicom.geometry.mr_slice` asks, or its functional groups do not fit its
        Number of Frames.
    """
    ds = read_attributes(part10, [*MR_ATTRIBUTES, *_GROUPS])
    frames = int(ds.get("NumberOfFrames") or 1)
    per_frame = ds.get(_GROUPS[1]) or ()
    if not per_frame:
        return (mr_slice(part10),)
    if len(per_frame) != frames or frames > MOST_FRAMES:
        raise Rejected(f"{len(per_frame)} frames are described, the image has {frames}")
    shared = (ds.get(_GROUPS[0]) or [Dataset()])[0]
    return tuple(slice_of(_as_classic(ds, shared, frame)) for frame in per_frame)


def _as_classic(ds: Dataset, shared: Dataset, frame: Dataset) -> Dataset:
    """Return the attributes that a classic image of this frame would have."""
    flat = Dataset()
    for keyword in MR_ATTRIBUTES:
        if keyword in ds and keyword != "NumberOfFrames":
            flat[keyword] = ds[keyword]
    for group, converted in zip((shared, frame), _CONVERTED, strict=True):
        for item in _first(group, converted):
            for keyword in MR_ATTRIBUTES:
                if keyword in item:
                    flat[keyword] = item[keyword]
        for (sequence, keyword), classic in _CLASSIC.items():
            for item in _first(group, sequence):
                if item.get(keyword) not in (None, ""):
                    setattr(flat, classic, item[keyword].value)
    return flat


def _first(group: Dataset, sequence: str) -> Iterator[Dataset]:
    items: Any = group.get(sequence) or ()
    yield from items[:1]
