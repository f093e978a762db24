"""A small computed tomography of the chest (PS3.3 A.3): valid, and nothing that Sentinode can use."""

from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from models.phantom.patient import Patient
from models.phantom.seeds import generator, uid

SIZE: Final = 256
SPACING_MM: Final = 1.5
SLICE_MM: Final = 10.0
SLICES: Final = 8
AIR, LUNG, FAT, MUSCLE, BONE = -1000, -830, -90, 45, 420


def chest_ct(patient: Patient, day: date) -> list[Dataset]:
    """Return one study of one axial series."""
    return [_slice(patient, day, number) for number in range(SLICES)]


def _slice(patient: Patient, day: date, number: int) -> Dataset:
    who = (patient.issuer, patient.patient_id, day.isoformat(), "CT")
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = uid(patient.seed, *who, "instance", str(number))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(patient.seed, *who, "study"), uid(patient.seed, *who, "series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid(patient.seed, *who, "frame"), ""
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", day.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", "141500")
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = f"CT{day:%Y%m%d}", "9", ""
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "Sentinode", "Phantom"
    ds.StudyDescription, ds.SeriesDescription, ds.BodyPartExamined = "Chest CT", "axial 10 mm", "CHEST"
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 1, 1, number + 1
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = patient.name, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date.strftime("%Y%m%d"), "F"
    ds.PatientPosition, ds.KVP = "HFS", "120"
    _set_geometry(ds, number)
    _set_pixels(ds, _anatomy(patient, number))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(uid(0, "implementation"))
    return ds


def _set_geometry(ds: Dataset, number: int) -> None:
    corner = -SPACING_MM * (SIZE - 1) / 2
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [corner, corner, -SLICE_MM * number]
    ds.PixelSpacing, ds.SliceThickness, ds.SliceLocation = [SPACING_MM, SPACING_MM], SLICE_MM, -SLICE_MM * number


def _set_pixels(ds: Dataset, hounsfield_hw: NDArray[np.float64]) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = SIZE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "-100", "1400"
    ds.PixelData = np.clip(hounsfield_hw + 1024, 0, 4095).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _anatomy(patient: Patient, number: int) -> NDArray[np.float64]:
    """Body, lungs, heart, spine and ribs as ellipses, in Hounsfield units (H, W)."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        return inside

    image = np.full((SIZE, SIZE), float(AIR))
    grow = 1 - 0.03 * abs(number - 3)
    image[ellipse(0, 0, 0.88, 0.66)] = FAT
    image[ellipse(0, 0, 0.80, 0.58)] = MUSCLE
    for side in (-1, 1):
        image[ellipse(0.39 * side, 0, 0.31 * grow, 0.46 * grow)] = LUNG
        for angle in np.linspace(-2.2, 2.2, 7):
            image[ellipse(0.76 * side * np.cos(angle / 2.6), 0.53 * np.sin(angle / 1.45), 0.05, 0.028)] = BONE
    image[ellipse(0.08, -0.06, 0.22, 0.27)] = MUSCLE + 10
    image[ellipse(0, 0.42, 0.11, 0.10)] = BONE
    image[ellipse(0, 0.42, 0.045, 0.04)] = MUSCLE
    noise = generator(patient.seed, patient.issuer, patient.patient_id, "ct", str(number))
    return image + noise.normal(0, 14, image.shape)
