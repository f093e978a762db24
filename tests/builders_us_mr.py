"""Small synthetic ultrasound images and dynamic MR examinations. Nothing here is real."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage, UltrasoundImageStorage

from agent.core.patient import PatientKey
from tests.builders import NAME, PATIENT, overwritten, uid

DAY = date(2026, 1, 5)
US_ROWS, US_COLUMNS, US_PIXEL_MM = 64, 80, 0.8
MR_ROWS, MR_COLUMNS, MR_PIXEL_MM, SLICE_MM = 100, 160, 2.0, 5.0
LESIONS = {"L": (40, 118, 2), "R": (48, 36, 1)}  # row, column, slice: the patient's left is at the image's right
PHASE_S = 90  # between phases


def _dataset(kind: str, study: str, name: Sequence[object], day: date, patient: PatientKey) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet, ds.Modality = "ISO_IR 192", kind
    ds.SOPInstanceUID, ds.StudyInstanceUID = uid(study, *name), uid(study)
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = NAME, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex = "19700101", "F"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = f"ACC{study}", "1", "REFERRER^SYNTHETIC"
    for moment in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{moment}Date", day.strftime("%Y%m%d"))
        setattr(ds, f"{moment}Time", "103000")
    return ds


def _pixels(ds: Dataset, pixels: np.ndarray, attributes: Mapping[str, Any]) -> Dataset:
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelData = pixels.tobytes()
    return overwritten(ds, attributes)


def ultrasound(
    side: str = "L",
    number: int = 1,
    *,
    study: str = "u1",
    day: date = DAY,
    bright: tuple[int, int] = (20, 55),
    patient: PatientKey = PATIENT,
    **attributes: Any,
) -> Dataset:
    """Return a still with one bright spot at a row and column of it; `attributes` overwrite or, as None, remove."""
    ds = _dataset("US", study, (side, number), day, patient)
    ds.SOPClassUID, ds.SeriesInstanceUID = UltrasoundImageStorage, uid(study, "series")
    ds.ImageLaterality, ds.ImageType, ds.InstanceNumber = side, ["ORIGINAL", "PRIMARY"], number
    ds.PixelSpacing = [US_PIXEL_MM, US_PIXEL_MM]
    y, x = np.mgrid[0:US_ROWS, 0:US_COLUMNS]
    spot = np.exp(-((y - bright[0]) ** 2 + (x - bright[1]) ** 2) / 18)
    speckle = np.random.default_rng(number).integers(20, 40, (US_ROWS, US_COLUMNS))
    return _pixels(ds, (speckle + 200 * spot).astype(np.uint8), attributes)


def mr_image(
    phase: int,
    place: int,
    *,
    study: str = "m1",
    series: str = "",
    day: date = DAY,
    enhancing: Sequence[str] = ("L", "R"),
    patient: PatientKey = PATIENT,
    pixel_type: type = np.uint16,
    **attributes: Any,
) -> Dataset:
    """Return one axial slice of one phase; from phase 1 on lesions enhance. Phases follow each other by 90 s."""
    ds = _dataset("MR", study, (series, phase, place), day, patient)
    ds.SOPClassUID, ds.SeriesInstanceUID = MRImageStorage, uid(study, series or phase, "series")
    ds.ImageType, ds.InstanceNumber, ds.Laterality = ["ORIGINAL", "PRIMARY"], place + 1, ""
    minutes, seconds = divmod(phase * PHASE_S, 60)
    ds.AcquisitionTime = f"10{30 + minutes:02}{seconds:02}"
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [MR_PIXEL_MM, MR_PIXEL_MM]
    ds.ImagePositionPatient = [-MR_COLUMNS * MR_PIXEL_MM / 2, -100, SLICE_MM * place]
    return _pixels(ds, _mr_pixels(phase, place, enhancing).astype(pixel_type), attributes)


def _mr_pixels(phase: int, place: int, enhancing: Sequence[str]) -> np.ndarray:
    y, x = np.mgrid[0:MR_ROWS, 0:MR_COLUMNS]
    breasts = [((y - 60) / 45) ** 2 + ((x - centre) / 34) ** 2 < 1 for centre in (40, 120)]
    image = np.where(breasts[0] | breasts[1] | (y > 70), 300.0, 10.0)
    image += 5 * np.random.default_rng(place).normal(size=image.shape)
    for side in enhancing:
        row, column, where = LESIONS[side]
        if phase and place == where:
            image += 500 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18)
    return np.clip(image, 0, 4000)


def dynamic(phases: int = 4, slices: int = 4, **given: Any) -> list[Dataset]:
    """Return a dynamic examination, a series a phase unless `series` names one for all."""
    return [mr_image(phase, place, **given) for phase in range(phases) for place in range(slices)]


def enhanced(images: Sequence[Dataset], name: str = "e1", **attributes: Any) -> Dataset:
    """Return one enhanced multi-frame object of classic images, a frame each, in their order."""
    first = images[0]
    ds = _dataset("MR", name, ("enhanced",), DAY, PATIENT)
    ds.SOPClassUID, ds.SeriesInstanceUID = EnhancedMRImageStorage, uid(name, "series")
    ds.ImageType, ds.InstanceNumber, ds.NumberOfFrames = ["ORIGINAL", "PRIMARY", "T1", "NONE"], 1, len(images)
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=first.ImageOrientationPatient)]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=first.PixelSpacing, SliceThickness="5")]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [_frame(image) for image in images]
    pixels = np.stack([np.frombuffer(image.PixelData, np.uint16).reshape(MR_ROWS, MR_COLUMNS) for image in images])
    _pixels(ds, pixels[0], {})
    ds.PixelData = pixels.tobytes()
    return overwritten(ds, attributes)


def _frame(image: Dataset) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence = [_item(ImagePositionPatient=image.ImagePositionPatient)]
    frame.FrameContentSequence = [_item(FrameAcquisitionDateTime=f"{image.AcquisitionDate}{image.AcquisitionTime}")]
    return frame


def _item(**attributes: Any) -> Dataset:
    return overwritten(Dataset(), attributes)
