"""Where the pixels of an ultrasound or MR image lie, in millimetres. Nothing that a header says is taken on trust."""

import math
import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from agent.core.errors import Rejected
from agent.dicom.container import inflated
from agent.dicom.guard import rejecting
from agent.preprocess.placement import Box, check_pixel_mm

_ULTRASOUND: Final = ["Rows", "Columns", "ImageType", "SequenceOfUltrasoundRegions", "PixelSpacing"]
MR_ATTRIBUTES: Final = [
    *("Rows", "Columns", "NumberOfFrames", "ImageType", "ImageOrientationPatient", "ImagePositionPatient"),
    *("PixelSpacing", "RescaleSlope", "RescaleIntercept", "TemporalPositionIdentifier"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("SeriesDate", "SeriesTime", "StudyDate"),
    *("RepetitionTime", "EchoTime", "FlipAngle", "ScanOptions"),
]
_TWO_DIMENSIONAL, _TISSUE, _CM = 1, 1, 3  # PS3.3 C.8.5.5.1.1, C.8.5.5.1.2, C.8.5.5.1.15
_SPECTRAL: Final = 3  # PS3.3 C.8.5.5.1.1
_DOPPLER: Final = frozenset(range(2, 8))  # colour flow, spectra, traces: PS3.3 C.8.5.5.1.2
_DOPPLER_MODES: Final = 0x0004 | 0x0008 | 0x0010 | 0x0020 | 0x0100  # CW, PW, three of colour: PS3.3 C.8.5.6.1.1
_SQUARE: Final = 0.02  # by how much the sides of a square pixel may differ
_STRAY_PIXELS: Final = 2  # some count a region's last column from 1
_AXIAL: Final = math.cos(math.radians(20))
_COMPUTED: Final = frozenset({"SUB", "SUBTRACT", "SUBTRACTION", "MIP", "MPR", "PROJECTION IMAGE"})


DOPPLER: Final = "a Doppler image: the model reads greyscale (B-mode) images"


@dataclass(frozen=True, slots=True)
class UltrasoundScale:
    """The field of view within an ultrasound image, and the size of its square pixels; None where not stated."""

    region: Box | None
    pixel_mm: float | None


@dataclass(frozen=True, slots=True)
class MrSlice:
    """One axial MR image: where it lies, when it was taken, and what its stored values mean."""

    position_mm: float  # along the slices' normal, towards the head
    columns_to_left: bool  # columns count towards the patient's left
    pixel_mm: tuple[float, float]  # distance between rows, between columns
    acquired: str  # YYYYMMDDHHMMSS.ffffff, which sorts; empty if not stated
    temporal_position: int | None
    derived: bool  # computed from other images, as a subtraction or a projection is
    rows: int
    columns: int
    rows_to_back: bool = True  # rows count towards the patient's back
    slope: float = 1.0  # intensity = slope * stored value + intercept; some scanners choose both anew a series
    intercept: float = 0.0
    weighting: str = ""  # what is alike in all phases of one dynamic series: times, flip angle, fat suppression


@rejecting("the image's geometry cannot be read")
def ultrasound_scale(part10: bytes) -> UltrasoundScale:
    """Read the largest two-dimensional tissue region, else Pixel Spacing (PS3.3 C.8.5.5, 10.7.1.1).

    A physical increment may be negative, where the axis is reversed (C.8.5.5.1.18): its magnitude counts.

    Raises
    ------
    Rejected
        If it is a Doppler image, a region is not within the image, or a spacing is none or not square.
    """
    ds = read_attributes(part10, _ULTRASOUND)
    if _is_doppler(ds):
        raise Rejected(DOPPLER)
    regions = [item for item in ds.get("SequenceOfUltrasoundRegions") or () if _shows_tissue(item)]
    if regions:
        box, item = max(
            ((_box(item, ds), item) for item in regions), key=lambda found: found[0].height * found[0].width
        )
        return UltrasoundScale(box, _square(abs(item.PhysicalDeltaY) * 10, abs(item.PhysicalDeltaX) * 10))
    if ds.get("PixelSpacing"):
        return UltrasoundScale(None, _square(*_floats(ds.PixelSpacing, 2, "Pixel Spacing")))
    return UltrasoundScale(None, None)


@rejecting("the image's geometry cannot be read")
def mr_slice(part10: bytes) -> MrSlice:
    """Read where and when one axial MR image was taken (PS3.3 C.7.6.2, C.8.3.1).

    Raises
    ------
    Rejected
        If it has several frames, is not axial within 20 degrees with rows from side to side, or lacks a position,
        an orientation or a spacing that can be.
    """
    ds = read_attributes(part10, MR_ATTRIBUTES)
    if int(ds.get("NumberOfFrames") or 1) != 1:
        raise Rejected("a multi-frame image, where a single one is expected")
    return slice_of(ds)


def slice_of(ds: Dataset) -> MrSlice:
    """Read one slice from the attributes of a classic MR image. Raises Rejected as `mr_slice`."""
    row, column, normal = _axes(_floats(ds.get("ImageOrientationPatient"), 6, "Image Orientation (Patient)"))
    position = _floats(ds.get("ImagePositionPatient"), 3, "Image Position (Patient)")
    spacing = _floats(ds.get("PixelSpacing"), 2, "Pixel Spacing")
    check_pixel_mm(*spacing)
    slope, intercept = _rescale(ds)
    if ds.Rows < 2 or ds.Columns < 2:
        raise Rejected(f"an image of {ds.Rows} x {ds.Columns} pixels")
    return MrSlice(
        position_mm=float(position @ normal),
        columns_to_left=bool(row[0] > 0),
        pixel_mm=(float(spacing[0]), float(spacing[1])),
        acquired=_moment(ds),
        temporal_position=_whole(ds.get("TemporalPositionIdentifier")),
        derived=_is_computed(ds),
        rows=int(ds.Rows),
        columns=int(ds.Columns),
        rows_to_back=bool(column[1] > 0),
        slope=slope,
        intercept=intercept,
        weighting=_weighting(ds),
    )


def read_attributes(part10: bytes, keywords: list[str]) -> Dataset:
    """Read some attributes of a Part 10 file."""
    return dcmread(BytesIO(inflated(part10)), stop_before_pixels=True, specific_tags=keywords)


def _is_doppler(ds: Dataset) -> bool:
    """Whether Image Type or a region says that flow is shown. A colour bar says nothing: it may be of tinted tissue."""
    kind: Any = ds.get("ImageType") or ()
    modes = "" if isinstance(kind, str) else "".join(str(value) for value in kind[3:4])
    if re.fullmatch(r"[0-9A-Fa-f]{4}", modes, re.ASCII) and int(modes, 16) & _DOPPLER_MODES:
        return True
    regions = ds.get("SequenceOfUltrasoundRegions") or ()
    return any(i.get("RegionDataType") in _DOPPLER or i.get("RegionSpatialFormat") == _SPECTRAL for i in regions)


def _shows_tissue(item: Dataset) -> bool:
    kind = (item.get("RegionSpatialFormat"), item.get("RegionDataType"))
    units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
    return kind == (_TWO_DIMENSIONAL, _TISSUE) and units == (_CM, _CM)


def _box(item: Dataset, ds: Dataset) -> Box:
    """The rectangle from the first to the last pixel of a region, both within it (PS3.3 C.8.5.5.1.14)."""
    top, left = int(item.RegionLocationMinY0), int(item.RegionLocationMinX0)
    bottom, right = int(item.RegionLocationMaxY1) + 1, int(item.RegionLocationMaxX1) + 1
    if bottom > ds.Rows + _STRAY_PIXELS or right > ds.Columns + _STRAY_PIXELS:
        raise Rejected("the ultrasound region is not within the image")
    bottom, right = min(bottom, int(ds.Rows)), min(right, int(ds.Columns))
    if bottom - top < 2 or right - left < 2:
        raise Rejected(f"an ultrasound region of {bottom - top} x {right - left} pixels")
    return Box(top, left, bottom - top, right - left)


def _square(row_mm: float, column_mm: float) -> float:
    row_mm, column_mm = float(row_mm), float(column_mm)
    check_pixel_mm(row_mm, column_mm)
    if abs(row_mm - column_mm) > _SQUARE * max(row_mm, column_mm):
        raise Rejected(f"pixels of {row_mm:g} x {column_mm:g} mm, which are not square")
    return (row_mm + column_mm) / 2


def _floats(values: Any, count: int, name: str) -> NDArray[np.float64]:
    if values in (None, ""):
        raise Rejected(f"no {name}")
    numbers = np.atleast_1d(np.asarray(values, np.float64))
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise Rejected(f"{name} is not {count} numbers")
    return numbers


def _axes(orientation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Direction of rows, of columns, and of the normal towards the head; refused where the slice is not axial."""
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not all(0.9 < length < 1.1 for length in lengths) or abs(row @ column) > 0.05:
        raise Rejected("Image Orientation (Patient) is not two directions at right angles")
    row, column = row / lengths[0], column / lengths[1]
    normal = np.cross(row, column)
    if abs(normal[2]) < _AXIAL or abs(row[0]) < _AXIAL:
        raise Rejected("not an axial image with rows from side to side")
    return row, column, normal * np.sign(normal[2])


def _rescale(ds: Dataset) -> tuple[float, float]:
    slope, intercept = (
        float(default if value in (None, "") else value)
        for value, default in ((ds.get("RescaleSlope"), 1), (ds.get("RescaleIntercept"), 0))
    )
    if not (math.isfinite(slope) and slope > 0 and math.isfinite(intercept)):
        raise Rejected("Rescale Slope and Intercept are not usable")
    return slope, intercept


def _whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def _is_computed(ds: Dataset) -> bool:
    values = [str(value).strip().upper() for value in ds.get("ImageType") or ()]
    return not _COMPUTED.isdisjoint(values[2:])  # compressing an original makes it DERIVED, too (PS3.3 C.7.6.1.1.2)


def _weighting(ds: Dataset) -> str:
    stated = ((keyword, ds.get(keyword)) for keyword in ("RepetitionTime", "EchoTime", "FlipAngle"))
    parts = [f"{keyword} {float(value):g}" for keyword, value in stated if value not in (None, "")]
    options = ds.get("ScanOptions") or ()
    values = [str(value).strip().upper() for value in ([options] if isinstance(options, str) else options)]
    if any(value in ("FS", "SFS") or value.startswith("FAT") for value in values):
        parts.append("fat suppressed")
    return ", ".join(parts)


def _moment(ds: Dataset) -> str:
    """When the image was acquired, else when its content or series began; all of one image's clocks agree."""
    whole = re.match(r"(\d{14})(?:\.(\d{1,6}))?", str(ds.get("AcquisitionDateTime") or ""), re.ASCII)
    if whole:
        return f"{whole[1]}.{(whole[2] or '').ljust(6, '0')}"
    days = [_digits(ds, f"{of}Date") for of in ("Acquisition", "Content", "Series", "Study")]
    day = next((digits for digits in days if len(digits) == 8), "00000000")
    times = [str(ds.get(f"{of}Time") or "").replace(":", "") for of in ("Acquisition", "Content", "Series")]
    found = (re.fullmatch(r"(\d{2,6})(?:\.(\d{1,6}))?\s*", time, re.ASCII) for time in times)
    time = next((match for match in found if match), None)
    return f"{day}{time[1].ljust(6, '0')}.{(time[2] or '').ljust(6, '0')}" if time else ""


def _digits(ds: Dataset, keyword: str) -> str:
    return re.sub(r"\D", "", str(ds.get(keyword) or ""), flags=re.ASCII)
