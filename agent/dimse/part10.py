"""A Part 10 file, split into what a C-STORE needs without decoding its dataset."""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from agent.core.errors import Permanent

_HEAD: Final = 144  # preamble 128, "DICM" 4, (0002,0000) UL 12
EXPLICIT: Final = str(ExplicitVRLittleEndian)
IMPLICIT: Final = str(ImplicitVRLittleEndian)
"""The default transfer syntax, which every peer must take (PS3.5 10.1)."""

_GROUP_LENGTH: Final = b"\x02\x00\x00\x00UL\x04\x00"


@dataclass(frozen=True, slots=True)
class Part:
    """One object as it travels: its UIDs and its encoded dataset."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: memoryview


def split(encoded: bytes) -> Part:
    """Separate file meta information from dataset (PS3.10 7.1); the dataset is a view, not a copy.

    Raises
    ------
    Permanent
        If preamble, group length or one of the three UIDs is missing.
    """
    if encoded[128:132] != b"DICM" or encoded[132:140] != _GROUP_LENGTH:
        raise Permanent("not a Part 10 file with (0002,0000) first")
    end = _HEAD + int.from_bytes(encoded[140:_HEAD], "little")
    meta = read_dataset(BytesIO(encoded[_HEAD:end]), is_implicit_VR=False, is_little_endian=True)
    try:
        return Part(
            str(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            str(meta.TransferSyntaxUID),
            memoryview(encoded)[end:],
        )
    except AttributeError as exc:
        raise Permanent(f"file meta information is incomplete: {exc}") from exc


def implicit(part: Part) -> Part:
    """Return the same object, same UIDs and values, from Explicit VR Little Endian in Implicit VR Little Endian.

    Neither has compressed pixel data (PS3.5 A.1, A.2), so nothing but the heads of the data elements changes.
    """
    dataset = read_dataset(BytesIO(part.dataset), is_implicit_VR=False, is_little_endian=True)
    encoded = DicomBytesIO()
    encoded.is_implicit_VR, encoded.is_little_endian = True, True
    write_dataset(encoded, dataset)
    return replace(part, transfer_syntax_uid=IMPLICIT, dataset=memoryview(encoded.getvalue()))
