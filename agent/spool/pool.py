"""The segments a writer may append to: lent to one channel each, taken back, and one more kept ready."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from agent.spool.disk import Disk
from agent.spool.errors import SpoolFull, translated
from agent.spool.maker import SegmentMaker
from agent.spool.open_segment import OpenSegment
from agent.spool.released import forget, identity_of, released
from agent.spool.segment import DATA_START, Identity, segment_name

IDLE_S: Final = 600.0
"""A segment with records that nobody used for so long is closed, so that it can be released."""
_LARGE_BYTES: Final = 1 << 20
"""A larger record does not wait for zeros to be written: its one sync may as well commit which blocks hold data."""

_log = structlog.get_logger()


class SegmentPool:
    """Keeps the segments that have room and no user; makes others up to a limit, of released ones where there are any.

    Parameters
    ----------
    folder
        Where they lie.
    maker
        Makes them.
    limit
        Returns the most bytes that all segments together may take now.
    may_grow
        Whether the disk has so many bytes to spare for a segment that nobody waits for.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        maker: SegmentMaker,
        *,
        limit: Callable[[], int],
        may_grow: Callable[[int], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._maker = maker
        self._limit = limit
        self._may_grow = may_grow
        self._clock = clock
        self._lock = threading.Lock()
        self._making = threading.Lock()  # one with zeros at a time: who waits may find that it was made for him
        self._renewing = threading.Lock()  # a release is obeyed once
        self._free: list[OpenSegment] = []
        self._free_since: dict[int, float] = {}  # by number: those that were used
        self._refused: set[int] = set()  # released, and the disk would not have them renewed
        self._used_bytes = 0
        self._last_number = 0

    def adopt(self, segments: Iterable[OpenSegment], used_bytes: int, last_number: int) -> None:
        """Begin with what an earlier run left."""
        self._free.extend(segments)
        self._free_since = {one.identity.number: self._clock() for one in self._free if one.end > DATA_START}
        self._used_bytes, self._last_number = used_bytes, last_number

    @property
    def half_bytes(self) -> int:
        """Half of a usual segment."""
        return self._maker.size_for(0) // 2

    @property
    def is_ready(self) -> bool:
        """Whether a segment with much room is there for the next user."""
        with self._lock:
            return any(segment.is_half_empty for segment in self._free)

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

    def give_back(self, segment: OpenSegment, *, least: int = 0) -> None:
        """Take a segment back; one that is nearly full, or has less room than `least`, is closed for good."""
        if segment.room < max(least, segment.identity.size // 8):
            segment.retire()
            return
        with self._lock:
            self._free.append(segment)
            if segment.end > DATA_START:
                self._free_since[segment.identity.number] = self._clock()

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
        size = self._maker.size_for(record_bytes)
        self.seal()
        try:
            with self._renewing:
                self._make_room(0)  # the limit may be lower than it was
                segment = self._renewed(record_bytes)
                if segment is not None:
                    return segment
                if not is_awaited and not self._may_grow(size):
                    raise SpoolFull("free disk space is near the watermark")
                self._make_room(size)
            return self._created(size, is_zeroed=is_zeroed)
        except SpoolFull:
            self.seal(is_full=True)
            raise
        except OSError as error:
            raise translated(error) from error

    def _renewed(self, record_bytes: int) -> OpenSegment | None:
        """Use the smallest released segment that has the room."""
        for identity in sorted(self._released(), key=lambda identity: identity.size):
            if _room(identity) < record_bytes:
                continue
            try:
                segment = self._maker.renew(identity)
            except OSError as error:
                self._refused.add(identity.number)
                _log.error("spool_segment_not_renewed", segment=identity.number, reason=str(translated(error)))
                continue
            self._forget(identity.number, identity.generation)
            return segment
        return None

    def _created(self, size: int, *, is_zeroed: bool) -> OpenSegment:
        limit = self._limit()
        with self._lock:
            if self._used_bytes + size > limit:
                raise SpoolFull("the spool has reached its limit")
            self._used_bytes += size
            self._last_number += 1
            number = self._last_number
        try:
            return self._maker.create(number, size, is_zeroed=is_zeroed)
        except OSError:
            with self._lock:
                self._used_bytes -= size
            raise

    def _make_room(self, size: int) -> None:
        """Remove released segments that are too small for what is needed, as far as the limit asks for it."""
        limit = self._limit()
        if self._used_bytes + size > limit:
            self._remove_while(lambda: self._used_bytes + size > limit)

    def _remove_while(self, is_needed: Callable[[], bool]) -> None:
        for identity in self._released():
            if not is_needed():
                return
            if identity.number != self._last_number:  # or its number would be used again after a restart
                self._disk.unlink(self._folder / segment_name(identity.number))
                self._forget(identity.number, identity.generation)
                with self._lock:
                    self._used_bytes -= identity.size

    def _released(self) -> list[Identity]:
        """Return the segments that were released and not used anew since; forget stale releases."""
        found: list[Identity] = []
        for number, generation in sorted(released(self._folder)):
            identity = identity_of(self._folder, number)
            if identity is None or identity.generation != generation:
                self._forget(number, generation)
            elif number not in self._refused:
                found.append(identity)
        return found

    def _forget(self, number: int, generation: int) -> None:
        with suppress(OSError):  # a stale release is harmless: it names a use that is over
            forget(self._folder, number, generation, self._disk)


def _room(identity: Identity) -> int:
    return identity.size - DATA_START
