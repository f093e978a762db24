"""Encoded datasets and their spool records, small enough to read in a test."""

import zlib
from datetime import UTC, datetime

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from agent.core.instance import SpoolRef
from agent.core.ports import Record, RecordKind

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
RECEIVED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"


def uid(name: str) -> str:
    """Return a UID that depends on nothing but a name."""
    return str(generate_uid(entropy_srcs=[name]))


def mammogram(name: str = "1", **attributes: object) -> Dataset:
    """Return a four-pixel mammogram of a made-up patient; None leaves an attribute out."""
    ds = Dataset()
    values: dict[str, object] = {
        "SOPClassUID": MAMMOGRAM,
        "SOPInstanceUID": uid(name),
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("series"),
        "PatientID": "P-1",
        "IssuerOfPatientID": "PHANTOM",
        "Modality": "MG",
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageLaterality": "L",
        "ViewPosition": "CC",
        "AcquisitionDate": "20261101",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 2,
        "Columns": 2,
        "BitsAllocated": 16,
        "PixelData": b"\1\0\2\0\3\0\4\0",
        **attributes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(ds, keyword, value)
    if "PixelData" in ds:
        ds["PixelData"].VR = "OW"
    return ds


def encode(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Encode a dataset as it goes over the wire."""
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax_uid != BIG_ENDIAN
    stream.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    write_dataset(stream, ds)
    raw = stream.getvalue()
    if transfer_syntax_uid != DEFLATED:
        return raw
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(raw) + deflater.flush()


def meta_of(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian, **changes: str) -> dict[str, str]:
    """Return what the receiver writes beside a dataset."""
    return {
        "association_id": "run/1",
        "calling_ae_title": "MAMMO1",
        "called_ae_title": "SENTINODE",
        "peer": "127.0.0.1",
        "sop_class_uid": str(ds.SOPClassUID),
        "sop_instance_uid": str(ds.SOPInstanceUID),
        "transfer_syntax_uid": transfer_syntax_uid,
        **changes,
    }


def record_of(payload: bytes, meta: dict[str, str]) -> Record:
    """Return a spool record of an instance."""
    return Record(SpoolRef(1, 1, 8192), RecordKind.INSTANCE, 1, RECEIVED, meta, payload)


def record(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian, **changes: str) -> Record:
    """Return the spool record of a dataset."""
    return record_of(encode(ds, transfer_syntax_uid), meta_of(ds, transfer_syntax_uid, **changes))


def split_part10(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Split a Part 10 file into what its File Meta Information says and the dataset's bytes."""
    position, meta = 132, {}
    while raw[position : position + 2] == b"\2\0":
        long = raw[position + 4 : position + 6] in (b"OB", b"UN")
        length = int.from_bytes(
            raw[position + 8 : position + 12] if long else raw[position + 6 : position + 8], "little"
        )
        start = position + (12 if long else 8)
        meta[raw[position + 2 : position + 4].hex()] = raw[start : start + length].rstrip(b"\0 ").decode("latin-1")
        position = start + length
    names = {"0200": "sop_class_uid", "0300": "sop_instance_uid", "1000": "transfer_syntax_uid"}
    return {names[tag]: value for tag, value in meta.items() if tag in names}, raw[position:]
