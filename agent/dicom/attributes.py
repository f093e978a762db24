"""One digest of everything that an object says beside its pixels: the same in whatever transfer syntax it comes."""

from collections.abc import Iterator
from hashlib import sha256
from struct import Struct
from typing import Final

from pydicom._dicom_dict import DicomDictionary

from agent.dicom.structure import ITEM, Structure
from agent.dicom.text import decode_person_name, decode_text

_SPECIFIC_CHARACTER_SET, _PHOTOMETRIC_INTERPRETATION = 0x00080005, 0x00280004
_APART: Final = frozenset({0x00100010, 0x00100020, 0x00100021})
"""Patient's Name, Patient ID and its issuer at the top: compared as names and keys are, not letter by letter."""

_OF_THE_ENCODING: Final = frozenset(
    {
        0x00080001,  # Length to End: counts encoded bytes
        _SPECIFIC_CHARACTER_SET,  # how texts are encoded: they are compared decoded
        0x00280006,  # Planar Configuration: a codec has its own
        0x00280100,  # Bits Allocated: a codec pads what Bits Stored says
        0x00282110,  # Lossy Image Compression, its Ratio and Method: pixels are compared decoded
        0x00282112,
        0x00282114,
        0x7FE00001,  # the Extended Offset Tables: where frames lie
        0x7FE00002,
        0x7FE00003,
        0x7FE00010,  # Pixel Data: has a digest of its own
        0xFFFCFFFC,  # Data Set Trailing Padding
    }
)
"""What may change when somebody encodes an object anew, at any depth."""

_OF_THE_SENDER: Final = frozenset(
    {
        0x00080015,  # Instance Coercion DateTime
        0x00080054,  # Retrieve AE Title
        0x00080056,  # Instance Availability
        0x00880200,  # Icon Image Sequence: an archive draws its own
    }
)
"""What an archive says of itself rather than of the image."""

_LEFT_OUT: Final = _OF_THE_ENCODING | _OF_THE_SENDER
_SIZES: Final = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "US or SS": 2, "US or OW": 2, "US or SS or OW": 2}
_SIZES_LONG: Final = {"UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4, "FD": 8, "SV": 8, "UV": 8, "OD": 8, "OV": 8}
_WORD: Final = {tag: n for tag, (vr, *_) in DicomDictionary.items() if (n := {**_SIZES, **_SIZES_LONG}.get(vr))}
"""Bytes of one number, of the attributes that are numbers in binary: they have no padding, and an order of bytes."""

_TEXTS: Final = frozenset(
    tag for tag, (vr, *_) in DicomDictionary.items() if vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
)
_NAMES: Final = frozenset(tag for tag, (vr, *_) in DicomDictionary.items() if vr == "PN")
_LONG: Final = 16 << 20
_HEAD: Final = Struct("<BII")  # depth, tag, length


def attributes_sha256(ds: Structure) -> str:
    """Return the digest of all public attributes, nested ones too, but those that transcoding or an archive changes.

    Values are taken without padding, numbers as little endian, texts decoded; what is empty counts as missing. Private
    attributes are left out: nothing here reads them, and who encodes them anew may not know their VR (PS3.5 6.2.2).
    A value of more than 16 MiB is taken as it is: it may lie in a file, and never all of it is in memory.
    """
    digest = sha256()
    for part in _parts(ds):
        digest.update(part)
    return digest.hexdigest()


def _parts(ds: Structure) -> Iterator[bytes | memoryview]:
    data, big_endian, steps = ds.data, ds.big_endian, ds.steps
    charsets = {1: ""}
    left_out = 99  # nothing deeper counts
    for n, (depth, tag, start, length, is_sequence) in enumerate(steps):
        if depth > left_out:
            continue
        left_out = 99
        if tag == ITEM:
            charsets[depth + 1] = charsets[depth - 1]
        elif tag in _LEFT_OUT or tag & 0x10000 or not tag & 0xFFFF or (depth == 1 and tag in _APART):
            left_out = depth
            if tag == _SPECIFIC_CHARACTER_SET:
                charsets[depth] = (
                    bytes(data[start : start + min(length, _LONG)]).decode("ascii", "replace").strip("\0 ")
                )
            continue
        elif is_sequence and (n + 1 == len(steps) or steps[n + 1][0] <= depth):
            continue  # it has no items
        value = memoryview(data)[start : start + length]
        if length <= _LONG:
            value = memoryview(_comparable(bytes(value), tag, charsets[depth - 1 + depth % 2], big_endian=big_endian))
        if value or is_sequence or tag == ITEM:
            yield _HEAD.pack(depth, tag, len(value))
            yield value


def _comparable(value: bytes, tag: int, charset: str, *, big_endian: bool) -> bytes:
    """Return a value as it is however it was encoded."""
    if tag not in _WORD:
        return _plain(value.strip(b"\0 "), tag, charset)
    return _turned(value, _WORD[tag]) if big_endian else value


def _plain(value: bytes, tag: int, charset: str) -> bytes:
    """Return a value as it is whatever encodes it: a text in UTF-8, one word for all that is coded in colour."""
    if tag == _PHOTOMETRIC_INTERPRETATION and value.startswith((b"YBR", b"RGB")):
        return b"COLOUR"  # a codec turns one into the other
    if (value.isascii() and b"\x1b" not in value) or tag not in _TEXTS:
        return value
    decode = decode_person_name if tag in _NAMES else decode_text
    return decode(value, charset, "keep").strip("\0 ").encode("utf-8", "surrogatepass")


def _turned(value: bytes, size: int) -> bytes:
    """Turn the bytes of each number round."""
    return b"".join(value[n : n + size][::-1] for n in range(0, len(value), size))
