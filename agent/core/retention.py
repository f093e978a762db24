"""Which received bytes are still needed, and which go first when the room gets scarce."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final
from uuid import UUID

from agent.core.case import CaseState
from agent.core.instance import SpoolRef

SCARCE: Final = 1 / 8
"""Share of the spool below which the room is scarce."""
SPARSE: Final = 1 / 4
"""Share of a segment below which what is still needed of it is copied, so that the rest can go."""
DENSE: Final = 3 / 4
"""The same of a segment that stayed in an earlier round: its cases are in no hurry."""


class Need(IntEnum):
    """How much a record is needed."""

    FREE = 0  # nothing rests on it: no case, or its episode is closed
    DONE_AND_CONFIRMED = 1  # the next version would need it
    DORMANT = 2  # needed if the case wakes
    PINNED = 3


class Pressure(IntEnum):
    """How scarce the room is: a record goes if its need is no higher.

    The receiver knows nothing of it. It refuses where its limit or the disk leaves no room, and for nothing else.
    """

    NONE = 0
    SCARCE = 1
    STILL_SCARCE = 2  # with all gone that finished cases left


@dataclass(frozen=True, slots=True)
class SegmentState:
    """What stands in a segment: its number and use, its size and the end of its records in bytes.

    `last_sequence` is that of the last record; nothing is appended any more once `is_closed`.
    """

    number: int
    generation: int
    size: int
    end: int
    last_sequence: int
    is_closed: bool
    is_released: bool = False  # this use of it is over as soon as the writer needs it

    @property
    def may_be_looked_at(self) -> bool:
        """Whether what stands in it is all that will ever, and it is not released yet."""
        return self.is_closed and not self.is_released


@dataclass(frozen=True, slots=True)
class Holder:
    """A version of a case that an instance belongs to."""

    case_uuid: UUID
    version: int
    state: CaseState
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OwedCopy:
    """A record that is to be copied into quarantine; since when, and the reason that will stand beside the copy."""

    ref: SpoolRef
    reason: str
    since: datetime
    until: int | None = None  # of a hidden place: offset of the next record that was found behind it
    is_unread: bool = False  # the disk did not give it back: once it does, it is taken in as any other


@dataclass(frozen=True, slots=True)
class Resident:
    """A record that an instance or another object under its UID is read from, and the versions that hold it."""

    ref: SpoolRef
    holders: tuple[Holder, ...] = ()
    awaits_decision: bool = False  # a person is to say whether it takes the place of what these hold
    awaits_copy: bool = False  # it is to be copied into quarantine, which could not be done so far

    @property
    def is_being_read(self) -> bool:
        """Whether a worker may be reading it where it lies."""
        return any(holder.state is CaseState.RUNNING for holder in self.holders)


def need_of(resident: Resident, closed_before: datetime) -> Need:
    """Return how much a record is needed; an episode without news since `closed_before` is closed.

    Of several versions the neediest counts. A version that was given up needs its images to be run again, unless a
    later one took its place.
    """
    if resident.awaits_copy:
        return Need.PINNED
    if resident.awaits_decision:
        is_open = any(holder.state is not CaseState.CLOSED for holder in resident.holders)
        return Need.PINNED if is_open else Need.FREE
    return max((_need_of(one, resident.holders, closed_before) for one in resident.holders), default=Need.FREE)


_FINISHED: Final = (CaseState.DONE, CaseState.FAILED)
_TOOK_NO_PLACE: Final = (CaseState.COLLECTING, CaseState.DORMANT, CaseState.CLOSED)


def _need_of(holder: Holder, others: Sequence[Holder], closed_before: datetime) -> Need:
    if holder.state is CaseState.CLOSED or (holder.state in _FINISHED and holder.changed_at < closed_before):
        return Need.FREE
    if holder.state is CaseState.DORMANT:
        return Need.DORMANT
    is_over = holder.state is CaseState.DONE or (holder.state is CaseState.FAILED and _is_overtaken(holder, others))
    return Need.DONE_AND_CONFIRMED if is_over else Need.PINNED


def _is_overtaken(holder: Holder, others: Sequence[Holder]) -> bool:
    later = (one for one in others if one.case_uuid == holder.case_uuid and one.version > holder.version)
    return any(one.state not in _TOOK_NO_PLACE for one in later)


def goes(need: Need, pressure: Pressure) -> bool:
    """Whether a record of this need goes under this pressure."""
    return need <= pressure


def room_bytes(segments: Iterable[SegmentState], limit_bytes: int) -> int:
    """Return what may still be received: segments not made yet, and those that may be used anew."""
    return limit_bytes - sum(segment.size for segment in segments if not segment.is_released)


def is_scarce(room: int, limit_bytes: int) -> bool:
    """Whether the room is scarce."""
    return room < SCARCE * limit_bytes


def is_worth_copying(needed_bytes: int, segment: SegmentState, *, stayed: bool = False) -> bool:
    """Whether so little of a segment is needed that it is worth copying."""
    return needed_bytes < (DENSE if stayed else SPARSE) * segment.size
