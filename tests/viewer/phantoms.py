"""Images of a size at which a viewer can be judged: mammograms, ultrasound, dynamic MR. Nothing is real."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UltrasoundMultiFrameImageStorage

from agent.core.patient import PatientKey
from agent.core.result import SourceImage
from tests import builders, builders_us_mr

NODE: Final = (380, 200)  # column, row of the node in a still
MR_NODE: Final = (186, 96)  # column, row; it enhances around slice 10
MR_SLICES: Final = 20
KEY_SLICE: Final = 10

Image = tuple[bytes, SourceImage]  # a Part 10 file, and what report is given of it


def patient(name: str) -> PatientKey:
    """Return the patient of a study: viewers list all studies of one, so each study's is another."""
    return PatientKey("PHANTOM", f"P-{name}")


def mammogram(name: str, side: str, view: str, day: date = builders_us_mr.DAY, **attributes: Any) -> Image:
    """Return one view, 1000 rows and 800 columns."""
    whose = attributes.pop("patient", patient(name))
    ds = builders.mammogram(side, view, study=name, day=day, rows=1000, columns=800, patient=whose, **attributes)
    return builders.part10(ds), builders.source_image(ds, patient=whose)


def still(name: str, side: str, number: int, day: date = builders_us_mr.DAY, **attributes: Any) -> Image:
    """Return an ultrasound image of a dark node in speckle, 480 rows and 640 columns."""
    whose = attributes.pop("patient", patient(name))
    pixels = _speckle(NODE[0])
    ds = builders_us_mr.ultrasound(
        side, number, study=name, day=day, patient=whose, **_ultrasonic(pixels), **attributes
    )
    return builders.part10(ds), _source(ds, pixels, whose)


def clip(name: str, side: str, frames: int, shown: int, **attributes: Any) -> Image:
    """Return an ultrasound clip in which the node crosses; `shown`, from 1, is the frame that report is given."""
    pixels = np.stack([_speckle(140 + 30 * n) for n in range(frames)])
    ds = builders_us_mr.ultrasound(side, study=name, patient=patient(name), **_ultrasonic(pixels), **attributes)
    ds.SOPClassUID = UltrasoundMultiFrameImageStorage
    ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = frames, "100", 0x00181063
    source = _source(ds, pixels[shown - 1], patient(name))
    return builders.part10(ds), replace(source, instance=replace(source.instance, frames=frames), frame=shown)


def clip_node(shown: int) -> tuple[int, int]:
    """Return column and row of the node in a frame of a clip."""
    return 140 + 30 * (shown - 1), NODE[1]


def dynamic(name: str, *, one_series: bool) -> list[Image]:
    """Return an axial MR of two phases, a series each or one for both, in the latter's headers a temporal position."""
    return [_slice(name, phase, place, one_series=one_series) for phase in range(2) for place in range(MR_SLICES)]


def _slice(name: str, phase: int, place: int, *, one_series: bool) -> Image:
    pixels = _breasts(phase, place)
    attributes: dict[str, Any] = {
        "FrameOfReferenceUID": builders.uid(name, "frame"),
        "ImagePositionPatient": [-128, -128, 3 * place],
        "PixelSpacing": [1, 1],
        "SliceThickness": 3,
        "BitsStored": 12,
        "HighBit": 11,
        "InstanceNumber": place + 1 + (MR_SLICES * phase if one_series else 0),
        "SeriesNumber": 2 if one_series else 2 + phase,
        "SeriesDescription": "DCE T1 axial" if one_series else f"DCE T1 axial phase {phase + 1}",
        "StudyDescription": "Breast MR",
        "BodyPartExamined": "BREAST",
        "PatientPosition": "HFP",
        "WindowCenter": "400",
        "WindowWidth": "800",
    }
    if one_series:
        attributes |= {"TemporalPositionIdentifier": phase + 1, "NumberOfTemporalPositions": 2, "series": "dynamic"}
    ds = builders_us_mr.mr_image(phase, place, study=name, patient=patient(name), **attributes | _shape(pixels))
    display = (np.minimum(pixels, 800) / 800 * 255).astype(np.uint8)
    return builders.part10(ds), _source(ds, display, patient(name))


def _source(ds: Dataset, display_hw: NDArray[np.uint8], whose: PatientKey) -> SourceImage:
    header = Dataset()
    header.update({e.tag: e for e in ds if e.keyword != "PixelData"})
    return SourceImage(builders.instance_of(ds, whose), builders.part10(header), display_hw)


def _ultrasonic(pixels: NDArray[np.uint8]) -> Mapping[str, Any]:
    more = {"StudyDescription": "Breast ultrasound", "BurnedInAnnotation": "NO", "PixelSpacing": [0.1, 0.1]}
    return {**_shape(pixels), **more, "PatientOrientation": "", "LossyImageCompression": "00", "SeriesNumber": 1}


def _shape(pixels: NDArray[Any]) -> Mapping[str, Any]:
    rows, columns = pixels.shape[-2:]
    return {"Rows": rows, "Columns": columns, "PixelData": pixels.tobytes()}


@cache
def _speckle(column: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:480, 0:640]
    fat = 120 + 40 * np.sin(y / 23) * np.cos((x + 3 * y) / 61)
    return _noisy(fat - 95 * _blob(x, y, column, NODE[1], 60, 34), 14, 255).astype(np.uint8)


@cache
def _breasts(phase: int, place: int) -> NDArray[np.uint16]:
    y, x = np.mgrid[0:256, 0:256]
    node = _blob(x, y, *MR_NODE, 7, 7) * np.exp(-(((place - KEY_SLICE) / 2) ** 2))
    tissue = 80 + 500 * _blob(x, y, 75, 130, 38, 48) + 500 * _blob(x, y, 181, 130, 38, 48)
    return _noisy(tissue + (150 + 900 * phase) * node, 18, 4095).astype(np.uint16)


def _blob(x: NDArray[Any], y: NDArray[Any], column: float, row: float, wide: float, high: float) -> NDArray[np.float64]:
    blob: NDArray[np.float64] = np.exp(-(((x - column) / wide) ** 2 + ((y - row) / high) ** 2))
    return blob


def _noisy(image: NDArray[Any], sigma: float, top: int) -> NDArray[Any]:
    return np.clip(image + np.random.default_rng(7).normal(0, sigma, image.shape), 0, top)
