"""The frames of enhanced multi-frame MR are read as the classic images that they stand for."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from agent.core.errors import Rejected
from agent.dicom.enhanced import mr_slices
from agent.dicom.geometry import mr_slice
from agent.dicom.pixels import decode, open_frames
from tests.builders import part10
from tests.builders_us_mr import MR_COLUMNS, MR_ROWS, dynamic, enhanced, mr_image

LEGACY = "1.2.840.10008.5.1.4.1.1.4.4"


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def test_a_classic_image_has_one_slice() -> None:
    """As it is read alone."""
    whole = part10(mr_image(1, 2))
    assert mr_slices(whole) == (mr_slice(whole),)


def test_each_frame_lies_where_its_classic_image_lies() -> None:
    """And was taken when that was."""
    images = dynamic(phases=2, slices=3)
    found = mr_slices(part10(enhanced(images)))
    assert found == tuple(mr_slice(part10(image)) for image in images)


def test_what_frames_say_of_themselves_or_share() -> None:
    """Type, times, rescaling, weighting, temporal position: shared ones count where a frame says nothing."""
    ds = enhanced(dynamic(phases=1, slices=2))
    shared, (first, second) = ds.SharedFunctionalGroupsSequence[0], ds.PerFrameFunctionalGroupsSequence
    shared.MRTimingAndRelatedParametersSequence = [item(RepetitionTime=4.5, FlipAngle=10.0)]
    shared.MREchoSequence = [item(EffectiveEchoTime=1.7)]
    shared.MRModifierSequence = [item(SpectrallySelectedSuppression="FAT")]
    shared.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=-5)]
    second.PixelValueTransformationSequence = [item(RescaleSlope=3, RescaleIntercept=0)]
    second.MRImageFrameTypeSequence = [item(FrameType=["DERIVED", "PRIMARY", "T1", "SUBTRACTION"])]
    first.FrameContentSequence[0].TemporalPositionIndex = 4
    one, other = mr_slices(part10(ds))
    assert one.weighting == other.weighting == "RepetitionTime 4.5, EchoTime 1.7, FlipAngle 10, fat suppressed"
    assert [(s.slope, s.intercept) for s in (one, other)] == [(2.0, -5.0), (3.0, 0.0)]
    assert (one.derived, other.derived) == (False, True)
    assert (one.temporal_position, other.temporal_position) == (4, None)


def test_legacy_converted_objects_keep_the_attributes_of_their_images() -> None:
    """Times stand among the unassigned ones."""
    ds = enhanced(dynamic(phases=1, slices=2), SOPClassUID=LEGACY, AcquisitionTime=None, ContentTime=None)
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.UnassignedSharedConvertedAttributesSequence = [item(ScanOptions="FS", AcquisitionDate="20260105")]
    for n, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        del frame.FrameContentSequence
        frame.UnassignedPerFrameConvertedAttributesSequence = [item(AcquisitionTime=f"10300{n}", EchoTime="1.5")]
    assert [(s.acquired, s.weighting) for s in mr_slices(part10(ds))] == [
        (f"2026010510300{n}.000000", "EchoTime 1.5, fat suppressed") for n in range(2)
    ]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"NumberOfFrames": 5}, "2 frames are described, the image has 5"),
        ({"PerFrameFunctionalGroupsSequence": []}, "a multi-frame image, where a single one is expected"),
        ({"SharedFunctionalGroupsSequence": None}, "no Image Orientation"),
        ({"SharedFunctionalGroupsSequence": [item()]}, "no Image Orientation"),
    ],
)
def test_what_does_not_fit_is_rejected(attributes: dict[str, Any], reason: str) -> None:
    """In words."""
    with pytest.raises(Rejected, match=reason):
        mr_slices(part10(enhanced(dynamic(phases=1, slices=2), **attributes)))


def test_each_frame_is_decoded_by_its_number() -> None:
    """As its classic image; read once, decoded one by one."""
    images = dynamic(phases=1, slices=3)
    frame = open_frames(part10(enhanced(images)))
    for number, image in enumerate(images, 1):
        decoded, plain = frame(number), decode(part10(image))
        assert decoded.frame == number
        assert decoded.image_hw.tobytes() == plain.image_hw.tobytes()
        assert decoded.image_hw.shape == (MR_ROWS, MR_COLUMNS)


def test_several_frames_are_expected_only_where_they_are_asked_for() -> None:
    """A picture of one frame of many would be chosen blindly; a number that no frame has is rejected."""
    whole = part10(enhanced(dynamic(phases=1, slices=2), SOPInstanceUID=generate_uid()))
    with pytest.raises(Rejected, match="a multi-frame image"):
        decode(whole)
    with pytest.raises(Rejected):
        open_frames(whole)(3)
