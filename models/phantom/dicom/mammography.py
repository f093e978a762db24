"""A synthetic patient's mammograms as Digital Mammography X-Ray Images For Presentation (PS3.3 A.27)."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from models.phantom.dicom.header import Study, code, header
from models.phantom.mammogram import COLUMNS, FIELD_HEIGHT_MM, FIELD_WIDTH_MM, ROWS, SIDES, VIEWS, render
from models.phantom.patient import Patient

# Patient Orientation (PS3.3 C.8.11.7): direction of rows, of columns
ORIENTATION: Final = {
    ("L", "CC"): ["A", "R"],
    ("R", "CC"): ["P", "L"],
    ("L", "MLO"): ["A", "FR"],
    ("R", "MLO"): ["P", "FL"],
}
VIEW_CODES: Final = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}  # CID 4014


def mammography(
    patient: Patient,
    day: date | None = None,
    *,
    views: Sequence[tuple[str, str]] = tuple((side, view) for view in VIEWS for side in SIDES),
    rows: int = ROWS,
    columns: int = COLUMNS,
    inverted: bool = False,
) -> list[Dataset]:
    """Return a patient's mammography: one study, one series a view, as valid Part 10 datasets.

    Parameters
    ----------
    day : date, optional
        Study Date; the day of the diagnosis if left out. Another day is another study.
    views : Sequence[tuple[str, str]]
        (side, view) pairs: four views if left out.
    rows, columns : int
        Size of each image.
    inverted : bool
        Whether pixels are stored as MONOCHROME1.
    """
    study = Study(patient, day or patient.diagnosed_on, "MG", "Mammography", 10, 30)
    datasets: list[Dataset] = []
    for number, (side, view) in enumerate(views, start=1):
        ds = header(study, DigitalMammographyXRayImageStorageForPresentation, (side, view), (side, view))
        ds.SeriesDescription, ds.SeriesNumber, ds.InstanceNumber = f"{side} {view}", number, 1
        _describe_view(ds, side, view)
        _set_pixels(ds, render(patient, side, view, rows, columns), inverted)
        datasets.append(ds)
    return datasets


def _describe_view(ds: Dataset, side: str, view: str) -> None:
    """DX and mammography modules (PS3.3 C.8.11): anatomy, view, positioning, detector."""
    ds.PresentationIntentType, ds.BodyPartExamined = "FOR PRESENTATION", "BREAST"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.ImageLaterality, ds.ViewPosition, ds.PatientOrientation = side, view, ORIENTATION[side, view]
    ds.OrganExposed, ds.BreastImplantPresent, ds.PositionerType = "BREAST", "NO", "MAMMOGRAPHIC"
    ds.AnatomicRegionSequence = [code("76752008", "Breast")]
    ds.ViewCodeSequence = [code(*VIEW_CODES[view])]
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    ds.AcquisitionContextSequence = []
    ds.DetectorType = "DIRECT"
    ds.EstimatedRadiographicMagnificationFactor = "1.0"
    ds.PixelSpacingCalibrationType, ds.PixelSpacingCalibrationDescription = "GEOMETRY", "synthetic"
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"


def _set_pixels(ds: Dataset, pixels_hw: NDArray[np.uint16], inverted: bool) -> None:
    """Image pixel, DX image and VOI LUT modules."""
    rows, columns = pixels_hw.shape
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 1
    ds.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.ImagerPixelSpacing = [round(FIELD_HEIGHT_MM / rows, 6), round(FIELD_WIDTH_MM / columns, 6)]
    ds.PixelSpacing = ds.ImagerPixelSpacing
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1 if inverted else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    ds.WindowCenter, ds.WindowWidth = ("2745" if inverted else "1350"), "2700"
    ds.PixelData = (np.uint16(4095) - pixels_hw if inverted else pixels_hw).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
