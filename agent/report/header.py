"""What a result object takes over from its source image: patient, study and orientation, decoded once."""

import math
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.errors import InvalidDicomError

from agent.core.errors import Permanent, Rejected
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.result import SourceImage
from agent.dicom.geometry import ultrasound_scale
from agent.dicom.text import decode_identifier, decode_person_name, decode_text
from agent.preprocess.placement import Box
from agent.report.ultrasound_regions import without_names

REQUIRED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
"""Type 2 attributes of Patient and General Study (PS3.3 C.7.1.1, C.7.2.1): empty where the source has none."""
OPTIONAL: Final = ("IssuerOfPatientID", "PatientAge", "StudyDescription")
AXILLA: Final = "axilla"
BODY_PARTS: Final = {"BREAST": "breast", "AXILLA": AXILLA}
"""Parts that a picture may name: nothing else of Body Part Examined is repeated."""
MOST_DIGITS: Final = 4  # a longer Series or Instance Number may be a date
ALONG: Final = 0.7  # least cosine of a row with the axis from right to left that counts as along it
_READ: Final = (
    *("SpecificCharacterSet", *REQUIRED, *OPTIONAL, "PatientOrientation", "ImageOrientationPatient"),
    *("TemporalPositionIdentifier", "NumberOfTemporalPositions", "SeriesNumber", "InstanceNumber"),
    *("BodyPartExamined", "BurnedInAnnotation"),
)
_IDENTIFIERS: Final = ("PatientID", "IssuerOfPatientID")  # the case was opened under these: read them the same way
_CONTROL: Final = {code: "\ufffd" for code in range(32) if chr(code) not in "\r\n\t\f"}  # never legal in UTF-8 text


@dataclass(frozen=True)
class Source:
    """One source image: its identity, its display pixels, and the attributes that our objects copy from it."""

    instance: Instance
    image_hw: NDArray[np.uint8]
    reduction: float
    subject: Dataset  # patient and study
    orientation: Dataset  # Patient Orientation, where the source has one
    temporal_position: str
    temporal_positions: int = 0  # Number of Temporal Positions; 0 where the header does not say
    columns_to_left: bool | None = None  # an axial image's columns run towards the patient's left; None: not known
    body_part: str = ""  # "breast", "axilla" or empty
    series_number: int = 0  # 0: none that helps a reader
    instance_number: int = 0
    frame: int = 0  # of a multi-frame image, from 1; 0: not known
    region: Box | None = None  # the field of view of an ultrasound image, in its own pixels
    burned_in: str = ""  # Burned In Annotation
    cleaned: bool = False  # beside the regions of an ultrasound image, where names stand, its pixels are black
    header: bytes = field(default=b"", repr=False)  # a Part 10 file without pixels

    def of_patient(self, patient: PatientKey) -> "Source":
        """Name the patient by the key that stands for the source's own now: merged patients have another one.

        An issuer that only this agent knows (a sender's namespace) is never written.
        """
        if self.instance.patient == patient:
            return self
        subject = Dataset()
        subject.update(self.subject)
        subject.add(_element("PatientID", patient.patient_id))
        subject.pop("IssuerOfPatientID", None)
        if not patient.is_internal:
            subject.add(_element("IssuerOfPatientID", patient.issuer))
        return replace(self, subject=subject)

    @property
    def shown(self) -> Box:
        """The part of `image_hw` that is worth showing: beside an ultrasound's field of view stand names."""
        if self.region is None:
            return Box(0, 0, *self.image_hw.shape)
        top, left = (int(edge / self.reduction) for edge in (self.region.top, self.region.left))
        bottom = math.ceil((self.region.top + self.region.height) / self.reduction)
        right = math.ceil((self.region.left + self.region.width) / self.reduction)
        height, width = self.image_hw.shape
        return Box(top, left, min(bottom, height) - top, min(right, width) - left)

    @property
    def may_identify(self) -> bool:
        """Whether what is shown may hold a name: it says so, or is a whole ultrasound frame that does not tell.

        Not where all that lies beside the regions of an ultrasound image is black.
        """
        unknown = self.instance.modality == "US" and self.region is None and self.burned_in != "NO"
        return not self.cleaned and (self.burned_in == "YES" or unknown)

    @property
    def is_axillary(self) -> bool:
        """Whether the image says that it is of the axilla."""
        return self.body_part == AXILLA

    @property
    def shows_both_breasts(self) -> bool:
        """Whether the image is of neither side alone."""
        return self.instance.laterality not in ("L", "R")


