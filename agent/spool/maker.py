"""Segments made, or made anew of files that are no longer needed."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.spool.disk import Disk
from agent.spool.open_segment import OpenSegment
from agent.spool.segment import DATA_START, PAGE, Horizon, Identity, segment_name

_UNFINISHED: Final = ".new"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_BYTES: Final = 1 << 18
_ZEROS: Final = bytes(1 << 16)  # the kernel caches in pieces as large as what is written; larger are slower to sync


class SegmentMaker:
    """Makes segments. Not for two threads at once.

    Parameters
    ----------
    folder
        Where they lie.
    segment_bytes
        Their usual size.
    next_sequence
        Gives a sequence number above all before it.
    now
        The clock, timezone-aware UTC.
    """

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        *,
        segment_bytes: int,
        next_sequence: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._next_sequence = next_sequence
        self._now = now

    def size_for(self, record_bytes: int) -> int:
        """Return the size of the segment that would be made for a record."""
        needed = DATA_START + record_bytes
        return max(self._segment_bytes, needed + -needed % PAGE)

    def least_size_for(self, record_bytes: int) -> int:
        """Return the size of the smallest segment that would be made for a record, where there is little disk."""
        needed = DATA_START + record_bytes
        return max(min(self._segment_bytes, _LEAST_BYTES), needed + -needed % PAGE)

    def create(self, number: int, size: int, *, is_zeroed: bool) -> OpenSegment:
        """Make a segment; it gets its name when it is whole and durable. Raises OSError.

        Where it is not written with zeros, each record's sync commits that its blocks hold data now.
        """
        path = self._folder / segment_name(number)
        unfinished = path.with_name(path.name + _UNFINISHED)
        identity, horizon = self._new_identity(number, 1, size)
        fd = self._disk.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            self._disk.allocate(fd, 0, size)
            if is_zeroed:
                self._zero(fd, size)
            self._disk.write(fd, [identity.encode(), horizon.encode(identity.seed)], 0)
            self._disk.fsync(fd)
            self._disk.rename(unfinished, path)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(fd)
            for name in (unfinished, path):
                with suppress(OSError):  # what stays is removed or found empty at the next start
                    self._disk.unlink(name)
            raise
        return OpenSegment(self._disk, fd, identity, horizon, anchor=DATA_START)

    def renew(self, old: Identity) -> OpenSegment:
        """Begin the next use of a file of which nothing is needed any more. Raises OSError.

        The identity is durable before anything else of the file changes: until then the old use stands, from then on
        nothing of it is valid, the horizon included.
        """
        identity, horizon = self._new_identity(old.number, old.generation + 1, old.size)
        fd = self._disk.open(self._folder / segment_name(old.number), os.O_RDWR)
        try:
            self._disk.write(fd, [identity.encode()], 0)
            self._disk.fdatasync(fd)
            self._disk.write(fd, [horizon.encode(identity.seed).ljust(PAGE, b"\0"), bytes(PAGE)], PAGE)
            self._disk.fdatasync(fd)
        except OSError:
            self._disk.close(fd)
            raise
        return OpenSegment(self._disk, fd, identity, horizon, anchor=DATA_START)

    def _new_identity(self, number: int, generation: int, size: int) -> tuple[Identity, Horizon]:
        created_at_ns = (self._now() - _EPOCH) // timedelta(microseconds=1) * 1000
        identity = Identity(number, generation, size, self._next_sequence(), created_at_ns)
        return identity, Horizon(DATA_START, identity.first_sequence)

    def _zero(self, fd: int, size: int) -> None:
        for offset in range(0, size, len(_ZEROS)):
            self._disk.write(fd, [memoryview(_ZEROS)[: size - offset]], offset)


def remove_unfinished(folder: Path, disk: Disk) -> None:
    """Remove segments whose making was interrupted; they hold nothing."""
    for path in folder.glob("*" + _UNFINISHED):
        disk.unlink(path)
