"""A Part 10 file from outside: its transfer syntax, and its dataset no longer deflated (PS3.10 7.1, PS3.5 A.5)."""

import struct
from typing import Final

from agent.core.errors import Rejected
from agent.dicom.inflating import inflate

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
LIMIT_BYTES: Final = 576 << 20  # the largest image taken, 512 MiB, and its header

_PREAMBLE: Final = 128
_LONG_FORM: Final = frozenset({b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR", b"OD", b"OF", b"OL", b"OV"})
_TRANSFER_SYNTAX: Final = b"\x02\x00\x10\x00"


def transfer_syntax(part10: bytes) -> tuple[str, int]:
    """Return the Transfer Syntax UID (0002,0010) and the offset at which the dataset begins.

    Raises
    ------
    Rejected
        If this is no Part 10 file or its file meta information has no end or no transfer syntax.
    """
    if part10[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise Rejected("not a DICOM Part 10 file")
    offset, uid = _PREAMBLE + 4, b""
    try:
        while part10[offset : offset + 2] == b"\x02\x00":
            tag, start, length = part10[offset : offset + 4], *_value(part10, offset)
            uid = part10[start : start + length] if tag == _TRANSFER_SYNTAX else uid
            offset = start + length
    except struct.error:
        raise Rejected("the file meta information ends early") from None
    if not uid:
        raise Rejected("no Transfer Syntax UID (0002,0010)")
    return uid.rstrip(b"\0 ").decode("ascii", "replace"), offset


def _value(part10: bytes, offset: int) -> tuple[int, int]:
    """Where the value of an explicit VR element begins, and its length."""
    if part10[offset + 4 : offset + 6] in _LONG_FORM:
        return offset + 12, struct.unpack_from("<I", part10, offset + 8)[0]
    return offset + 8, struct.unpack_from("<H", part10, offset + 6)[0]


def inflated(part10: bytes, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """Return the same file with its dataset not deflated; other files come back as they are.

    Raises
    ------
    Rejected
        If the deflated dataset is damaged or larger than `limit_bytes`.
    """
    uid, offset = transfer_syntax(part10)
    if uid != DEFLATED:
        return part10
    return _meta() + inflate(part10[offset:], limit_bytes)


def _meta() -> bytes:
    uid = EXPLICIT_LITTLE_ENDIAN.encode() + b"\0"
    element = _TRANSFER_SYNTAX + b"UI" + struct.pack("<H", len(uid)) + uid
    group_length = b"\x02\x00\x00\x00UL" + struct.pack("<HI", 4, len(element))
    return bytes(_PREAMBLE) + b"DICM" + group_length + element
