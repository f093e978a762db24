"""Whether a received object is a radiologist's report, verified by a person.

Someone who must not see our result before a radiologist has read the study is to rely on this: what is not plainly such
a report is none. Titles are those of PS3.16 CID 7000 that a report of a breast, of its axilla, or of any examination
bears.
"""

from collections.abc import Iterator
from typing import Final

from agent.core.errors import Rejected
from agent.core.ports import Record
from agent.dicom.structure import Structure, outline

SR_CLASSES: Final = {
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
}
DOCUMENT_CLASSES: Final = {
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF",
    "1.2.840.10008.5.1.4.1.1.104.2": "Encapsulated CDA",
}
TITLES: Final = {
    ("LN", "18748-4"): "Diagnostic Imaging Report",
    ("LN", "11528-7"): "Radiology Report",
    ("LN", "24606-6"): "Mammography Screening Report",
    ("LN", "24605-8"): "Mammography Diagnostic Report",
    ("LN", "24601-7"): "US Breast Report",
    ("LN", "25061-3"): "Ultrasound Report",
    ("LN", "25056-3"): "MRI Report",
    ("LN", "18760-9"): "Ultrasound Report",  # as earlier editions have it
    ("LN", "18755-9"): "MRI Report",  # as well
    ("LN", "47048-4"): "Diagnostic Interventional Radiology Report",
    ("DCM", "111400"): "Breast Imaging Report",
}
"""Coding scheme and code -> title of a document that a radiologist writes."""

_SOP_CLASS_UID, _CONCEPT_NAME, _CONCEPT_CODE = 0x00080016, 0x0040A043, 0x0040A168
_CODE_VALUE, _CODING_SCHEME, _CONTENT = 0x00080100, 0x00080102, 0x0040A730
_COMPLETION_FLAG, _VERIFICATION_FLAG, _PRELIMINARY_FLAG = 0x0040A491, 0x0040A493, 0x0040A496
_OBSERVER_TYPE: Final = ("DCM", "121005")
_PERSON: Final = ("DCM", "121006")
_DEVICE: Final = ("DCM", "121007")


def is_report(record: Record) -> bool:
    """Tell whether a radiologist's report is in a record.

    It is one of `SR_CLASSES` and complete, or one of `DOCUMENT_CLASSES`; it does not call itself preliminary; a legally
    accountable person has verified it (Verification Flag, PS3.3 C.17.2 and C.24.2), and its title is one of `TITLES`.
    What a device observed, and no person beside it (PS3.16 TID 1001), is none.
    """
    sop_class_uid = record.meta.get("sop_class_uid", "")
    if sop_class_uid not in SR_CLASSES | DOCUMENT_CLASSES:
        return False
    try:
        ds = outline(record.payload, record.meta.get("transfer_syntax_uid", ""))
    except Rejected:
        return False
    is_complete = sop_class_uid in DOCUMENT_CLASSES or ds.ascii(_COMPLETION_FLAG) == "COMPLETE"
    is_verified = ds.ascii(_SOP_CLASS_UID) == sop_class_uid and ds.ascii(_VERIFICATION_FLAG) == "VERIFIED"
    is_final = ds.ascii(_PRELIMINARY_FLAG) != "PRELIMINARY"
    is_titled = any(code in TITLES for code in _codes(ds, _CONCEPT_NAME))
    return is_complete and is_verified and is_final and is_titled and not _is_of_a_device(ds)


def _is_of_a_device(ds: Structure) -> bool:
    told = (item for item in ds.items(_CONTENT) if _OBSERVER_TYPE in _codes(item, _CONCEPT_NAME))
    observers = {code for item in told for code in _codes(item, _CONCEPT_CODE)}
    return _DEVICE in observers and _PERSON not in observers


def _codes(ds: Structure, tag: int) -> Iterator[tuple[str, str]]:
    return ((item.ascii(_CODING_SCHEME), item.ascii(_CODE_VALUE)) for item in ds.items(tag))
