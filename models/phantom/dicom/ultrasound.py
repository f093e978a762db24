"""A synthetic patient's ultrasound as Ultrasound Images (PS3.3 A.6): tumour and node, on a machine's screen."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundImageStorage

from models.phantom.dicom.header import Study, code, header
from models.phantom.patient import Patient
from models.phantom.ultrasound import COLUMNS, FIELD_MM, ROWS, TARGETS, render

SCREEN_ROWS, SCREEN_COLUMNS = 600, 800
TOP, LEFT = 50, 130  # of the field on the screen
ANATOMY: Final = {  # Body Part Examined, concept (CID 4 of PS3.16)
    "tumour": ("BREAST", "76752008", "Breast"),
    "node": ("AXILLA", "91470000", "Axilla"),
}


def ultrasound_study(
    patient: Patient,
    day: date | None = None,
    sides: Sequence[str] | None = None,
    targets: Sequence[str] = TARGETS,
    *,
    colour: bool = False,
) -> list[Dataset]:
    """Return a patient's ultrasound: one study, a series for each side and target, as valid Part 10 datasets.

    Parameters
    ----------
    day : date, optional
        Study Date; the day of the diagnosis if left out. Another day is another study.
    sides : Sequence[str], optional
        Which sides; the diseased ones if left out.
    targets : Sequence[str]
        What is shown of each side, of `TARGETS`.
    colour : bool
        Whether pixels are stored as RGB.
    """
    study = Study(patient, day or patient.diagnosed_on, "US", "Ultrasound breast and axilla", 11, 15)
    datasets: list[Dataset] = []
    for side in sides or tuple(patient.axillae):
        for target in targets:
            ds = header(study, UltrasoundImageStorage, (side, target), (side, target))
            ds.SeriesDescription = f"{side} {ANATOMY[target][0].lower()}"
            ds.SeriesNumber, ds.InstanceNumber = len(datasets) + 1, 1
            ds.AcquisitionTime = ds.ContentTime = ds.SeriesTime = study.time(90 * len(datasets))
            _describe(ds, side, target)
            _set_pixels(ds, screen(render(patient, side, target)), colour)
            datasets.append(ds)
    return datasets


def screen(field_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay the field of view out on a black screen, with a ruler of depth at its right and a grey bar at its left."""
    shown = np.zeros((SCREEN_ROWS, SCREEN_COLUMNS), np.uint8)
    shown[TOP : TOP + ROWS, LEFT : LEFT + COLUMNS] = field_hw
    for depth_mm in range(0, int(FIELD_MM) + 1, 5):
        row = min(TOP + round(depth_mm / FIELD_MM * ROWS), TOP + ROWS - 1)
        length = 16 if depth_mm % 10 == 0 else 8
        shown[row - 1 : row + 1, LEFT + COLUMNS + 10 : LEFT + COLUMNS + 10 + length] = 200
    shown[TOP + 20 : TOP + 276, LEFT - 40 : LEFT - 26] = np.arange(255, -1, -1, dtype=np.uint8)[:, None]
    shown[TOP - 14 : TOP - 4, LEFT : LEFT + 4] = 230  # which end of the transducer is marked
    return shown


def _describe(ds: Dataset, side: str, target: str) -> None:
    """Ultrasound image and region calibration modules (PS3.3 C.8.5.6, C.8.5.5), anatomy."""
    body_part, *concept = ANATOMY[target]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "BREAST", "0001"]
    ds.BodyPartExamined, ds.ImageLaterality = body_part, side
    ds.AnatomicRegionSequence = [code(*concept)]
    ds.PatientOrientation = ""
    ds.TransducerType, ds.LossyImageCompression, ds.BurnedInAnnotation = "LINEAR", "00", "NO"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 2  # 2D, tissue, opaque
    region.RegionLocationMinX0, region.RegionLocationMinY0 = LEFT, TOP
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = LEFT + COLUMNS - 1, TOP + ROWS - 1
    region.ReferencePixelX0, region.ReferencePixelY0 = COLUMNS // 2, 0
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaX, region.PhysicalDeltaY = FIELD_MM / COLUMNS / 10, FIELD_MM / ROWS / 10
    region.TransducerFrequency = 12000
    ds.SequenceOfUltrasoundRegions = [region]


def _set_pixels(ds: Dataset, pixels_hw: NDArray[np.uint8], colour: bool) -> None:
    """Image pixel module."""
    ds.Rows, ds.Columns = pixels_hw.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        ds.PlanarConfiguration = 0
    ds.UltrasoundColorDataPresent = int(colour)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = (np.repeat(pixels_hw[..., None], 3, axis=2) if colour else pixels_hw).tobytes()
    ds["PixelData"].VR = "OB"
