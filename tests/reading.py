"""Reports of radiologists, as objects, as messages, and as what is known of them."""

from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from agent.core.patient import PatientKey
from agent.core.reads import Read
from tests.fakes.instances import uid
from tests.hl7_sender import message, msh, pid

PATIENT = PatientKey("EXAMPLE", "4711")
AT = datetime.fromisoformat("2026-11-21T09:00:00+00:00")
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def read(
    study: str = "1.2",
    accession: str = "",
    *,
    minutes: int = 0,
    patient: PatientKey = PATIENT,
    report_id: str = "R1",
    is_final: bool = True,
    source_id: str = "",
    arrived: int = 0,
) -> Read:
    """Return what was said of a report so many minutes after `AT`."""
    source_id = source_id or f"M{minutes}"
    return Read(patient, report_id, study, accession, AT + timedelta(minutes=minutes), source_id, is_final, arrived)


def code(value: str, scheme: str = "LN", meaning: str = "a title") -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def observer(kind: str) -> Dataset:
    """Return the content item that says who observed: 121006 a person, 121007 a device."""
    item = Dataset()
    item.RelationshipType, item.ValueType = "HAS OBS CONTEXT", "CODE"
    item.ConceptNameCodeSequence, item.ConceptCodeSequence = [code("121005", "DCM")], [code(kind, "DCM")]
    return item


def report(name: str = "report", title: tuple[str, str] = ("18748-4", "LN"), **attributes: object) -> Dataset:
    """Return a verified Basic Text SR of the patient and study of `tests.fakes.instances`; None leaves one out."""
    ds = Dataset()
    values: dict[str, object] = {
        "SOPClassUID": BASIC_TEXT_SR,
        "SOPInstanceUID": uid(name),
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("reports"),
        "PatientID": "P-1",
        "IssuerOfPatientID": "PHANTOM",
        "Modality": "SR",
        "ConceptNameCodeSequence": [code(*title)],
        "ContentSequence": [observer("121006")],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        **attributes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(ds, keyword, value)
    return ds


def obr(status: str = "F", *, filler: str = "F1", placer: str = "", accession: str = "", section: str = "RAD") -> str:
    """Return an OBR with those of its fields that are read."""
    said = {1: "1", 2: placer, 3: filler, 18: accession, 24: section, 25: status}
    return "|".join(["OBR", *(said.get(number, "") for number in range(1, 26))])


def zds(*study_uids: str) -> str:
    """Return the segment that names studies."""
    return "ZDS|" + "~".join(f"{study}^100^Application^DICOM" for study in study_uids)


def oru(
    *segments: str, patient_id: str = "P1^^^HOSP^MR", control_id: str = "M1", sent: str = "20261120093000"
) -> bytes:
    """Return a message with results of one patient."""
    return message(msh("ORU^R01^ORU_R01", control_id=control_id, sent=sent), pid(patient_id), *segments)
