"""The one segment that a channel holds at a time."""

import os
from contextlib import suppress
from errno import EIO
from typing import Final

from agent.spool.errors import SpoolFull
from agent.spool.open_segment import OpenSegment
from agent.spool.pool import SegmentPool
from agent.spool.record import HEADER_BYTES, crc32c

_CHUNK: Final = 1 << 20


class Lease:
    """Takes a channel's segment from the pool, changes it for another, gives it back. Only one thread may use it."""

    def __init__(self, pool: SegmentPool) -> None:
        self._pool = pool
        self._held: OpenSegment | None = None
        self._large_bytes = 0  # length of the last large record

    def with_room(self, needed: int, *, likely: bool = False) -> OpenSegment:
        """Return a segment with so much room; `likely` for a record that may grow as large as the last large one.

        Where there was none yet, half a segment is expected: a record that outgrows its segment is copied.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is none.
        """
        expected = self._large_bytes or self._pool.half_bytes
        if likely and expected > needed:
            try:
                return self._with_room(expected)
            except SpoolFull:
                pass  # it may turn out smaller
        return self._with_room(needed)

    def moved(self, least: int, written: int, crc: int, *, expected: int) -> tuple[OpenSegment, int]:
        """Move a record that outgrew its segment to one with as much room as is expected, or nearly as much.

        Parameters
        ----------
        least
            Bytes that there must be room for: more than are needed now, or it would soon be moved again.
        written
            Bytes of it that are there, the header's place included.
        crc
            Their checksum without the header, continued from the segment's seed.
        expected
            Bytes that it may come to need.

        Returns
        -------
        The new segment, and the checksum continued from its seed.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is no segment with the room.
        OSError
            If the disk refuses to copy. Both segments must not be used again; this gives the old one up.
        """
        old = self._held
        assert old is not None  # noqa: S101 - a record that was written to lies in a segment
        self._held = self._larger(least, expected)
        try:
            copied = _copy(old, self._held, written, crc)
        except OSError:
            old.retire()
            raise
        self._pool.roll(old)
        return self._held, copied

    def remember(self, record_bytes: int) -> None:
        """Expect that the next large record will be about as large as this one, as images of one series are."""
        self._large_bytes = record_bytes

    @property
    def is_for_one(self) -> bool:
        """Whether its segment was made for a large record, and no other stands in it."""
        return self._held is not None and self._held.is_empty and self._pool.is_oversized(self._held)

    def let_go(self) -> None:
        """Return a segment that was made for a large record which did not come to its end."""
        if self.is_for_one:
            self.give_back()

    def give_up(self) -> None:
        """Take back what was not made durable, and never use the segment again."""
        if self._held is not None:
            self._held.wipe()
            self._held.retire()
            self._held = None

    def give_back(self) -> None:
        """Return the segment to the pool, which closes it if it lacks the room for another record like these."""
        held, self._held = self._held, None
        if held is not None:
            self._pool.give_back(held, least=self._large_bytes)

    def _with_room(self, needed: int) -> OpenSegment:
        held = self._held
        if held is not None and held.room >= needed:
            return held
        self._held = self._pool.take(needed)
        if held is not None:  # given up only now: on a full disk smaller records still go into it
            self._pool.roll(held)
        return self._held

    def _larger(self, least: int, expected: int) -> OpenSegment:
        for wanted in (expected, (least + expected) // 2):
            with suppress(SpoolFull):
                return self._pool.take(wanted)
        return self._pool.take(least)


def _copy(old: OpenSegment, new: OpenSegment, written: int, crc: int) -> int:
    """Copy a record without its header, prove that it is what was written, and return its checksum over there."""
    proof, copied = old.identity.seed, new.identity.seed
    for at in range(HEADER_BYTES, written, _CHUNK):
        chunk = os.pread(old.fd, min(_CHUNK, written - at), old.end + at)
        new.write([chunk], new.end + at)
        proof, copied = crc32c(chunk, proof), crc32c(chunk, copied)
    if proof != crc:
        raise OSError(EIO, "the disk gave back other bytes than it took")
    return copied
