"""The segments a writer may append to: made, lent to one channel each, taken back."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.core.instance import SpoolRef
from agent.spool.errors import SpoolFull, translated
from agent.spool.record import HEADER_BYTES, Chunk
from agent.spool.segment import DATA_START, PAGE, Horizon, Identity, segment_name, write_horizon

_IOV_MAX: Final = 1024
_UNFINISHED: Final = ".new"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class OpenSegment:
    """A segment open for appending. It belongs to one channel at a time, so it needs no lock."""

    def __init__(self, fd: int, identity: Identity, end: int) -> None:
        self.fd = fd
        self.identity = identity
        self.end = end

    @property
    def room(self) -> int:
        """Bytes left."""
        return self.identity.size - self.end

    @property
    def is_half_empty(self) -> bool:
        """Whether it is worth keeping open for another user."""
        return self.room > self.identity.size // 2

    def ref(self) -> SpoolRef:
        """Return the place of the next record."""
        return SpoolRef(self.identity.number, self.identity.generation, self.end)

    def write(self, record: Sequence[Chunk]) -> int:
        """Write a record behind the last one, not yet durable, and return its end. Raises OSError."""
        views = [view for view in (memoryview(chunk).cast("B") for chunk in record) if view]
        at = self.end
        while views:
            done = os.pwritev(self.fd, views[:_IOV_MAX], at)
            at += done
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if done:
                views[0] = views[0][done:]
        return at

    def publish(self, end: int, sequence: int) -> None:
        """Show readers the record that became durable."""
        write_horizon(self.fd, self.identity, Horizon(end, sequence))
        self.end = end

    def wipe(self) -> None:
        """Take back a record that could not be made durable, as far as the disk lets us."""
        with suppress(OSError):
            os.pwrite(self.fd, bytes(HEADER_BYTES), self.end)
            os.fdatasync(self.fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class SegmentPool:
    """Makes segments up to a limit and keeps those that have room and no user."""

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        segment_bytes: int,
        next_sequence: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self._next_sequence = next_sequence
        self._now = now
        self._lock = threading.Lock()
        self._free: list[OpenSegment] = []
        self._used_bytes = 0
        self._last_number = 0

    def adopt(self, segments: Iterable[OpenSegment], used_bytes: int, last_number: int) -> None:
        """Begin with what an earlier run left."""
        self._free.extend(segments)
        self._used_bytes, self._last_number = used_bytes, last_number

    def may_take(self, record_bytes: int) -> bool:
        """Tell whether a segment with so much room is there or may be made."""
        with self._lock:
            if any(segment.room >= record_bytes for segment in self._free):
                return True
            return self._used_bytes + self._size_for(record_bytes) <= self._limit_bytes

    def take(self, record_bytes: int) -> OpenSegment:
        """Lend a segment with at least so much room.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is none and none can be made.
        """
        with self._lock:
            for segment in self._free:
                if segment.room >= record_bytes:
                    self._free.remove(segment)
                    return segment
            size = self._size_for(record_bytes)
            if self._used_bytes + size > self._limit_bytes:
                raise SpoolFull("the spool has reached its limit")
            self._used_bytes += size
            self._last_number += 1
            number = self._last_number
        try:
            return self._create(number, size)
        except OSError as error:
            with self._lock:
                self._used_bytes -= size
            raise translated(error) from error

    def give_back(self, segment: OpenSegment) -> None:
        """Take a segment back; one that is nearly full is closed for good."""
        if segment.room < segment.identity.size // 8:
            segment.close()
            return
        with self._lock:
            self._free.append(segment)

    def roll(self, segment: OpenSegment) -> None:
        """Take back a segment that had no room for its user's next record."""
        if segment.is_half_empty:
            self.give_back(segment)
        else:
            segment.close()

    def close(self) -> None:
        """Close the segments that nobody uses."""
        with self._lock:
            for segment in self._free:
                segment.close()
            self._free.clear()

    def _size_for(self, record_bytes: int) -> int:
        needed = DATA_START + record_bytes
        return max(self._segment_bytes, needed + -needed % PAGE)

    def _create(self, number: int, size: int) -> OpenSegment:
        path = self._folder / segment_name(number)
        unfinished = path.with_name(path.name + _UNFINISHED)
        created_at_ns = (self._now() - _EPOCH) // timedelta(microseconds=1) * 1000
        identity = Identity(number, 1, size, self._next_sequence(), created_at_ns)
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(fd, 0, size)
            os.pwrite(fd, identity.encode(), 0)
            write_horizon(fd, identity, Horizon(DATA_START, identity.first_sequence))
            os.fsync(fd)
            unfinished.rename(path)
            sync_folder(self._folder)
        except OSError:
            os.close(fd)
            unfinished.unlink(missing_ok=True)
            raise
        return OpenSegment(fd, identity, DATA_START)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_unfinished(folder: Path) -> None:
    """Remove segments whose making was interrupted; they hold nothing."""
    for path in folder.glob("*" + _UNFINISHED):
        path.unlink()
