"""One segment file: its identity, its horizon, and the walk along its records (docs/adr/0001-spool.md).

Page 0 holds the identity, written before the file gets its name, and anew for each further use. Page 1 holds the
horizon: up to where records are durable. Records follow from page 2 on.
"""

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.core.instance import SpoolRef
from agent.spool.disk import Disk
from agent.spool.record import ALIGNMENT, HEADER_BYTES, MAGIC, Header, crc32c, decode_header, is_intact

PAGE: Final = 4096
DATA_START: Final = 2 * PAGE
SEARCH_BYTES: Final = 4 << 20
"""Most bytes by which the horizon on the disk lags behind the beginning of the last record but one."""
_HORIZON_AT: Final = PAGE
_SEGMENT_MAGIC: Final = b"SNSEGMNT"
_SEGMENT_VERSION: Final = 1
_CRC: Final = struct.Struct("<I")
# magic, version, number, generation, size, lowest sequence number, created at (ns)
_IDENTITY: Final = struct.Struct("<8sIQQQQq")
# end, last sequence number
_HORIZON: Final = struct.Struct("<QQ")
_CLOSED: Final = b"closed"
_NAME: Final = re.compile(r"segment-(\d{8,})\.spool")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """What a segment is; its checksum seeds those of all its records."""

    number: int
    generation: int
    size: int
    first_sequence: int
    created_at_ns: int

    @property
    def seed(self) -> int:
        """CRC32C of the identity."""
        return crc32c(self._fields(), 0)

    def encode(self) -> bytes:
        """Return page 0."""
        return (self._fields() + _CRC.pack(self.seed)).ljust(PAGE, b"\0")

    def _fields(self) -> bytes:
        return _IDENTITY.pack(
            _SEGMENT_MAGIC,
            _SEGMENT_VERSION,
            self.number,
            self.generation,
            self.size,
            self.first_sequence,
            self.created_at_ns,
        )


