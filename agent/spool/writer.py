"""The writing side of the spool: one writer a folder, one channel an association."""

import fcntl
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.crashpoint import crashpoint
from agent.spool.errors import SpoolFull, SpoolLocked, translated
from agent.spool.pool import OpenSegment, SegmentPool, sync_folder
from agent.spool.record import Chunk, Stamp, encode, encode_meta, record_bytes
from agent.spool.recovery import recover

SEGMENT_BYTES: Final = 64 << 20
RESERVED_BYTES: Final = 4096
"""Left free behind every instance, so that the end of its association can be recorded on a full disk."""


def free_bytes(folder: Path) -> int:
    """Return how many bytes an unprivileged process may still write below a folder."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class SpoolWriter:
    """The only process that writes to a spool folder.

    At start it cuts torn tails and continues the sequence numbers.

    Parameters
    ----------
    folder
        Made if it is not there.
    limit_bytes
        Most bytes that all segments together may take.
    refuse_below_free_bytes
        Instances are refused while the file system has less than this free. The small records that say what became of
        an association still go in.
    segment_bytes
        Size of a segment; a larger record gets one of its own size.
    now
        The clock, timezone-aware UTC.
    sync
        What makes a file's written bytes durable. Tests pass one that fails.
    free
        Free bytes of the folder's file system.

    Raises
    ------
    SpoolLocked
        If another writer has the folder.
    SpoolFull, SpoolFailed
        If the folder cannot be made, read or cut.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        refuse_below_free_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        now: Callable[[], datetime],
        sync: Callable[[int], None] = os.fdatasync,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder = folder
        self._refuse_below_free_bytes = refuse_below_free_bytes
        self._now = now
        self._sync = sync
        self._free = free
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
            self._lock_fd = _locked(folder / "lock")
        except OSError as error:
            raise translated(error) from error
        try:
            found = recover(folder)
        except OSError as error:
            os.close(self._lock_fd)
            raise translated(error) from error
        sequence = itertools.count(found.last_sequence + 1)
        self._next_sequence: Callable[[], int] = sequence.__next__  # atomic: no lock between channels
        self._pool = SegmentPool(
            folder,
            limit_bytes=limit_bytes,
            segment_bytes=segment_bytes,
            next_sequence=self._next_sequence,
            now=now,
        )
        self._pool.adopt(found.segments, found.used_bytes, found.last_number)

    def channel(self) -> "Channel":
        """Return a channel for one association. It takes its first segment with its first record."""
        return Channel(self._pool, self)

    def has_room(self) -> bool:
        """Tell whether a small instance would be taken now."""
        return self._is_above_watermark() and self._pool.may_take(RESERVED_BYTES)

    def close(self) -> None:
        """Give the folder up. Channels must be closed before."""
        self._pool.close()
        os.close(self._lock_fd)

    def admit(self, kind: RecordKind) -> None:
        """Check the watermark. Raises SpoolFull."""
        if kind is RecordKind.INSTANCE and not self._is_above_watermark():
            raise SpoolFull("free disk space is below the watermark")

    def commit(self, segment: OpenSegment, kind: RecordKind, meta: bytes, payload: Sequence[Chunk]) -> None:
        """Write one record into a segment, make it durable, and only then show it to readers. Raises OSError."""
        stamp = Stamp(segment.identity.generation, segment.identity.seed, self._next_sequence(), self._now())
        end = segment.write(encode(kind, meta, payload, stamp))
        crashpoint("spool.after_append")
        self._sync(segment.fd)
        crashpoint("spool.after_sync")
        segment.publish(end, stamp.sequence)

    def _is_above_watermark(self) -> bool:
        return self._free(self._folder) >= self._refuse_below_free_bytes


class Channel:
    """One association's way into the spool. It owns one segment at a time; only one thread may use it."""

    def __init__(self, pool: SegmentPool, writer: SpoolWriter) -> None:
        self._pool = pool
        self._writer = writer
        self._segment: OpenSegment | None = None

    def append(self, kind: RecordKind, meta: Mapping[str, str], payload: Chunk | Sequence[Chunk]) -> SpoolRef:
        """Append one record; return only when it is durable.

        Raises
        ------
        SpoolFull
            If there is no room: disk, limit or watermark.
        SpoolFailed
            If the disk refused. The segment is given up, for after a failed fsync nobody knows what of it is on the
            disk; the next append takes another.
        Permanent
            If the meta is too long.
        """
        self._writer.admit(kind)
        parts = [payload] if isinstance(payload, bytes | bytearray | memoryview) else list(payload)
        encoded_meta = encode_meta(meta)
        needed = record_bytes(len(encoded_meta), sum(memoryview(part).nbytes for part in parts))
        segment = self._with_room(needed + (RESERVED_BYTES if kind is RecordKind.INSTANCE else 0))
        ref = segment.ref()
        try:
            self._writer.commit(segment, kind, encoded_meta, parts)
        except OSError as error:
            self._segment = None
            segment.wipe()
            segment.close()
            raise translated(error) from error
        return ref

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> "Draft":
        """Begin a record."""
        self._writer.admit(kind)
        return Draft(self, kind, meta)

    def close(self) -> None:
        """Return the segment to the pool. Harmless when repeated."""
        if self._segment is not None:
            self._pool.give_back(self._segment)
            self._segment = None

    def _with_room(self, needed: int) -> OpenSegment:
        held = self._segment
        if held is not None and held.room >= needed:
            return held
        self._segment = self._pool.take(needed)
        if held is not None:  # given up only now: on a full disk smaller records still go into it
            self._pool.roll(held)
        return self._segment


class Draft:
    """A record that is being collected."""

    def __init__(self, channel: Channel, kind: RecordKind, meta: Mapping[str, str]) -> None:
        self._channel, self._kind, self._meta = channel, kind, meta
        self._parts: list[Chunk] = []

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Collect."""
        self._parts += [bytes(chunk) for chunk in chunks]

    def commit(self, chunks: Sequence[memoryview] = ()) -> SpoolRef:
        """Append it all."""
        return self._channel.append(self._kind, self._meta, [*self._parts, *chunks])

    def abandon(self) -> None:
        """Forget it."""
        self._parts.clear()


def _locked(path: Path) -> int:
    """Return a descriptor that holds the folder's lock until it is closed or the process ends."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise SpoolLocked("another process writes to this spool") from error
    return fd


def is_taken(folder: Path) -> bool:
    """Tell whether a writer has the folder now. Raises SpoolFailed if it cannot be read."""
    if not (folder / "lock").exists():
        return False
    try:
        os.close(_locked(folder / "lock"))
    except SpoolLocked:
        return True
    except OSError as error:
        raise translated(error) from error
    return False
