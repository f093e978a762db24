"""Where pixels lie is read from headers that may say anything."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import MRImageStorage, UltrasoundImageStorage

from agent.core.errors import Rejected
from agent.dicom.geometry import MrSlice, UltrasoundScale, mr_slice, ultrasound_scale
from agent.preprocess.placement import Box
from tests.builders_pixels import native, ramp
from tests.peers import shared

SUPINE, PRONE = [1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, -1, 0]
IMAGE = ramp(60, 80, np.uint8)


def region(**attributes: Any) -> Dataset:
    """A tissue region of 40 x 50 pixels of 0.1 mm."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 20, 10
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 69, 49
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    item.update({keyword: attributes[keyword] for keyword in attributes})
    return item


def us(*regions: Dataset, **attributes: Any) -> bytes:
    """An ultrasound image of 60 x 80 pixels."""
    return native(IMAGE, SOPClassUID=UltrasoundImageStorage, SequenceOfUltrasoundRegions=list(regions), **attributes)


def mr(**attributes: Any) -> bytes:
    """An axial MR image of a supine patient; `attributes` replace what it says, None removes."""
    given_: dict[str, Any] = {
        "SOPClassUID": MRImageStorage,
        "ImageOrientationPatient": SUPINE,
        "ImagePositionPatient": [-160, -100, 35.5],
        "PixelSpacing": [0.8, 0.7],
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "AcquisitionDate": "20260105",
        "AcquisitionTime": "101500.25",
    } | attributes
    return native(IMAGE, **{keyword: value for keyword, value in given_.items() if value is not None})


# ultrasound


def test_the_tissue_region_is_the_field_of_view() -> None:
    """From its first to its last pixel, both within it; centimetres become millimetres."""
    assert ultrasound_scale(us(region())) == UltrasoundScale(Box(10, 20, 40, 50), pytest.approx(0.1))


@pytest.mark.parametrize(
    "other",
    [
        region(RegionSpatialFormat=4),
        region(RegionDataType=10),
        region(PhysicalUnitsXDirection=4),
        region(PhysicalUnitsYDirection=0),
        region(RegionLocationMaxX1=40),
    ],
)
def test_of_several_regions_the_largest_of_tissue_counts(other: Dataset) -> None:
    """Not a trace, not a heartbeat, not one without centimetres, not a smaller one, whatever their order."""
    for regions in ((other, region()), (region(), other)):
        assert ultrasound_scale(us(*regions)).region == Box(10, 20, 40, 50)


@pytest.mark.parametrize("flow", [*({"RegionDataType": n} for n in range(2, 8)), {"RegionSpatialFormat": 3}])
def test_a_region_of_flow_makes_a_doppler_image(flow: dict[str, int]) -> None:
    """Colour, spectra and their traces, whether there is a region of tissue beside it or not."""
    for regions in ([region(**flow)], [region(), region(**flow)]):
        with pytest.raises(Rejected, match="a Doppler image: the model reads greyscale"):
            ultrasound_scale(us(*regions))


@pytest.mark.parametrize("modes", ["0004", "0008", "0011", "0020", "0101"])
def test_image_type_tells_a_doppler_image(modes: str) -> None:
    """Its fourth value adds up the modes, in hexadecimal digits."""
    with pytest.raises(Rejected, match="a Doppler image"):
        ultrasound_scale(us(region(), ImageType=["ORIGINAL", "PRIMARY", "BREAST", modes]))


@pytest.mark.parametrize(
    "kind",
    ["", "A", ["A", "B"], *(["ORIGINAL", "PRIMARY", "", modes] for modes in ("", "0001", "0640", "16", "DOP1"))],
)
def test_what_image_type_does_not_say_counts_for_nothing(kind: Any) -> None:
    """Too few values, other modes, or something that no manufacturer should write there."""
    assert ultrasound_scale(us(region(), region(RegionDataType=14), ImageType=kind)).region == Box(10, 20, 40, 50)


def test_without_a_tissue_region_pixel_spacing_counts() -> None:
    """The whole image is the field of view then."""
    part10 = us(region(RegionDataType=13), PixelSpacing=[0.2, 0.2])
    assert ultrasound_scale(part10) == UltrasoundScale(None, pytest.approx(0.2))


