"""The segments a writer may append to: lent to one channel each, taken back, and one more kept ready."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from agent.spool.errors import SpoolFull, translated
from agent.spool.maker import SegmentMaker
from agent.spool.open_segment import OpenSegment
from agent.spool.renewals import Renewals
from agent.spool.room import Room
from agent.spool.segment import DATA_START, Identity

IDLE_S: Final = 600.0
"""A segment with records that nobody used for so long is closed, so that it can be released."""
_LARGE_BYTES: Final = 1 << 20
"""A larger record does not wait for zeros to be written: its one sync may as well commit which blocks hold data."""
_SMALL_BYTES: Final = 1 << 16
"""A record so small may get a segment below the watermark, of no more than the least size."""
_FITTING: Final = 2
"""A released segment so many times as large as one that would be made is used anew only if none can be made."""


class SegmentPool:
    """Keeps the segments that have room and no user; makes others up to a limit, of released ones where there are any.

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
        self._room = room
        self._renewals = Renewals(maker, room, clock=lambda: self._clock())
        self._clock = clock
        self._lock = threading.Lock()
        self._making = threading.Lock()  # one with zeros at a time: who waits may find that it was made for him
        self._renewing = threading.Lock()  # a release is obeyed once
        self._free: list[OpenSegment] = []
        self._free_since: dict[int, float] = {}  # by number: those that were used
        self._has_refused = False  # since a segment could be made

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
        with self._lock:
            usual = self._maker.size_for(0)
            return any(segment.is_half_empty and segment.identity.size >= usual for segment in self._free)

    def seal(self, *, is_full: bool = False) -> None:
        """Close segments with records that nobody used for long, so that they can be released.

        Where the room is used up, none waits for that. One always stays: the emptiest, for the small records.
        """
        until = self._clock() - (0 if is_full else IDLE_S)
        with self._lock:
            used = [one for one in self._free if self._free_since.get(one.identity.number, until + 1) <= until]
            emptiest = max(self._free, key=lambda one: one.room, default=None)
            sealed = [segment for segment in used if segment is not emptiest]
            for segment in sealed:
                self._free.remove(segment)
                del self._free_since[segment.identity.number]
        for segment in sealed:
            segment.retire()

    def shrink(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Give back the room of released segments, until that is enough. Raises SpoolFailed."""
        try:
            with self._renewing:
                self._remove_while(lambda: not is_enough())
        except OSError as error:
            raise translated(error) from error

    def take(self, record_bytes: int) -> OpenSegment:
        """Lend a segment with at least so much room, the one with the least of it.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is none and none can be made.
        """
        found = self._pick(record_bytes)
        if found is not None:
            return found
        if record_bytes > _LARGE_BYTES:
            return self._made(record_bytes, is_zeroed=False)
        with self._making:
            return self._pick(record_bytes) or self._made(record_bytes, is_zeroed=True)

    def prepare(self) -> None:
        """Have a segment ready for whoever comes next.

        Raises
        ------
        SpoolFull, SpoolFailed
            If none can be made.
        """
        with self._making:
            if self.is_ready:
                return
            segment = self._made(self._maker.size_for(0) - DATA_START, is_zeroed=True, is_awaited=False)
        with self._lock:
            self._free.append(segment)

    def is_oversized(self, segment: OpenSegment) -> bool:
        """Whether it was made for a record that is larger than a usual segment."""
        return segment.identity.size > self._maker.size_for(0)

    def give_back(self, segment: OpenSegment, *, least: int = 0) -> None:
        """Take a segment back; one that is nearly full, or has less room than `least`, is closed for good.

        One that was made for a large record and holds none goes at once: nobody shall wait for what an object took
        that never came to its end. Where somebody was refused for lack of room, what holds records is closed too.
        """
        if segment.is_empty and self.is_oversized(segment) and self._may_go(segment.identity):
            self._remove(segment)
            return
        if not segment.is_empty and segment.room < max(least, segment.identity.size // 8):
            segment.retire()
            return
        with self._lock:
            self._free.append(segment)
            if not segment.is_empty:
                self._free_since[segment.identity.number] = self._clock()
        if self._has_refused:
            self.seal(is_full=True)

    def roll(self, segment: OpenSegment) -> None:
        """Take back a segment that had no room for its user's next record."""
        if segment.is_half_empty:
            self.give_back(segment)
        else:
            segment.retire()

    def close(self) -> None:
        """Close the segments that nobody uses."""
        with self._lock:
            for segment in self._free:
                segment.close()
            self._free.clear()

    def _pick(self, record_bytes: int) -> OpenSegment | None:
        with self._lock:
            fitting = (segment for segment in self._free if segment.room >= record_bytes)
            found = min(fitting, key=lambda segment: segment.room, default=None)
            if found is not None:
                self._free.remove(found)
                self._free_since.pop(found.identity.number, None)
            return found

    def _made(self, record_bytes: int, *, is_zeroed: bool, is_awaited: bool = True) -> OpenSegment:
        self.seal()
        try:
            segment = self._renewed_or_created(record_bytes, is_zeroed=is_zeroed, is_awaited=is_awaited)
        except (SpoolFull, OSError) as error:
            self._has_refused |= is_awaited
            segment = self._rescued(record_bytes, error)
        self._has_refused = False
        return segment

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
            self.seal(is_full=True)
        raise told from error

    def _created(self, size: int, *, is_zeroed: bool, is_small: bool) -> OpenSegment:
        number = self._room.claim(size, is_small=is_small)
        try:
            segment = self._maker.create(number, size, is_zeroed=is_zeroed)
        except OSError:
            self._room.unclaim(size)
            raise
        self._room.made(number, size)
        self._tidy()
        return segment

    def _tidy(self) -> None:
        """Remove what only stayed because its number was the highest."""
        with self._lock:
            past = [one for one in self._free if one.is_empty and not self._room.is_highest(one.identity)]
            past = [one for one in past if one.is_placeholder or self.is_oversized(one)]
            for one in past:
                self._free.remove(one)
        for one in past:
            self._remove(one)

    def _remove_while(self, is_needed: Callable[[], bool]) -> None:
        """Remove released segments and empty ones, as far as that is needed. Raises OSError."""
        if is_needed():
            self._room.remove_released(is_needed, self._may_go)
            self._remove_empty(is_needed)

    def _remove_empty(self, is_needed: Callable[[], bool]) -> None:
        """Remove segments that nobody uses and in which nothing stands: the largest first, the highest last."""
        while is_needed():
            with self._lock:
                found = max(
                    (one for one in self._free if one.is_empty and not one.is_placeholder),
                    key=lambda one: (not self._room.is_highest(one.identity), one.identity.size),
                    default=None,
                )
                if found is None:
                    return
                self._free.remove(found)
            if not self._may_go(found.identity):
                with self._lock:
                    self._free.append(found)
                return
            self._remove(found)

    def _may_go(self, identity: Identity) -> bool:
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
        with self._lock:
            self._free.append(placeholder)
        return True

    def _remove(self, segment: OpenSegment) -> None:
        """Close an empty segment and remove its file; if the disk refuses, the reading side will release it."""
        segment.retire()
        with suppress(OSError):
            self._room.remove(segment.identity)
