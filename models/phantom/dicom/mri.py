"""A synthetic patient's dynamic MR as MR Images (PS3.3 A.4): a series a phase, all of one frame of reference."""

from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from models.phantom.dicom.header import Study, code, header
from models.phantom.mri import COLUMNS, FIELD_HEIGHT_MM, FIELD_WIDTH_MM, PHASES, ROWS, SLICE_MM, SLICES, volume
from models.phantom.patient import Patient

PHASE_S: Final = 90  # from one phase to the next
CONTRAST_S: Final = 60  # from the phase before contrast to the injection
NAMES: Final = ("pre", *(f"post {phase}" for phase in range(1, PHASES)))


def mri_study(patient: Patient, day: date | None = None, *, rows: int = ROWS, columns: int = COLUMNS) -> list[Dataset]:
    """Return a patient's dynamic MR of both breasts: one study, a series a phase, as valid Part 10 datasets.

    Parameters
    ----------
    day : date, optional
        Study Date; the day of the diagnosis if left out. Another day is another study.
    rows, columns : int
        Size of each image.
    """
    study = Study(patient, day or patient.diagnosed_on, "MR", "MRI breast with contrast", 14, 5)
    datasets: list[Dataset] = []
    for phase, images in enumerate(volume(patient, rows, columns)):
        for z, image in enumerate(images):
            ds = header(study, MRImageStorage, (NAMES[phase],), (NAMES[phase], str(z)))
            ds.SeriesDescription = f"t1_fl3d_tra dyn {NAMES[phase]}"
            ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = phase + 2, phase + 1, z + 1
            ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = study.time(PHASE_S * phase)
            _describe(ds)
            _place(ds, study, z)
            if phase:
                _give_contrast(ds, study)
            _set_pixels(ds, image)
            datasets.append(ds)
    return datasets


def _describe(ds: Dataset) -> None:
    """MR image module (PS3.3 C.8.3.1), anatomy: both breasts."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    ds.BodyPartExamined, ds.ImageLaterality, ds.PatientPosition = "BREAST", "B", "HFP"
    ds.AnatomicRegionSequence = [code("76752008", "Breast")]
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", ["SP", "OSP"], "", "3D"
    ds.SequenceName, ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = "fl3d1", "4.5", "1.8", "10"
    ds.EchoTrainLength, ds.MagneticFieldStrength, ds.ImagingFrequency = 1, "1.5", "63.6"
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"


def _place(ds: Dataset, study: Study, z: int) -> None:
    """Frame of reference and image plane modules (PS3.3 C.7.4.1, C.7.6.2): axial, from the feet upwards."""
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = study.uid("frame of reference"), ""
    ds.SliceThickness = ds.SpacingBetweenSlices = f"{SLICE_MM:g}"
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PatientOrientation = ["L", "P"]
    ds.SliceLocation = f"{(z - (SLICES - 1) / 2) * SLICE_MM:g}"


def _give_contrast(ds: Dataset, study: Study) -> None:
    """Contrast/bolus module (PS3.3 C.7.6.4)."""
    ds.ContrastBolusAgent, ds.ContrastBolusRoute = "Gadobutrol", "IV"
    ds.ContrastBolusVolume, ds.ContrastBolusStartTime = "7", study.time(CONTRAST_S)
    ds.ContrastBolusIngredient = "GADOLINIUM"


def _set_pixels(ds: Dataset, pixels_hw: NDArray[np.uint16]) -> None:
    """Image pixel and VOI LUT modules, and where the first pixel's centre lies."""
    ds.Rows, ds.Columns = rows, columns = pixels_hw.shape
    across_mm, down_mm = FIELD_WIDTH_MM / columns, FIELD_HEIGHT_MM / rows
    ds.PixelSpacing = [f"{down_mm:.8g}", f"{across_mm:.8g}"]
    left, top = (across_mm - FIELD_WIDTH_MM) / 2, (down_mm - FIELD_HEIGHT_MM) / 2
    ds.ImagePositionPatient = [f"{left:.8g}", f"{top:.8g}", ds.SliceLocation]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = "550", "1100"
    ds.PixelData = pixels_hw.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