def test_without_any_spacing_nothing_is_claimed() -> None:
    """Neither a region nor a size of a pixel."""
    assert ultrasound_scale(us()) == UltrasoundScale(None, None)
    assert ultrasound_scale(native(IMAGE)) == UltrasoundScale(None, None)


def test_a_reversed_axis_keeps_its_scale() -> None:
    """A physical increment may be negative; a length is not."""
    assert ultrasound_scale(us(region(PhysicalDeltaX=-0.01))).pixel_mm == pytest.approx(0.1)


def test_a_last_column_that_counts_from_one_is_the_last() -> None:
    """One pixel beyond the image is a slip, not another region."""
    assert ultrasound_scale(us(region(RegionLocationMaxX1=80, RegionLocationMaxY1=60))).region == Box(10, 20, 50, 60)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (region(RegionLocationMaxX1=85), "not within the image"),
        (region(RegionLocationMaxY1=4000), "not within the image"),
        (region(RegionLocationMinX0=69), "40 x 1 pixels"),
        (region(RegionLocationMinY0=55), "-5 x 50 pixels"),
        (region(PhysicalDeltaX=0.0), "pixels of 0 mm"),
        (region(PhysicalDeltaY=math.nan), "pixels of nan mm"),
        (region(PhysicalDeltaX=math.inf), "pixels of inf mm"),
        (region(PhysicalDeltaX=0.02), "not square"),
    ],
)
def test_a_region_that_cannot_be_is_rejected(wrong: Dataset, reason: str) -> None:
    """In words."""
    with pytest.raises(Rejected, match=reason):
        ultrasound_scale(us(wrong))


def test_a_region_without_its_corners_is_rejected() -> None:
    """The reason names the kind of error and no value."""
    lacking = region()
    del lacking.RegionLocationMinX0
    with pytest.raises(Rejected, match=r"geometry cannot be read \(AttributeError\)"):
        ultrasound_scale(us(lacking))


@pytest.mark.parametrize(
    ("spacing", "reason"),
    [([0.0, 0.1], "pixels of 0 mm"), ([-0.1, -0.1], "pixels of -0.1 mm"), ([0.1, 0.2], "not square"), ([0.1], "2 num")],
)
def test_a_spacing_that_cannot_be_is_rejected(spacing: list[float], reason: str) -> None:
    """In words."""
    with pytest.raises(Rejected, match=reason):
        ultrasound_scale(us(PixelSpacing=spacing))


# magnetic resonance


def test_a_slice_says_where_it_lies_and_when_it_was_taken() -> None:
    """Towards the head, in millimetres, and a moment that sorts."""
    assert mr_slice(mr()) == MrSlice(
        position_mm=35.5,
        columns_to_left=True,
        pixel_mm=(0.8, 0.7),
        acquired="20260105101500.250000",
        temporal_position=None,
        derived=False,
        rows=60,
        columns=80,
        rows_to_back=True,
    )


@pytest.mark.parametrize(
    ("orientation", "columns_to_left", "rows_to_back"),
    [
        (SUPINE, True, True),
        (PRONE, False, False),
        ([-1, 0, 0, 0, 1, 0], False, True),
        ([1, 0, 0, 0, -1, 0], True, False),
    ],
)
def test_directions_are_the_patients(orientation: list[float], columns_to_left: bool, rows_to_back: bool) -> None:
    """And the position counts towards the head, whichever way the image lies."""
    found = mr_slice(mr(ImageOrientationPatient=orientation))
    assert (found.columns_to_left, found.rows_to_back) == (columns_to_left, rows_to_back)
    assert found.position_mm == 35.5


def tilted(degrees: float) -> list[float]:
    """Axial, turned about the axis from side to side."""
    angle = math.radians(degrees)
    return [1, 0, 0, 0, math.cos(angle), math.sin(angle)]


