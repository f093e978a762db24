"""A received dataset as a DICOM file: our own File Meta Information before the very bytes that came."""

import struct

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.ports import Record


def to_part10(record: Record) -> bytes:
    """Return an instance record as a Part 10 file (PS3.10 section 7): zero preamble, meta group, exact bytes."""
    group = b"".join(
        (
            _element(0x0001, b"OB", b"\0\1"),
            _element(0x0002, b"UI", _text(record.meta.get("sop_class_uid", ""), b"\0")),
            _element(0x0003, b"UI", _text(record.meta.get("sop_instance_uid", ""), b"\0")),
            _element(0x0010, b"UI", _text(record.meta.get("transfer_syntax_uid", ""), b"\0")),
            _element(0x0012, b"UI", _text(IMPLEMENTATION_CLASS_UID, b"\0")),
            _element(0x0013, b"SH", _text(IMPLEMENTATION_VERSION_NAME, b" ")),
        )
    )
    length = _element(0x0000, b"UL", struct.pack("<I", len(group)))
    return b"".join((bytes(128), b"DICM", length, group, record.payload))


def _text(value: str, padding: bytes) -> bytes:
    raw = value.encode("ascii", "replace")[:64]
    return raw + padding if len(raw) % 2 else raw


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    """Encode one element of group 0002 in explicit VR little endian."""
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value
