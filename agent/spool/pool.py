"""The segments a writer may append to: lent to one channel each, taken back, and one more kept ready."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from agent.spool.free import FreeSegments
from agent.spool.maker import SegmentMaker
from agent.spool.open_segment import OpenSegment
from agent.spool.room import Room
from agent.spool.segment import DATA_START
from agent.spool.supply import Supply

_LARGE_BYTES: Final = 1 << 20
"""A larger record does not wait for zeros to be written: its one sync may as well commit which blocks hold data."""


class SegmentPool:
    """Lends segments that have room and no user, and others up to a limit.

    Parameters
    ----------
    maker
        Makes them.
    room
        What they may take.
    clock
        Seconds that only grow.
    """

    def __init__(self, maker: SegmentMaker, room: Room, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._maker = maker
        self._clock = clock
        self._free = FreeSegments(lambda: self._clock())
        self._supply = Supply(maker, room, self._free, lambda: self._clock())
        self._making = threading.Lock()  # one with zeros at a time: who waits may find that it was made for him

    def adopt(self, segments: Iterable[OpenSegment]) -> None:
        """Begin with what an earlier run left."""
        for segment in segments:
            self.give_back(segment)

    @property
    def half_bytes(self) -> int:
        """Half of a usual segment."""
        return self._maker.size_for(0) // 2

    @property
    def is_ready(self) -> bool:
        """Whether a segment with much room is there for the next user."""
        return self._free.has_half_empty(self._maker.size_for(0))

    def seal(self, *, is_full: bool = False) -> None:
        """Close segments with records that nobody used for long, so that they can be released; see `FreeSegments`."""
        self._free.seal(is_full=is_full)

    def shrink(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Give back the room of released segments, until that is enough. Raises SpoolFailed."""
        self._supply.shrink(is_enough)

    def take(self, record_bytes: int) -> OpenSegment:
        """Lend a segment with at least so much room, the one with the least of it.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is none and none can be made.
        """
        found = self._free.take(record_bytes)
        if found is not None:
            return found
        if record_bytes > _LARGE_BYTES:
            return self._supply.make(record_bytes, is_zeroed=False)
        with self._making:
            return self._free.take(record_bytes) or self._supply.make(record_bytes, is_zeroed=True)

    def prepare(self) -> None:
        """Have a segment ready for whoever comes next.

        Raises
        ------
        SpoolFull, SpoolFailed
            If none can be made.
        """
        with self._making:
            if not self.is_ready:
                room = self._maker.size_for(0) - DATA_START
                self._free.add(self._supply.make(room, is_zeroed=True, is_awaited=False))

    def is_oversized(self, segment: OpenSegment) -> bool:
        """Whether it was made for a record that is larger than a usual segment."""
        return self._supply.is_oversized(segment)

    def give_back(self, segment: OpenSegment, *, least: int = 0) -> None:
        """Take a segment back; one that is nearly full, or has less room than `least`, is closed for good.

        One that was made for a large record and holds none goes at once: nobody shall wait for what an object took
        that never came to its end. Where somebody was refused for lack of room, what holds records is closed too.
        """
        if segment.is_empty and self.is_oversized(segment) and self._supply.may_go(segment.identity):
            self._supply.remove(segment)
            return
        if not segment.is_empty and segment.room < max(least, segment.identity.size // 8):
            segment.retire()
            return
        self._free.add(segment)
        if self._supply.has_refused:
            self.seal(is_full=True)

    def roll(self, segment: OpenSegment) -> None:
        """Take back a segment that had no room for its user's next record."""
        if segment.is_half_empty:
            self.give_back(segment)
        else:
            segment.retire()

    def close(self) -> None:
        """Close the segments that nobody uses."""
        self._free.close()
