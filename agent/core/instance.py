"""One received object: what it is, where its bytes lie, and what became of it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from agent.core.demographics import UNSAID, Demographics
from agent.core.errors import Rejected
from agent.core.patient import PatientKey


class End(StrEnum):
    """What became of a received object. Every arrival has exactly one, with its reason."""

    COLLECTED = "collected"  # belongs to a case; whether a result used it stands with the case
    NOT_RELEVANT = "not_relevant"  # valid, but not ours to use
    OWN = "own"  # one of our results, coming back
    DUPLICATE = "duplicate"  # the same object again, perhaps in another encoding
    CORRECTION = "correction"  # a known one with other patient or study attributes: a person decides
    QUARANTINED = "quarantined"  # unusable; copied out with its reason beside it


@dataclass(frozen=True, order=True, slots=True)
class SpoolRef:
    """Where a record begins: segment number, generation of that segment, offset in bytes."""

    segment: int
    generation: int
    offset: int

    @property
    def id(self) -> str:
        """How a person names it: its three numbers."""
        return f"{self.segment}.{self.generation}.{self.offset}"

    @classmethod
    def of_id(cls, text: str) -> "SpoolRef":
        """Return the place that an `id` names. Raises ValueError."""
        segment, generation, offset = map(int, text.split("."))
        return cls(segment, generation, offset)

    @property
    def is_hidden(self) -> bool:
        """Whether it stands for records whose headers the disk did not give back: an odd place, that of no record."""
        return self.offset % 2 == 1


GONE: Final = SpoolRef(0, 0, 0)
"""The place of bytes that are no longer kept: segments are numbered from 1, copied ones from -1 down."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What else a header says that a role can be told by: texts as written, empty where it says nothing."""

    image_type: tuple[str, ...] = ()  # (0008,0008)
    study_description: str = ""
    series_description: str = ""
    protocol_name: str = ""
    body_part: str = ""  # Body Part Examined
    anatomy: tuple[str, ...] = ()  # meanings of Anatomic Region, Primary Anatomic Structure and their modifiers
    comments: tuple[str, ...] = ()  # Image Comments, Acquisition Context
    contrast: str = ""  # Contrast/Bolus Agent
    temporal_position: int | None = None
    acquired_at: str = ""  # Acquisition DateTime or Time, as written
    sides: tuple[str, ...] = ()  # L, R, B: each that Image Laterality, Laterality, the frames or the anatomy state
    anatomy_codes: tuple[str, ...] = ()  # code values of what `anatomy` holds the meanings of
    procedure: str = ""  # Performed Procedure Step Description, else Requested Procedure Description
    derivation: tuple[str, ...] = ()  # Derivation Description, meanings of Derivation Code Sequence
    lossy: bool = False  # Lossy Image Compression
    magnification: float | None = None  # Estimated Radiographic Magnification Factor
    echo_time_ms: float | None = None
    b_value: float | None = None  # Diffusion b-value, s/mm2
    quality_control: bool = False  # Quality Control Image
    specimen: tuple[str, ...] = ()  # short and detailed description of each specimen
    station: str = ""  # Station Name
    scanner: str = ""  # Manufacturer and Manufacturer's Model Name

    @property
    def with_contrast(self) -> bool:
        """Whether a contrast agent is stated; some write that there was none."""
        return self.contrast.strip().upper() not in (
            "",
            "NONE",
            "NO",
            "N",
            "N/A",
            "NA",
            "WITHOUT",
            "OHNE",
            "SANS",
            "SIN",
        )


PLAIN: Final = Traits()
"""The header says nothing more."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The header of one composite object, as far as assembling needs it. Names are DICOM keywords."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient: PatientKey
    modality: str
    laterality: str = ""  # L, R, B or empty: Image Laterality, else Laterality
    view_position: str = ""  # CC, MLO, ... from View Code Sequence, else View Position
    presentation_intent: str = ""  # FOR PRESENTATION or FOR PROCESSING
    acquired_on: date | None = None  # Acquisition, else Content, else Study Date
    rows: int = 0
    columns: int = 0
    frames: int = 1
    sha256: str = ""  # of the encoded dataset as received
    pixels_sha256: str = ""  # of Pixel Data: native as little endian, compressed as the fragments lie
    attributes_sha256: str = ""  # of all that it says beside its pixels, in whatever encoding
    accession_number: str = ""
    demographics: Demographics = UNSAID
    traits: Traits = PLAIN
    barred: str = ""  # why a person left it out; empty: nobody did


@dataclass(frozen=True, slots=True)
class Arrival:
    """One instance record of the spool and its end. Two arrivals may be the same instance."""

    ref: SpoolRef
    received_at: datetime
    association_id: str
    sop_instance_uid: str
    end: End
    reason: str
    patient: PatientKey | None = None  # as far as the header could be read
    study_instance_uid: str = ""
    modality: str = ""
    identity: str = ""  # digest of what an image that no case takes says of its patient


class Damaged(Rejected):
    """An object that cannot be used, but says whose it is.

    Parameters
    ----------
    reason
        Why it cannot be used, in words that quote no patient.
    patient, study_instance_uid, modality
        What could be read; the modality may be empty.
    """

    def __init__(self, reason: str, *, patient: PatientKey, study_instance_uid: str, modality: str) -> None:
        super().__init__(reason)
        self.patient = patient
        self.study_instance_uid = study_instance_uid
        self.modality = modality