def read_source(image: SourceImage) -> Source:
    """Decode what is needed of a source image's header.

    A character set that is unknown, wrong or absent costs letters (U+FFFD), never the report.

    Raises
    ------
    Permanent
        If the header cannot be read.
    """
    with warnings.catch_warnings():
        # the source's faults are not ours to repeat, and pydicom's words on them may hold a patient's data
        warnings.simplefilter("ignore")
        try:
            header = dcmread(BytesIO(image.header), stop_before_pixels=True, specific_tags=list(_READ))
        except (InvalidDicomError, EOFError, OSError, ValueError, struct.error) as exc:
            raise Permanent(f"header of {image.instance.sop_instance_uid} cannot be read") from exc
        burned_in = (_text(header, "BurnedInAnnotation") or "").upper()
        cleaned_hw = None if burned_in == "NO" else without_names(image)
        return Source(
            instance=image.instance,
            image_hw=image.image_hw if cleaned_hw is None else cleaned_hw,
            reduction=image.reduction,
            subject=_subject(header),
            orientation=_copied(header, ("PatientOrientation",)),
            temporal_position=_text(header, "TemporalPositionIdentifier") or "",
            temporal_positions=_number(header, "NumberOfTemporalPositions"),
            columns_to_left=_columns_to_left(header),
            body_part=BODY_PARTS.get((_text(header, "BodyPartExamined") or "").upper(), ""),
            series_number=_number(header, "SeriesNumber"),
            instance_number=_number(header, "InstanceNumber"),
            frame=image.frame,
            region=_region(image),
            burned_in=burned_in,
            cleaned=cleaned_hw is not None,
            header=image.header,
        )


def _subject(header: Dataset) -> Dataset:
    subject = Dataset()
    for keyword in REQUIRED:
        subject.add(_element(keyword, ""))
    subject.update(_copied(header, REQUIRED + OPTIONAL))
    return subject


def _copied(header: Dataset, keywords: Sequence[str]) -> Dataset:
    copied = Dataset()
    for keyword in keywords:
        text = _text(header, keyword)
        if text is not None:
            copied.add(_element(keyword, text))
    return copied


def _element(keyword: str, text: str) -> DataElement:
    # a value that breaks its VR stays as the source has it: identity must equal, and a warning would print it
    return DataElement(keyword, dictionary_VR(keyword), text, validation_mode=config.IGNORE)


def _text(header: Dataset, keyword: str) -> str | None:
    """Return the decoded text of an attribute, None where the header lacks it."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in header:
        return None
    raw = header.get_item(tag).value or b""  # raw: pydicom's own conversion validates, and quotes what it finds
    character_set = _character_set(header)
    if keyword in _IDENTIFIERS:
        text = decode_identifier(raw, character_set)
    elif dictionary_VR(tag) == "PN":
        text = decode_person_name(raw, character_set, "replace")
    else:
        text = decode_text(raw, character_set, "replace")
    return text.rstrip(" \0").translate(_CONTROL)


def _number(header: Dataset, keyword: str) -> int:
    """Return a whole number of a few digits, 0 where there is none."""
    text = (_text(header, keyword) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0


def _columns_to_left(header: Dataset) -> bool | None:
    """Whether columns run towards the patient's left (PS3.3 C.7.6.2.1.1: x increases to the left)."""
    try:
        cosine = float((_text(header, "ImageOrientationPatient") or "").split("\\")[0])
    except ValueError:
        return None
    return None if not abs(cosine) >= ALONG else cosine > 0


def _region(image: SourceImage) -> Box | None:
    if image.instance.modality != "US":
        return None
    try:
        return ultrasound_scale(image.header).region
    except Rejected:
        return None


def _character_set(header: Dataset) -> str:
    value = header.get_item("SpecificCharacterSet").value if "SpecificCharacterSet" in header else ""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) else "\\".join(map(str, value or ()))