def test_a_tilted_slice_lies_along_its_own_normal() -> None:
    """Moving within the slice changes nothing."""
    angle = math.radians(15)
    places = ([0, 0, 0], [50, 0, 0], [0, 70 * math.cos(angle), 70 * math.sin(angle)])
    found = [mr_slice(mr(ImageOrientationPatient=tilted(15), ImagePositionPatient=place)) for place in places]
    assert [one.position_mm for one in found] == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    "orientation",
    [tilted(25), tilted(90), [0, 1, 0, 0, 0, -1], [0, 1, 0, 1, 0, 0], [0.9, 0.436, 0, -0.436, 0.9, 0]],
)
def test_what_is_not_axial_is_rejected(orientation: list[float]) -> None:
    """Oblique by more than 20 degrees, coronal, sagittal, or with rows from front to back."""
    with pytest.raises(Rejected, match="not an axial image"):
        mr_slice(mr(ImageOrientationPatient=orientation))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ImageOrientationPatient": None}, r"no Image Orientation \(Patient\)"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "is not 6 numbers"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "two directions at right angles"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.2, 1, 0]}, "two directions at right angles"),
        ({"ImageOrientationPatient": [3, 0, 0, 0, 3, 0]}, "two directions at right angles"),
        ({"ImagePositionPatient": None}, r"no Image Position \(Patient\)"),
        ({"PixelSpacing": None}, "no Pixel Spacing"),
        ({"PixelSpacing": [0, 1]}, "pixels of 0 mm"),
        ({"PixelSpacing": [1, -1]}, "pixels of -1 mm"),
        ({"PixelSpacing": [1, 400]}, "pixels of 400 mm"),
        ({"NumberOfFrames": 8}, "a multi-frame image"),
        ({"RescaleSlope": "0", "RescaleIntercept": "0"}, "Rescale Slope"),
        ({"RescaleSlope": "-2", "RescaleIntercept": "0"}, "Rescale Slope"),
        ({"Rows": 1}, "1 x 80 pixels"),
        ({"Columns": 0}, "60 x 0 pixels"),
    ],
)
def test_a_header_that_cannot_be_is_rejected(attributes: dict[str, Any], reason: str) -> None:
    """In words, none of them the patient's."""
    with pytest.raises(Rejected, match=reason) as caught:
        mr_slice(mr(**attributes))
    assert "CANARY" not in str(caught.value).upper()


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("PixelSpacing", ["3.3333", "1"]),
        ("ImagePositionPatient", ["0", "0", "3.3333"]),
        ("ImageOrientationPatient", ["1", "0", "0", "0", "1", "3.3333"]),
        ("RescaleIntercept", "3.3333"),
        ("TemporalPositionIdentifier", "333333"),
    ],
)
@pytest.mark.parametrize("text", [b"nan   ", b"inf   ", b"CANARY"])
def test_what_is_no_number_is_rejected(keyword: str, values: Any, text: bytes) -> None:
    """As a careless writer leaves it; the reason quotes no value."""
    written = mr(**{keyword: values})
    careless = written.replace(b"3.3333", text).replace(b"333333", text)
    assert careless != written
    with pytest.raises(Rejected) as caught:
        mr_slice(careless)
    assert "CANARY" not in str(caught.value)


def test_stored_values_have_a_meaning_of_their_own() -> None:
    """Some scanners choose slope and intercept anew for each series."""
    found = mr_slice(mr(RescaleSlope="2.5", RescaleIntercept="-3"))
    assert (found.slope, found.intercept) == (2.5, -3.0)


@pytest.mark.parametrize(
    ("image_type", "derived"),
    [
        (["ORIGINAL", "PRIMARY", "M", "NORM"], False),
        (["DERIVED", "PRIMARY", "OTHER"], False),
        (["ORIGINAL", "PRIMARY", "M", "SUB"], True),
        (["ORIGINAL", "SECONDARY", "PROJECTION IMAGE"], True),
        (None, False),
    ],
)
def test_what_was_computed_says_so(image_type: list[str] | None, derived: bool) -> None:
    """As a subtraction or projection, from the third value on; compressing an original makes it DERIVED, too."""
    assert mr_slice(mr(ImageType=image_type)).derived is derived


