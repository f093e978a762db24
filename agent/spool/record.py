"""The bytes of one record (docs/adr/0001-spool.md). Pure: no file, no clock.

A record is a header of 48 bytes, the meta (compact JSON of short texts), the payload as it came, and zeros up to the
next multiple of 8. Both checksums start from the segment's seed, so that a record is valid only where it was written.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from fastcrc import crc32

from agent.core.errors import Permanent
from agent.core.ports import RecordKind

Chunk = bytes | bytearray | memoryview

MAGIC: Final = b"SNRC"
VERSION: Final = 1
ALIGNMENT: Final = 8
# magic, version, kind, meta length, generation, sequence, received at (ns), payload length, CRC32C of meta and payload
_FIELDS: Final = struct.Struct("<4sBBHQQqQI")
_CRC: Final = struct.Struct("<I")
HEADER_BYTES: Final = _FIELDS.size + _CRC.size
MAX_META_BYTES: Final = 0xFFFF
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CODES: Final = {
    RecordKind.RECEIVER_STARTED: 1,
    RecordKind.ASSOCIATION_OPENED: 2,
    RecordKind.ASSOCIATION_CLOSED: 3,
    RecordKind.INSTANCE: 4,
    RecordKind.EVENT_REPORT: 5,
    RecordKind.HL7: 6,
}
_JSON: Final = json.JSONEncoder(separators=(",", ":"))  # `dumps` would make one for each record
_KINDS: Final = {code: kind for kind, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What ties a record to its place and time: the segment's generation and seed, the sequence number, the arrival."""

    generation: int
    seed: int
    sequence: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Header:
    """The fixed part of a record."""

    kind: RecordKind
    generation: int
    sequence: int
    received_at: datetime
    meta_bytes: int
    payload_bytes: int
    body_crc: int

    @property
    def record_bytes(self) -> int:
        """Length of the whole record, padding included."""
        return record_bytes(self.meta_bytes, self.payload_bytes)


def crc32c(chunk: Chunk, previous: int) -> int:
    """Return the CRC32C (Castagnoli, iSCSI) of `chunk`, continued from `previous`."""
    return crc32.iscsi(chunk, previous)


def record_bytes(meta_bytes: int, payload_bytes: int) -> int:
    """Return the length of a record, padding included."""
    length = HEADER_BYTES + meta_bytes + payload_bytes
    return length + -length % ALIGNMENT


def encode_meta(meta: Mapping[str, str]) -> bytes:
    """Return the meta as compact ASCII JSON.

    Raises
    ------
    Permanent
        If it is longer than 65,535 bytes.
    """
    encoded = _JSON.encode(dict(meta)).encode("ascii")
    if len(encoded) > MAX_META_BYTES:
        raise Permanent(f"the meta of a record is {len(encoded)} bytes long, more than {MAX_META_BYTES}")
    return encoded


def encode_header(kind: RecordKind, meta_bytes: int, payload_bytes: int, body_crc: int, stamp: Stamp) -> bytes:
    """Return the header of a record whose meta and payload have that checksum, continued from the stamp's seed."""
    received_at_ns = (stamp.received_at - _EPOCH) // timedelta(microseconds=1) * 1000
    fields = _FIELDS.pack(
        MAGIC,
        VERSION,
        _CODES[kind],
        meta_bytes,
        stamp.generation,
        stamp.sequence,
        received_at_ns,
        payload_bytes,
        body_crc,
    )
    return fields + _CRC.pack(crc32c(fields, stamp.seed))


def padding(meta_bytes: int, payload_bytes: int) -> bytes:
    """Return the zeros that fill a record up to a multiple of 8."""
    return bytes(-(HEADER_BYTES + meta_bytes + payload_bytes) % ALIGNMENT)


def encode(kind: RecordKind, meta: bytes, payload: Sequence[Chunk], stamp: Stamp) -> list[Chunk]:
    """Return the record as buffers for one gathered write; the payload's own buffers are among them, not copied."""
    crc = crc32c(meta, stamp.seed)
    for chunk in payload:
        crc = crc32c(chunk, crc)
    payload_bytes = sum(memoryview(chunk).nbytes for chunk in payload)
    header = encode_header(kind, len(meta), payload_bytes, crc, stamp)
    return [header, meta, *payload, padding(len(meta), payload_bytes)]


def decode_header(data: bytes, generation: int, seed: int) -> Header | None:
    """Return the header at the start of `data`, None if there is no intact one of this segment and generation.

    Raises
    ------
    Permanent
        If the header is intact but of a later version of the format, or of a kind that is not known.
    """
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return None
    if _CRC.unpack_from(data, _FIELDS.size)[0] != crc32c(data[: _FIELDS.size], seed):
        return None
    _, version, code, meta_bytes, stamped, sequence, received_at_ns, payload_bytes, crc = _FIELDS.unpack_from(data)
    if stamped != generation:
        return None
    if version != VERSION or code not in _KINDS:
        raise Permanent(f"the spool holds a record of version {version}, kind {code}: written by a later release")
    received_at = _EPOCH + timedelta(microseconds=received_at_ns // 1000)
    return Header(_KINDS[code], stamped, sequence, received_at, meta_bytes, payload_bytes, crc)


def is_intact(header: Header, meta: bytes, payload: Chunk, padding: bytes, seed: int) -> bool:
    """Tell whether the body is complete and unchanged."""
    if (len(meta), len(payload)) != (header.meta_bytes, header.payload_bytes):
        return False
    if len(padding) != header.record_bytes - HEADER_BYTES - len(meta) - len(payload) or any(padding):
        return False
    return crc32c(payload, crc32c(meta, seed)) == header.body_crc


def decode_meta(meta: bytes) -> Mapping[str, str]:
    """Return the meta of an intact record."""
    decoded: dict[str, str] = json.loads(meta)
    return decoded
