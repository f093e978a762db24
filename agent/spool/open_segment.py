"""A segment that is appended to."""

from collections.abc import Sequence
from contextlib import suppress
from errno import EINVAL, ENOSYS, EOPNOTSUPP
from typing import Final

from agent.core.instance import SpoolRef
from agent.crashpoint import crashpoint
from agent.spool.disk import Disk
from agent.spool.record import HEADER_BYTES, Chunk
from agent.spool.segment import DATA_START, PAGE, SEARCH_BYTES, Horizon, Identity, write_horizon

_ZEROS: Final = bytes(PAGE + HEADER_BYTES)
_NOT_SUPPORTED: Final = (EOPNOTSUPP, ENOSYS, EINVAL)


class OpenSegment:
    """A segment open for appending. It belongs to one channel at a time, so it needs no lock.

    Parameters
    ----------
    disk, fd
        Its file.
    identity
        What it is.
    horizon
        Where its records end.
    anchor
        Offset that the horizon on the disk has reached for sure.
    """

    def __init__(self, disk: Disk, fd: int, identity: Identity, horizon: Horizon, *, anchor: int = 0) -> None:
        self.fd = fd
        self.identity = identity
        self._disk = disk
        self._horizon = horizon
        self._anchor = anchor
        self._dsync = disk.dsync

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self._horizon.end

    @property
    def room(self) -> int:
        """Bytes left."""
        return self.identity.size - self.end

    @property
    def is_empty(self) -> bool:
        """Whether no record stands in it."""
        return self.end == DATA_START

    @property
    def is_placeholder(self) -> bool:
        """Whether it has no room for records: all that it keeps is its number."""
        return self.identity.size <= DATA_START

    @property
    def is_half_empty(self) -> bool:
        """Whether it is worth keeping open for another user."""
        return self.room > self.identity.size // 2

    def ref(self) -> SpoolRef:
        """Return the place of the next record."""
        return SpoolRef(self.identity.number, self.identity.generation, self.end)

    def write(self, chunks: Sequence[Chunk], offset: int) -> None:
        """Write a part of the next record, not durable. Raises OSError."""
        self._disk.write(self.fd, chunks, offset)

    def start_writeback(self, start: int, end: int) -> None:
        """Let the disk begin with what was written between two offsets, and not only at the sync.

        Whole pages, for the next part of the record goes on in the last one. What fails here the sync reports.
        """
        first, behind = start - start % PAGE, end - end % PAGE
        if behind > first:
            with suppress(OSError):
                self._disk.start_writeback(self.fd, first, behind - first)

    def append(self, record: Sequence[Chunk], record_bytes: int, sequence: int) -> None:
        """Write a whole record, make it durable, and only then show it to readers. Raises OSError."""
        padded = [*record, self.zeros_behind(self.end + record_bytes)]
        is_durable = self._write_through(padded)
        self.settle(self.end + record_bytes, sequence, is_durable=is_durable)

    def settle(self, end: int, sequence: int, *, is_durable: bool = False) -> None:
        """Make the record that was written durable, and show it to readers. Raises OSError."""
        crashpoint("spool.after_append")
        if not is_durable:
            self._disk.fdatasync(self.fd)
            self._anchor = self.end
        crashpoint("spool.after_sync")
        self._publish(Horizon(end, sequence))

    def zeros_behind(self, end: int) -> memoryview:
        """Return the zeros that belong behind a record.

        They reach to the end of a page, or the rest of that page would be read from the disk first; and there is
        place for a header in them, so that what an earlier use of the file left is never taken for a torn record.
        """
        length = -end % PAGE
        if length < HEADER_BYTES:
            length += PAGE
        return memoryview(_ZEROS)[: min(length, self.identity.size - end)]

    def wipe(self) -> None:
        """Take back a record that could not be made durable, as far as the disk lets us."""
        with suppress(OSError):
            self._disk.write(self.fd, [bytes(HEADER_BYTES)], self.end)
            self._disk.fdatasync(self.fd)

    def retire(self) -> None:
        """Close it for good: nothing is appended to this use of the file any more.

        The mark need not be durable: without it the next start only looks at the segment's end again.
        """
        with suppress(OSError):
            self._publish(Horizon(self.end, self._horizon.sequence, is_closed=True))
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._disk.close(self.fd)

    def _write_through(self, record: Sequence[Chunk]) -> bool:
        """Write the record; return whether it is durable already.

        One call that syncs what it wrote leaves the horizon's page alone. So now and then a record is synced with the
        whole file: on the disk the horizon never lags by more than a bound, and no start has to search further.
        """
        flags = self._dsync if self.end - self._anchor < SEARCH_BYTES else 0
        try:
            return self._disk.write(self.fd, record, self.end, flags) and flags != 0
        except OSError as error:
            if not flags or error.errno not in _NOT_SUPPORTED:
                raise
        self._dsync = 0
        self._disk.write(self.fd, record, self.end)
        return False

    def _publish(self, horizon: Horizon) -> None:
        write_horizon(self._disk, self.fd, self.identity, horizon)
        self._horizon = horizon