@pytest.mark.parametrize(
    ("attributes", "moment"),
    [
        ({"AcquisitionDateTime": "20260106120000.5+0100"}, "20260106120000.500000"),
        ({"AcquisitionDateTime": "2026"}, "20260105101500.250000"),
        ({"AcquisitionDate": None, "ContentDate": "20260107"}, "20260107101500.250000"),
        ({"AcquisitionTime": None, "ContentTime": "0917"}, "20260105091700.000000"),
        ({"AcquisitionTime": None, "SeriesTime": "09"}, "20260105090000.000000"),
        ({"AcquisitionDate": None}, "00000000101500.250000"),
        ({"AcquisitionTime": None}, ""),
    ],
)
def test_a_moment_is_taken_from_what_is_there(attributes: dict[str, Any], moment: str) -> None:
    """Acquisition before content before series; none where no clock says."""
    assert mr_slice(mr(**attributes)).acquired == moment


def test_a_temporal_position_is_a_number() -> None:
    """As stated."""
    assert mr_slice(mr(TemporalPositionIdentifier="3")).temporal_position == 3


def test_what_is_no_file_is_rejected() -> None:
    """By both."""
    for read in (mr_slice, ultrasound_scale):
        with pytest.raises(Rejected, match="not a DICOM Part 10 file"):
            read(b"hello")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_damaged_header_is_read_or_rejected(seed: int, count: int) -> None:
    """Nothing else is raised, whatever bytes change."""
    rng = np.random.default_rng(seed)
    for part10, read in ((mr(), mr_slice), (us(region()), ultrasound_scale)):
        broken = bytearray(part10)
        for at in rng.integers(132, len(broken) - IMAGE.size, count):
            broken[at] = rng.integers(256)
        found = outcome(read, bytes(broken))
        assert isinstance(found, MrSlice | UltrasoundScale) or "CANARY" not in found.upper()


def outcome(read: Callable[[bytes], MrSlice | UltrasoundScale], part10: bytes) -> MrSlice | UltrasoundScale | str:
    """What is read, or the reason why it is not."""
    try:
        return read(part10)
    except Rejected as exc:
        return str(exc)


# real files


def test_real_files_are_read_or_rejected_with_a_reason() -> None:
    """Prone MR, ultrasound with and without regions; enhanced MR is not read yet."""
    duke = sorted(shared("data", "duke_breast_mri", "dicom").glob("*.dcm"))
    found = [mr_slice(path.read_bytes()) for path in duke]
    assert [one.position_mm for one in found] == pytest.approx([89.756, 86.756, 83.756], abs=1e-3)
    assert {(one.columns_to_left, one.rows_to_back, one.derived) for one in found} == {(False, False, False)}
    assert mr_slice(real("fo-dicom/GH1339.dcm")).acquired == "20231101155327.157500"
    with pytest.raises(Rejected, match="multi-frame"):
        mr_slice(real("fo-dicom/MOVEKNEE.dcm"))
    assert ultrasound_scale(real("weasis/ybrFull-RLE.dcm")).region == Box(48, 84, 368, 400)
    assert ultrasound_scale(real("fo-dicom/DIRW0007")).pixel_mm == pytest.approx(0.52478, abs=1e-5)
    assert ultrasound_scale(real("nema-wg04/US1_RLE")) == UltrasoundScale(None, None)


def real(name: str) -> bytes:
    """A real file."""
    return shared("data", "dicom", *name.split("/")).read_bytes()


@pytest.mark.parametrize(
    ("attributes", "weighting"),
    [
        ({}, ""),
        ({"RepetitionTime": "4.50", "FlipAngle": 10}, "RepetitionTime 4.5, FlipAngle 10"),
        ({"EchoTime": "", "ScanOptions": "FS"}, "fat suppressed"),
        ({"ScanOptions": ["PFP", "SFS"]}, "fat suppressed"),
        ({"ScanOptions": ["FAT_SAT_GEMS"]}, "fat suppressed"),
        ({"ScanOptions": ["PFP"]}, ""),
    ],
)
def test_the_weighting_tells_series_of_one_geometry_apart(attributes: dict[str, Any], weighting: str) -> None:
    """The phases of one dynamic series share it."""
    assert mr_slice(mr(**attributes)).weighting == weighting
