"""Received bytes that nobody needs make room for new ones; what is still needed is kept, whatever its age."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from agent.core.errors import Permanent, Transient, Unreadable
from agent.core.instance import SpoolRef
from agent.core.ports import Store
from agent.core.ports_retention import SpoolKeeper
from agent.core.retention import (
    Pressure,
    Resident,
    SegmentState,
    goes,
    is_scarce,
    is_worth_copying,
    need_of,
    room_bytes,
)
from agent.crashpoint import crashpoint

AT_LEISURE: Final = 4
IN_NEED: Final = 32
"""Segments that are looked at a tick: so the cost does not grow with what was ever received."""

_START: Final = (-1, 0)
_NOTHING: Final[Mapping[SpoolRef, SpoolRef]] = {}
_log = structlog.get_logger()


class Retention:
    """Goes round the closed segments, the oldest first, and releases those of which nothing is needed.

    Where the room is scarce, what finished cases left goes first; only if one round of that was not enough, what
    dormant ones wait for. The few records of a segment that stay then are copied before it is released; where it
    stayed for many, these are too the next time: no case takes much more room than its images.

    Parameters
    ----------
    store
        The agent's state.
    spool
        The segments.
    episode
        A finished case without news for so long is closed.
    now
        The time, in UTC.
    """

    def __init__(self, store: Store, spool: SpoolKeeper, *, episode: timedelta, now: Callable[[], datetime]) -> None:
        self._store = store
        self._spool = spool
        self._episode = episode
        self._now = now
        self._pressure = Pressure.NONE
        self._is_told = False
        self._stayed: set[tuple[int, int]] = set()  # uses of segments that stayed for the many records needed
        self._seen_up_to = _START
        self._room = self._limit = 0
        self._damaged: set[tuple[int, int]] = set()  # uses of segments whose records cannot all be copied
        self._may_copy = True
        self._is_behind = False  # in this round a segment was seen of which not all was taken in

    def tick(self) -> int:
        """Look at a few segments, and return how many were released.

        Raises
        ------
        Transient
            If the database is away or the disk refuses.
        """
        segments = self._spool.segments()
        self._limit = self._spool.limit_bytes
        self._room = room_bytes(segments, self._limit)
        self._weigh()
        left = sorted((one for one in segments if one.may_be_looked_at and _age(one) > self._seen_up_to), key=_age)
        looked_at = left[: IN_NEED if self._pressure else AT_LEISURE]
        with self._store.unit() as unit:
            cursor = unit.cursor()
        self._may_copy, released = True, 0
        for segment in looked_at:
            self._seen_up_to = _age(segment)
            if self._is_read(segment, cursor) and self._look_at(segment):
                released += 1
                self._room += segment.size
                if self._pressure and not self._is_scarce:
                    self._weigh()
                    break
        else:
            if len(looked_at) == len(left):
                self._end_round()
        return released

    @property
    def _is_scarce(self) -> bool:
        return is_scarce(self._room, self._limit)

    def _weigh(self) -> None:
        """Say how much has to go; where the room has just become scarce, begin with the oldest."""
        if not self._is_scarce:
            if self._pressure:  # what stayed is old: it is looked at first when the room is scarce again
                self._seen_up_to = _START
            self._pressure, self._is_told = Pressure.NONE, False
        elif not self._pressure:
            self._pressure, self._seen_up_to = Pressure.SCARCE, _START

    def _end_round(self) -> None:
        self._seen_up_to = _START
        is_behind, self._is_behind = self._is_behind, False
        if not self._pressure or not self._is_scarce:
            return
        if self._pressure is Pressure.STILL_SCARCE and not self._is_told and not is_behind:
            _log.warning("spool_held_by_unfinished_cases", bytes=self._room)
            self._is_told = True
        # also where not all was taken in: what dormant cases wait for the PACS has, but what is refused now nobody has
        self._pressure = Pressure.STILL_SCARCE

    def _is_read(self, segment: SegmentState, cursor: Mapping[int, SpoolRef]) -> bool:
        """Whether everything in a segment was taken in: what was not is nobody's to judge."""
        try:
            is_read = self._spool.is_read(segment, cursor.get(segment.number))
        except (Permanent, Unreadable):
            return False  # used anew, or gone, meanwhile; or the disk does not give back what may lie there
        self._is_behind |= not is_read
        return is_read

    def _look_at(self, segment: SegmentState) -> bool:
        """Release a segment, if nothing of it is needed or so little that it can be copied; return whether it was."""
        with self._store.unit() as unit:
            residents = unit.residents(segment.number, segment.generation)
        staying = self._staying(residents)
        try:
            copies = self._copied(segment, staying)
        except (Permanent, Transient) as error:
            if isinstance(error, (Permanent, Unreadable)):
                self._damaged.add((segment.number, segment.generation))
                _log.error("spool_segment_not_copied", segment=segment.number, reason=str(error))
            self._may_copy = False  # there is room again once the receiver gave up what is released
            return False
        if copies is None or not self._settle(segment, copies):
            return False
        crashpoint("spool.moved")
        self._spool.release(segment)
        self._stayed.discard((segment.number, segment.generation))
        crashpoint("spool.released")
        gone = len(residents) - len(copies)
        _log.info("spool_segment_released", segment=segment.number, records=len(copies), count=gone)
        return True

    def _staying(self, residents: Sequence[Resident]) -> list[Resident]:
        closed_before = self._now() - self._episode
        return [one for one in residents if not goes(need_of(one, closed_before), self._pressure)]

    def _copied(self, segment: SegmentState, staying: Sequence[Resident]) -> Mapping[SpoolRef, SpoolRef] | None:
        """Copy what stays of a segment; None: the segment stays as it is.

        What a worker may be reading is left where it lies: it holds the place, not the bytes.

        Raises
        ------
        Transient, Permanent
            If there is no room, the disk refuses, or a record is damaged.
        """
        if not staying:
            return _NOTHING
        is_damaged = (segment.number, segment.generation) in self._damaged
        if not self._pressure or not self._may_copy or is_damaged or any(_stays_there(one) for one in staying):
            return None
        if not self._is_worth_copying(segment, staying):
            return None
        copies = self._spool.copy([one.ref for one in staying])
        crashpoint("spool.copied")
        return copies

    def _is_worth_copying(self, segment: SegmentState, staying: Sequence[Resident]) -> bool:
        use, needed = (segment.number, segment.generation), 0
        for one in staying:
            needed += self._spool.record_bytes(one.ref)
            if not is_worth_copying(needed, segment, stayed=use in self._stayed):
                self._stayed.add(use)
                return False
        return True

    def _settle(self, segment: SegmentState, copies: Mapping[SpoolRef, SpoolRef]) -> bool:
        """Move what was copied and forget the rest, if it still is as it was; after that nothing points here."""
        with self._store.unit() as unit:
            unit.alone()
            residents = unit.residents(segment.number, segment.generation, to_change=True)
            staying = self._staying(residents)
            if any(one.ref not in copies or _stays_there(one) for one in staying):
                return False
            unit.move_bytes(copies)
            unit.forget_bytes([one.ref for one in residents if one.ref not in copies])
        return True


def _stays_there(resident: Resident) -> bool:
    """Whether a record may not be moved: somebody will look for it where it lies."""
    return resident.is_being_read or resident.awaits_copy


def _age(segment: SegmentState) -> tuple[int, int]:
    return segment.last_sequence, segment.number
