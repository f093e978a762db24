"""The reading side of the spool: another process, while the writer appends."""

import heapq
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from agent.core.errors import Permanent
from agent.core.instance import GONE, SpoolRef
from agent.core.ports import Record
from agent.spool.errors import SpoolUnreadable
from agent.spool.record import HEADER_BYTES, decode_meta
from agent.spool.segment import (
    Entry,
    Identity,
    entry_at,
    read_body,
    read_exactly,
    read_identity,
    read_meta,
    segment_files,
    segment_name,
)
from agent.spool.walk import Found, behind, new_in, reading, uncovered

KEPT: Final = "kept"
"""The folder of segments that the keeper copied to. A place in the segment n of it has the number -n."""

MOST_IN_MEMORY: Final = 512 << 20
"""Longest payload that keeper and workers hold in memory."""
_PIECE: Final = 1 << 20

_log = structlog.get_logger()


class SpoolReader:
    """Reads a spool folder; satisfies `agent.core.ports.SpoolSource`.

    Only what lies before a segment's horizon is shown: whole and durable. So no cursor ever points at something that
    a power loss takes back.

    Parameters
    ----------
    most_in_memory
        `after` gives longer payloads as views of their file, `read` refuses them; None: there is no bound.
    """

    def __init__(self, folder: Path, most_in_memory: int | None = None) -> None:
        self._folder = folder
        self._most_in_memory = most_in_memory
        self._told: set[tuple[object, ...]] = set()

    def after(self, cursor: Mapping[int, SpoolRef]) -> Iterator[Record]:
        """Yield the records behind the cursor (segment -> last record read), in order of `sequence`.

        One payload at a time is in memory, and of a long one none: it is verified, and then a view of the file. That
        shows what was verified as long as no cursor has passed it: until then its segment is not used anew. What is
        appended while this runs comes with the next call. Associations write to segments of their own, so a record may
        become visible before one of another segment with a lower `sequence`; within a segment the order always holds. A
        damaged record is reported and passed over; where the disk does not give back what a segment is, it is left for
        a later call.

        Raises
        ------
        SpoolFailed
            If the disk refuses.
        Permanent
            If the spool was written by a later release, or a segment vanished while it was read.
        """
        if not self._folder.is_dir():
            return
        streams = [self._readable(number, path, cursor) for number, path in segment_files(self._folder).items()]
        for found in heapq.merge(*streams, key=lambda found: found.entry.header.sequence):
            record = self._load(found)
            if record is not None:
                yield record
                del record  # else it would stand beside the next one

    def _readable(self, number: int, path: Path, cursor: Mapping[int, SpoolRef]) -> Iterator[Found]:
        """Walk a segment as far as the disk lets us."""
        try:
            yield from new_in(path, cursor.get(number))
        except SpoolUnreadable:
            self._tell("spool_segment_unreadable", number)

    def _load(self, found: Found) -> Record | None:
        """Read a record, without its payload where that cannot be."""
        if found.has_header:
            with suppress(SpoolUnreadable):
                return self._load_readable(found)
        self._tell("spool_record_unreadable", found.identity.number, offset=found.entry.offset)
        return replace(_head(found), is_unreadable=True)

    def _load_readable(self, found: Found) -> Record | None:
        """Read a record; where it is too long for us, or for the memory there is, its payload is a view of the file."""
        if not self._is_too_long(found):
            with suppress(MemoryError):
                return _load(found, read_body)
        record = _load(found, read_meta)
        return None if record is None else replace(record, payload=_view(found))

    def _is_too_long(self, found: Found) -> bool:
        return self._most_in_memory is not None and found.entry.header.payload_bytes > self._most_in_memory

    def _tell(self, event: str, segment: int, **where: int) -> None:
        """Say it once: it is found again and again."""
        told = (event, segment, *where.values())
        if told not in self._told:
            self._told.add(told)
            _log.error(event, segment=segment, **where)

    def oldest_after(self, cursor: Mapping[int, SpoolRef]) -> datetime | None:
        """Return when the oldest record behind the cursor was received; no payload is read. Raises as `after`."""
        if not self._folder.is_dir():
            return None
        first = (next(self._readable(n, path, cursor), None) for n, path in segment_files(self._folder).items())
        return min((found.entry.header.received_at for found in first if found is not None), default=None)

    def read(self, ref: SpoolRef) -> Record:
        """Return one record again, its checksum verified.

        Raises
        ------
        SpoolFailed
            If the disk refuses.
        Permanent
            If it is gone or damaged, or longer than is held in memory.
        """
        found = self._found(ref)
        if self._is_too_long(found):
            raise Permanent(f"too large: {found.entry.header.payload_bytes} bytes, of at most {self._most_in_memory}")
        record = _load(found, read_body)
        if record is None:
            raise Permanent("the received bytes are damaged in the spool, or no longer in it")
        return replace(record, ref=ref)

    def again(self, ref: SpoolRef) -> Record | None:
        """Return one record as `after` yields it, its checksum verified; None if it is damaged. Raises as `read`."""
        return self._load_readable(self._found(ref))

    def uncovered(self, hidden: SpoolRef, until: int) -> Sequence[SpoolRef]:
        """Return where the records lie for which a hidden place stands, up to the offset of the next that was found.

        Raises
        ------
        SpoolFailed
            If the disk refuses; SpoolUnreadable if it still does not give back what lies there.
        Permanent
            If it is gone.
        """
        return [found.ref for found in uncovered(self._folder / segment_name(hidden.segment), hidden, until)]

    def head(self, ref: SpoolRef) -> Record:
        """Return a record without its payload, its checksum not verified. Raises as `pieces` does."""
        return replace(_head(self._found(ref)), ref=ref)

    def pieces(self, ref: SpoolRef) -> Iterator[bytes]:
        """Yield a record's payload, a MiB at a time, its checksum not verified.

        Raises
        ------
        SpoolFailed
            If the disk refuses.
        Permanent
            If it is gone.
        """
        found = self._found(ref)
        at, end = found.entry.payload
        while at < end:
            with reading(found.path) as fd:
                piece = read_exactly(fd, min(_PIECE, end - at), at)
                is_there = read_identity(fd) == found.identity
            if not piece or not is_there:
                raise Permanent("the received bytes are no longer in the spool")
            yield piece
            at += len(piece)

    def record_bytes(self, ref: SpoolRef) -> int:
        """Return the length of a record. Raises as `read` does, but for damage of its payload."""
        return self._found(ref).entry.header.record_bytes

    def is_read(self, segment: int, last: SpoolRef | None) -> bool:
        """Whether a segment holds no record behind the last one read. Raises SpoolFailed, Permanent."""
        return next(behind(self._folder / segment_name(segment), last), None) is None

    def _found(self, ref: SpoolRef) -> Found:
        folder = self._folder if ref.segment > 0 else self._folder / KEPT
        path, identity, entry = folder / segment_name(abs(ref.segment)), None, None
        if ref != GONE:
            with reading(path) as fd:
                identity = _of_generation(fd, ref.generation)
                entry = None if identity is None else entry_at(fd, identity, ref.offset, identity.size)
        if identity is None or entry is None:
            raise Permanent("the received bytes are no longer in the spool")
        return Found(path, identity, entry)


