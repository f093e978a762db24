"""What every object of a synthetic patient says: patient, study, series, equipment, file meta information."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from models.phantom.patient import Patient
from models.phantom.seeds import number, uid

IMPLEMENTATION_UID: Final = uid(0, "implementation")


@dataclass(frozen=True, slots=True)
class Study:
    """One visit of a patient to one modality."""

    patient: Patient
    day: date
    modality: str
    description: str
    hour: int
    minute: int

    def uid(self, *parts: str) -> str:
        """Return a UID for what `parts` name in this study."""
        who = (self.patient.issuer, self.patient.patient_id, self.day.isoformat(), self.modality)
        return uid(self.patient.seed, *who, *parts)

    @property
    def accession_number(self) -> str:
        """Accession Number (0008,0050) of this study alone, as far as ten thousand a day and modality go."""
        who = (self.patient.issuer, self.patient.patient_id, self.day.isoformat(), self.modality)
        return f"{self.modality}{self.day:%y%m%d}-{number(self.patient.seed, *who) % 10**7:07d}"

    def time(self, seconds: float = 0) -> str:
        """A Time (TM) so many seconds after the study began."""
        began = datetime(self.day.year, self.day.month, self.day.day, self.hour, self.minute)
        return f"{began + timedelta(seconds=seconds):%H%M%S}"


def header(study: Study, sop_class_uid: str, series: tuple[str, ...], instance: tuple[str, ...]) -> Dataset:
    """Return patient, study, series and equipment modules; `series` and `instance` name what is unique in a study."""
    ds, on = Dataset(), study.day
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = study.uid("instance", *instance)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study.uid("study"), study.uid("series", *series)
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", on.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", study.time())
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = study.accession_number, "1", ""
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = study.modality, "Sentinode", "Phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"
    ds.StudyDescription = study.description
    patient = study.patient
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = patient.name, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date.strftime("%Y%m%d"), "F"
    ds.PatientAge = f"{(on - patient.birth_date).days * 100 // 36525:03d}Y"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    return ds


def code(value: str, meaning: str) -> Dataset:
    """Return a concept of SNOMED CT."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "SCT", meaning
    return ds
