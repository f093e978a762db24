from io import BytesIO

import pydicom
import pytest

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.dicom.part10 import to_part10
from tests.fakes.instances import BIG_ENDIAN, DEFLATED, IMPLICIT, MAMMOGRAM, mammogram, record, record_of, uid

EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_is_a_file_that_pydicom_reads(syntax: str) -> None:
    """The file says what it holds and who wrote it, and reads back as the dataset."""
    ds = pydicom.dcmread(BytesIO(to_part10(record(mammogram(), syntax))))
    assert ds.file_meta.MediaStorageSOPClassUID == MAMMOGRAM
    assert ds.file_meta.MediaStorageSOPInstanceUID == uid("1")
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert ds.file_meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert ds.file_meta.FileMetaInformationVersion == b"\0\1"
    assert ds.PatientID == "P-1" and ds.PixelData == b"\1\0\2\0\3\0\4\0"


def test_group_length_counts_the_meta_group() -> None:
    """File Meta Information Group Length leads to the first byte of the dataset."""
    spooled = record(mammogram())
    raw = to_part10(spooled)
    length = int.from_bytes(raw[140:144], "little")
    assert raw[144 + length :] == spooled.payload


def test_preamble_is_zero_and_bytes_are_exact() -> None:
    """The preamble can never be a program; what was received follows unchanged, whatever it is."""
    payload = b"MZ not DICOM"
    raw = to_part10(record_of(payload, {"sop_class_uid": "1.2", "sop_instance_uid": "é" * 99}))
    assert raw[:132] == bytes(128) + b"DICM"
    assert raw.endswith(payload)
