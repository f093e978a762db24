"""Where another segment comes from: one that was released, or one that is made, for which others may have to go."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from agent.spool.errors import SpoolFull, translated
from agent.spool.free import FreeSegments
from agent.spool.maker import SegmentMaker
from agent.spool.open_segment import OpenSegment
from agent.spool.renewals import Renewals
from agent.spool.room import Room
from agent.spool.segment import DATA_START, Identity

_SMALL_BYTES: Final = 1 << 16
"""A record so small may get a segment below the watermark, of no more than the least size."""
_FITTING: Final = 2
"""A released segment so many times as large as one that would be made is used anew only if none can be made."""


class Supply:
    """Makes segments up to a limit, of released ones where there are any. Threads share it.

    Parameters
    ----------
    maker
        Makes them.
    room
        What they may take.
    free
        Those of which the empty ones may go.
    clock
        Seconds that only grow.
    """

    def __init__(self, maker: SegmentMaker, room: Room, free: FreeSegments, clock: Callable[[], float]) -> None:
        self._maker = maker
        self._room = room
        self._free = free
        self._renewals = Renewals(maker, room, clock)
        self._renewing = threading.Lock()  # a release is obeyed once
        self.has_refused = False  # since a segment could be made

    def is_oversized(self, segment: OpenSegment) -> bool:
        """Whether it was made for a record that is larger than a usual segment."""
        return segment.identity.size > self._maker.size_for(0)

    def make(self, record_bytes: int, *, is_zeroed: bool, is_awaited: bool = True) -> OpenSegment:
        """Return another segment with so much room.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there can be none.
        """
        self._free.seal()
        try:
            segment = self._renewed_or_created(record_bytes, is_zeroed=is_zeroed, is_awaited=is_awaited)
        except (SpoolFull, OSError) as error:
            self.has_refused |= is_awaited
            segment = self._rescued(record_bytes, error)
        self.has_refused = False
        return segment

    def shrink(self, is_enough: Callable[[], bool]) -> None:
        """Give back the room of released segments, until that is enough. Raises SpoolFailed."""
        try:
            with self._renewing:
                self._remove_while(lambda: not is_enough())
        except OSError as error:
            raise translated(error) from error

    def may_go(self, identity: Identity) -> bool:
        """Whether a segment's file may go; above the highest number a placeholder is made before, durably.

        Where the disk has not even the room for that it stays for now.
        """
        if not self._room.is_highest(identity):
            return True
        number = self._room.claim_placeholder()
        try:
            placeholder = self._maker.create(number, DATA_START, is_zeroed=False)
        except OSError:
            return False
        self._room.made(number, 0)
        self._free.add(placeholder)
        return True

    def remove(self, segment: OpenSegment) -> None:
        """Close an empty segment and remove its file; if the disk refuses, the reading side will release it."""
        segment.retire()
        with suppress(OSError):
            self._room.remove(segment.identity)

    def _renewed_or_created(self, record_bytes: int, *, is_zeroed: bool, is_awaited: bool) -> OpenSegment:
        size = self._maker.size_for(record_bytes)
        with self._renewing:
            self._remove_while(self._room.lacking(0))  # the limit may be lower than it was
            segment = self._renewals.take(record_bytes, _FITTING * size)
            if segment is not None:
                return segment
            if is_awaited:
                size = self._affordable(record_bytes, size)
            self._remove_while(self._room.lacking(size))
        return self._created(size, is_zeroed=is_zeroed, is_small=is_awaited and record_bytes <= _SMALL_BYTES)

    def _affordable(self, record_bytes: int, size: int) -> int:
        """Return the size for a segment; no more than its record needs where the disk has no more to spare."""
        self._remove_while(lambda: not self._room.has_spare(size))
        return size if self._room.has_spare(size) else self._maker.least_size_for(record_bytes)

    def _rescued(self, record_bytes: int, error: SpoolFull | OSError) -> OpenSegment:
        """Use any released segment where none can be made. Raises SpoolFull, SpoolFailed if there is none."""
        told = translated(error) if isinstance(error, OSError) else error
        try:
            with self._renewing:
                segment = self._renewals.take(record_bytes)
        except OSError as another:
            raise translated(another) from another
        if segment is not None:
            return segment
        if isinstance(told, SpoolFull):
            self._free.seal(is_full=True)
        raise told from error

    def _created(self, size: int, *, is_zeroed: bool, is_small: bool) -> OpenSegment:
        number = self._room.claim(size, is_small=is_small)
        try:
            segment = self._maker.create(number, size, is_zeroed=is_zeroed)
        except OSError:
            self._room.unclaim(size)
            raise
        self._room.made(number, size)
        for one in self._free.take_all_empty(self._only_kept_its_number):
            self.remove(one)
        return segment

    def _only_kept_its_number(self, segment: OpenSegment) -> bool:
        """Whether it only stayed because its number was the highest, which it is no more."""
        return not self._room.is_highest(segment.identity) and (segment.is_placeholder or self.is_oversized(segment))

    def _remove_while(self, is_needed: Callable[[], bool]) -> None:
        """Remove released segments and empty ones, as far as that is needed. Raises OSError."""
        if is_needed():
            self._room.remove_released(is_needed, self.may_go)
            self._remove_empty(is_needed)

    def _remove_empty(self, is_needed: Callable[[], bool]) -> None:
        """Remove segments that nobody uses and in which nothing stands: the largest first, the highest last."""
        while is_needed():
            found = self._free.take_empty(lambda identity: (not self._room.is_highest(identity), identity.size))
            if found is None:
                return
            if not self.may_go(found.identity):
                self._free.add(found)
                return
            self.remove(found)