def _of_generation(fd: int, generation: int) -> Identity | None:
    identity = read_identity(fd)
    return identity if identity is not None and identity.generation == generation else None


def _load(found: Found, read: Callable[[int, Identity, Entry], tuple[bytes, bytes] | None]) -> Record | None:
    """Read meta and payload of a record; None if its segment is used anew, or, reported, if they are damaged."""
    ref = found.ref
    with reading(found.path) as fd:
        body = read(fd, found.identity, found.entry)
        is_renewed = body is None and read_identity(fd) not in (None, found.identity)
    if is_renewed:
        return None
    if body is None:
        _log.error("spool_record_damaged", segment=ref.segment, offset=ref.offset)
        return None
    header = found.entry.header
    return Record(ref, header.kind, header.sequence, header.received_at, decode_meta(body[0]), body[1])


def _view(found: Found) -> memoryview:
    """Return a payload as it lies in the file."""
    start, end = found.entry.payload
    at = start - start % mmap.ALLOCATIONGRANULARITY
    with reading(found.path) as fd:
        return memoryview(mmap.mmap(fd, end - at, prot=mmap.PROT_READ, offset=at))[start - at :]


def _head(found: Found) -> Record:
    """Return what is known of a record without its payload: its header, and its meta if that can be read."""
    header = found.entry.header
    meta: Mapping[str, str] = {}
    with suppress(SpoolUnreadable, ValueError), reading(found.path) as fd:
        meta = decode_meta(read_exactly(fd, header.meta_bytes, found.entry.offset + HEADER_BYTES))
    if not isinstance(meta, dict) or not all(isinstance(text, str) for text in meta.values()):
        meta = {}  # its checksum is that of the payload, too
    return Record(
        found.ref, header.kind, header.sequence, header.received_at, meta, b"", unread_bytes=header.payload_bytes
    )
