"""The segments that are open and that nobody uses."""

import threading
from collections.abc import Callable
from typing import Final

from agent.spool.open_segment import OpenSegment
from agent.spool.segment import Identity

IDLE_S: Final = 600.0
"""A segment with records that nobody used for so long is closed, so that it can be released."""


class FreeSegments:
    """Holds them. Threads share it.

    Parameters
    ----------
    clock
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: list[OpenSegment] = []
        self._since: dict[int, float] = {}  # by number: those that were used

    def add(self, segment: OpenSegment) -> None:
        """Take a segment in."""
        with self._lock:
            self._held.append(segment)
            if not segment.is_empty:
                self._since[segment.identity.number] = self._clock()

    def take(self, record_bytes: int) -> OpenSegment | None:
        """Give away the segment with at least so much room that has the least of it, None if there is none."""
        with self._lock:
            fitting = (segment for segment in self._held if segment.room >= record_bytes)
            return self._given(min(fitting, key=lambda segment: segment.room, default=None))

    def take_empty(self, order: Callable[[Identity], tuple[bool, int]]) -> OpenSegment | None:
        """Give away the segment, of those in which nothing stands, that is the last in an order."""
        with self._lock:
            empty = (one for one in self._held if one.is_empty and not one.is_placeholder)
            return self._given(max(empty, key=lambda one: order(one.identity), default=None))

    def take_all_empty(self, which: Callable[[OpenSegment], bool]) -> list[OpenSegment]:
        """Give away all segments of a sort in which nothing stands."""
        with self._lock:
            found = [one for one in self._held if one.is_empty and which(one)]
            for one in found:
                self._given(one)
            return found

    def has_half_empty(self, size: int) -> bool:
        """Whether one of at least that size has much room."""
        with self._lock:
            return any(segment.is_half_empty and segment.identity.size >= size for segment in self._held)

    def seal(self, *, is_full: bool = False) -> None:
        """Close segments with records that nobody used for long, so that they can be released.

        Where the room is used up, none waits for that. One always stays: the emptiest, for the small records.
        """
        until = self._clock() - (0 if is_full else IDLE_S)
        with self._lock:
            used = [one for one in self._held if self._since.get(one.identity.number, until + 1) <= until]
            emptiest = max(self._held, key=lambda one: one.room, default=None)
            sealed = [segment for segment in used if segment is not emptiest]
            for segment in sealed:
                self._given(segment)
        for segment in sealed:
            segment.retire()

    def close(self) -> None:
        """Close their files."""
        with self._lock:
            for segment in self._held:
                segment.close()
            self._held.clear()

    def _given(self, segment: OpenSegment | None) -> OpenSegment | None:
        if segment is not None:
            self._held.remove(segment)
            self._since.pop(segment.identity.number, None)
        return segment
