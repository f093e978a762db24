"""What retention asks of the state and of the spool."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.instance import SpoolRef
from agent.core.retention import OwedCopy, Resident, SegmentState


class RetentionUnit(Protocol):
    """The part of a transaction that is about where received bytes lie."""

    def residents(self, segment: int, generation: int, *, to_change: bool = False) -> Sequence[Resident]:
        """What is read from one use of a segment, in order of place; `to_change` keeps its cases until the unit ends.

        Everything else in a segment that was taken in is needed by nobody.
        """

    def move_bytes(self, places: Mapping[SpoolRef, SpoolRef]) -> None:
        """Say where bytes lie from now on; what lies elsewhere by now stays."""

    def forget_bytes(self, refs: Collection[SpoolRef]) -> None:
        """Say that bytes are no longer kept (`GONE`)."""

    def owe_copy(self, ref: SpoolRef, reason: str, at: datetime, *, is_unread: bool = False) -> None:
        """Note that a record is to be copied into quarantine later; it stays where it lies until then."""

    def owed_copies(self) -> Sequence[OwedCopy]:
        """Every record that is to be copied, the longest owed first."""

    def settle_copy(self, ref: SpoolRef) -> None:
        """Note that a record was copied."""

    def bound_hidden(self, ref: SpoolRef, until: int) -> None:
        """Note at which offset the next record begins that was found behind a hidden place, which is owed."""

    def give_up_copy(self, ref: SpoolRef, words: str) -> bool:
        """Note that a record is owed no more, and why beside the reason of its end; return whether it was."""

    def take_back(self, ref: SpoolRef) -> bool:
        """Forget the end of a record that is owed, and that it is; return whether it was."""


class SpoolKeeper(Protocol):
    """The spool, for whoever decides what is kept. Segments of its own, to copy into, have numbers below 0."""

    @property
    def limit_bytes(self) -> int:
        """Most bytes that all segments together may take."""

    def segments(self) -> Sequence[SegmentState]:
        """Every segment, as it stands now. Raises Transient if the disk refuses."""

    def is_read(self, segment: SegmentState, last: SpoolRef | None) -> bool:
        """Whether nothing lies behind the last record that was taken in. Raises Transient, Permanent."""

    def record_bytes(self, ref: SpoolRef) -> int:
        """Length of a record. Raises Permanent if it is gone or damaged, Transient if the disk refuses."""

    def copy(self, refs: Sequence[SpoolRef]) -> Mapping[SpoolRef, SpoolRef]:
        """Copy records, durably, and return where the copies lie.

        Raises Transient if there is no room or the disk refuses, Permanent if one is gone or damaged.
        """

    def release(self, segment: SegmentState) -> None:
        """Have a closed segment used anew, or its room given back, durably. Raises Transient."""