@dataclass(frozen=True, slots=True)
class Horizon:
    """Everything before `end` is durable; `sequence` is that of the last record before it.

    `is_closed`: nothing will be appended behind it before the file is used anew.
    """

    end: int
    sequence: int
    is_closed: bool = False

    def encode(self, seed: int) -> bytes:
        """Return what stands at the start of page 1."""
        fields = _HORIZON.pack(self.end, self.sequence)
        crc = crc32c(fields, seed)
        return fields + _CRC.pack(crc) + _CRC.pack(crc32c(_CLOSED, crc) if self.is_closed else 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record's header and its offset in bytes."""

    offset: int
    header: Header

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + self.header.record_bytes

    @property
    def payload(self) -> tuple[int, int]:
        """Where the payload begins and ends."""
        at = self.offset + HEADER_BYTES + self.header.meta_bytes
        return at, at + self.header.payload_bytes

    def ref(self, identity: Identity) -> SpoolRef:
        """Return the record's place."""
        return SpoolRef(identity.number, identity.generation, self.offset)


def counted_bytes(size: int) -> int:
    """Return what a segment counts in the limit: all of it, but nothing where it has no room for records."""
    return 0 if size <= DATA_START else size


def segment_name(number: int) -> str:
    """Return the file name of a segment."""
    return f"segment-{number:08d}.spool"


def segment_files(folder: Path) -> dict[int, Path]:
    """Return the segment files of a folder by number, in ascending order."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match))


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a segment file and close it again."""
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def read_identity(fd: int) -> Identity | None:
    """Return the identity of a segment, None if it is damaged or none of ours."""
    data = os.pread(fd, _IDENTITY.size + _CRC.size, 0)
    if len(data) < _IDENTITY.size + _CRC.size:
        return None
    magic, version, *fields = _IDENTITY.unpack_from(data)
    identity = Identity(*fields)
    intact = _CRC.unpack_from(data, _IDENTITY.size)[0] == identity.seed
    return identity if intact and (magic, version) == (_SEGMENT_MAGIC, _SEGMENT_VERSION) else None


def read_horizon(fd: int, identity: Identity) -> Horizon | None:
    """Return the horizon of a segment, None if it was never set or is damaged."""
    data = os.pread(fd, _HORIZON.size + 2 * _CRC.size, _HORIZON_AT)
    if len(data) < _HORIZON.size + 2 * _CRC.size:
        return None
    horizon = Horizon(*_HORIZON.unpack_from(data))
    closed = replace(horizon, is_closed=True)
    if data == closed.encode(identity.seed):
        return closed
    intact = _HORIZON.size + _CRC.size
    return horizon if data[:intact] == horizon.encode(identity.seed)[:intact] else None


def write_horizon(disk: Disk, fd: int, identity: Identity, horizon: Horizon) -> None:
    """Move the horizon. It need not be durable itself: after a power loss it lags behind, never ahead."""
    disk.write(fd, [horizon.encode(identity.seed)], _HORIZON_AT)


def entry_at(fd: int, identity: Identity, offset: int, stop: int) -> Entry | None:
    """Return the record at an offset, None if there is no intact header of one that ends by `stop`."""
    header = decode_header(os.pread(fd, HEADER_BYTES, offset), identity.generation, identity.seed)
    return Entry(offset, header) if header is not None and offset + header.record_bytes <= stop else None


def next_entry(fd: int, identity: Identity, offset: int, stop: int, search_stop: int | None = None) -> Entry | None:
    """Return the first record at or after `offset` whose header is intact and which ends by `stop`.

    Where damage hides a record's length, the next one is found by its magic, if it begins before `search_stop` (else
    before `stop`); the seed keeps bytes of a payload that look like a record from being taken for one.
    """
    limit = stop if search_stop is None else min(search_stop, stop)
    entry = entry_at(fd, identity, offset, stop)
    while entry is None and (offset := _next_magic(fd, offset + ALIGNMENT, limit)) < limit:
        entry = entry_at(fd, identity, offset, stop)
    return entry


def next_readable(fd: int, identity: Identity, offset: int, stop: int, search_stop: int) -> Entry | None:
    """Return the same where the disk does not give everything back: page by page, so that no readable one is missed."""
    while True:
        behind = offset - offset % PAGE + PAGE
        with suppress(OSError):
            entry = next_entry(fd, identity, offset, stop, behind)
            if entry is not None:
                return entry
        if behind >= search_stop:
            return None
        offset = behind


def _next_magic(fd: int, offset: int, stop: int) -> int:
    while offset < stop:
        chunk = os.pread(fd, min(_CHUNK, stop - offset), offset)
        at = chunk.find(MAGIC)
        while at % ALIGNMENT and at >= 0:
            at = chunk.find(MAGIC, at + 1)
        if at >= 0:
            return offset + at
        if not chunk:
            return stop
        offset += len(chunk)
    return stop


def read_body(fd: int, identity: Identity, entry: Entry) -> tuple[bytes, bytes] | None:
    """Return meta and payload of a record, None if they are damaged."""
    header = entry.header
    at = entry.offset + HEADER_BYTES
    meta = read_exactly(fd, header.meta_bytes, at)
    payload = read_exactly(fd, header.payload_bytes, at + len(meta))
    padding_at = at + header.meta_bytes + header.payload_bytes
    padding = read_exactly(fd, entry.end - padding_at, padding_at)
    return (meta, payload) if is_intact(header, meta, payload, padding, identity.seed) else None


def read_meta(fd: int, identity: Identity, entry: Entry) -> tuple[bytes, bytes] | None:
    """Return meta and an empty payload of a record, None if they are damaged; never all of it is in memory."""
    meta = read_exactly(fd, entry.header.meta_bytes, entry.offset + HEADER_BYTES)
    return (meta, b"") if is_whole(fd, identity, entry) else None


def is_whole(fd: int, identity: Identity, entry: Entry) -> bool:
    """Tell whether a record is complete and unchanged, without holding it in memory."""
    header, crc = entry.header, identity.seed
    at, body_end = entry.offset + HEADER_BYTES, entry.offset + HEADER_BYTES + header.meta_bytes + header.payload_bytes
    while at < body_end:
        chunk = os.pread(fd, min(_CHUNK, body_end - at), at)
        if not chunk:
            return False
        crc, at = crc32c(chunk, crc), at + len(chunk)
    return crc == header.body_crc and os.pread(fd, entry.end - at, at) == bytes(entry.end - at)


def read_exactly(fd: int, length: int, offset: int) -> bytes:
    """Read `length` bytes, fewer only where the file ends (one system call moves at most 2 GiB)."""
    data = os.pread(fd, length, offset)
    if len(data) in (0, length):
        return data
    parts = [data]
    while data and (done := sum(map(len, parts))) < length:
        data = os.pread(fd, length - done, offset + done)
        parts.append(data)
    return b"".join(parts)
