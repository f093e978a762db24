"""The writing side of the spool: one writer a folder, one channel an association."""

import fcntl
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool.disk import Disk
from agent.spool.draft import MAX_OBJECT_BYTES, Draft
from agent.spool.errors import SpoolFull, SpoolLocked, translated
from agent.spool.lease import Lease
from agent.spool.maker import SegmentMaker
from agent.spool.pool import SegmentPool
from agent.spool.record import Chunk, Stamp, encode_meta
from agent.spool.recovery import recover
from agent.spool.room import Room
from agent.spool.segment import PAGE, Identity
from agent.spool.spare import SpareKeeper
from agent.spool.watermark import FRESH_S, DiskWatch, Watermark, free_bytes

SEGMENT_BYTES: Final = 64 << 20
_LEAST_SEGMENTS: Final = 32
_LARGEST_SHARE: Final = 4
_OF_ASSOCIATIONS: Final = (RecordKind.RECEIVER_STARTED, RecordKind.ASSOCIATION_OPENED, RecordKind.ASSOCIATION_CLOSED)


def segment_bytes_of(limit_bytes: int, users: int = 0) -> int:
    """Return the usual size of the segments of a spool: a small one shall have many all the same.

    Each of so many users at once may hold one; together they take no more than half of the spool.
    """
    return min(SEGMENT_BYTES, limit_bytes // max(_LEAST_SEGMENTS, 2 * users) // PAGE * PAGE)


def max_object_bytes_of(limit_bytes: int) -> int:
    """Return the size of the largest object that a spool takes: one alone never takes more than half of the room.

    While an object of unknown length grows it is moved, and both places are taken. So a quarter; at most 1 GiB.
    """
    return min(MAX_OBJECT_BYTES, limit_bytes // _LARGEST_SHARE)


class SpoolWriter:
    """The only process that writes to a spool folder.

    At start it cuts torn tails and continues the sequence numbers.

    Parameters
    ----------
    folder
        Made if it is not there.
    limit_bytes
        Most bytes that all segments together may take, and what lies beside them.
    beside
        Returns how much of the limit is taken by others now.
    refuse_below_free_bytes
        Instances, reports and messages are refused while the file system has less than this free, and no segment is
        made that would leave less. The small records that say what became of an association still go in.
    segment_bytes
        Size of a segment; a larger record gets one of its own size.
    max_object_bytes
        A record with a longer payload is refused as soon as it is.
    keep_spare
        Whether the next segment is made before it is needed, once instances arrive.
    now
        The clock, timezone-aware UTC.
    disk
        The calls that change the disk. Tests pass some that fail.
    free
        Free bytes of the folder's file system.
    free_is_fresh_s
        So old may what is known of them be when a record begins.

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
        beside: Callable[[], int] = lambda: 0,
        segment_bytes: int = SEGMENT_BYTES,
        max_object_bytes: int = MAX_OBJECT_BYTES,
        keep_spare: bool = True,
        now: Callable[[], datetime],
        disk: Disk | None = None,
        free: Callable[[Path], int] = free_bytes,
        free_is_fresh_s: float = FRESH_S,
    ) -> None:
        self._folder = folder
        self._watermark = Watermark(refuse_below_free_bytes, free)
        self._max_object_bytes = max_object_bytes
        self._now = now
        self._keep_spare = keep_spare
        disk = disk or Disk()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            disk.sync_folder(folder.parent)
            self._lock_fd = _locked(folder / "lock")
        except OSError as error:
            raise translated(error) from error
        try:
            found = recover(folder, disk)
        except OSError as error:
            os.close(self._lock_fd)
            raise translated(error) from error
        sequence = itertools.count(found.last_sequence + 1)
        self._next_sequence: Callable[[], int] = sequence.__next__  # atomic: no lock between channels
        maker = SegmentMaker(folder, disk, segment_bytes=segment_bytes, next_sequence=self._next_sequence, now=now)
        self._room = Room(folder, disk, lambda: limit_bytes - beside(), self._has_spare)
        self._room.adopt(found.used_bytes, found.last_number)
        self._limit_bytes = self._usable_bytes = limit_bytes
        self._pool = SegmentPool(maker, self._room)
        self._pool.adopt(found.segments)
        self._spares = SpareKeeper(self._pool.prepare)
        self._watch = DiskWatch(self._has_free_disk, fresh_s=free_is_fresh_s)
        if refuse_below_free_bytes:
            self._watch.start()

    def channel(self) -> "Channel":
        """Return a channel for one association. It takes its first segment with its first record."""
        return Channel(self, Lease(self._pool))

    def shrink(self) -> None:
        """Give back the room of released segments, instead of using them anew. Raises SpoolFailed."""
        self._pool.shrink()

    def has_free_disk(self) -> bool:
        """Tell whether free disk space is above the watermark, as far as is known: this asks no disk.

        A thread looks every second; where the disk cannot be asked, an instance will tell.
        """
        return self._watch.has_free_disk

    def usable_bytes(self) -> int:
        """Return the most bytes that its segments may take: the limit, or what the disk has where that is less.

        As `has_free_disk` this asks no disk.
        """
        return self._usable_bytes

    def close(self) -> None:
        """Give the folder up. Channels must be closed before."""
        self._watch.stop()
        self._spares.stop()
        self._pool.close()
        os.close(self._lock_fd)

    def admit(self, kind: RecordKind) -> None:
        """Check the watermark, and see to it that there will be room. Raises SpoolFull."""
        if kind in _OF_ASSOCIATIONS:
            return
        if not self._watch.fresh():
            raise SpoolFull("free disk space is below the watermark")
        if kind is RecordKind.INSTANCE and self._keep_spare and not self._pool.is_ready:
            self._spares.wake()

    def draft(self, lease: Lease, kind: RecordKind, meta: bytes) -> Draft:
        """Return a record that is to be written."""
        return Draft(lease, kind, meta, self._stamp, max_payload_bytes=self._max_object_bytes)

    def _stamp(self, identity: Identity) -> Stamp:
        """Return what ties the next record to a segment and to its time."""
        return Stamp(identity.generation, identity.seed, self._next_sequence(), self._now())

    def _has_free_disk(self) -> bool:
        """Tell it after what is released was given back, where that was needed. Raises OSError."""
        if self._is_above_watermark():
            return True
        with suppress(Transient):
            self._pool.shrink(self._is_above_watermark)
        if self._is_above_watermark():
            return True
        self._pool.seal(is_full=True)
        return False

    def _has_spare(self, more_bytes: int) -> bool:
        """Tell whether so much more leaves free what must be; where the disk cannot be asked, the making will tell."""
        try:
            return self._is_above_watermark(more_bytes)
        except OSError:
            return True

    def _is_above_watermark(self, more_bytes: int = 0) -> bool:
        spare = self._watermark.spare_bytes(self._folder)
        self._usable_bytes = min(self._limit_bytes, self._room.used_bytes + spare)
        return spare >= more_bytes


class Channel:
    """One association's way into the spool. It owns one segment at a time; only one thread may use it."""

    def __init__(self, writer: SpoolWriter, lease: Lease) -> None:
        self._writer = writer
        self._lease = lease
        self._draft: Draft | None = None

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
        chunks = [payload] if isinstance(payload, bytes | bytearray | memoryview) else list(payload)
        return self.begin(kind, meta).commit(chunks)

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> Draft:
        """Begin a record whose payload comes in parts. One at a time: an earlier one that is not over is abandoned.

        Raises
        ------
        SpoolFull
            If free disk space is below the watermark.
        Permanent
            If the meta is too long.
        """
        self._abandon()
        encoded = encode_meta(meta)
        self._writer.admit(kind)
        self._draft = self._writer.draft(self._lease, kind, encoded)
        return self._draft

    def close(self) -> None:
        """Return the segment to the pool; a record that is not committed is abandoned. Harmless when repeated."""
        self._abandon()
        self._lease.give_back()

    def _abandon(self) -> None:
        if self._draft is not None:
            self._draft.abandon()
            self._draft = None


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
