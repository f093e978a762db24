"""What the rooms ask of the state about results, and about their way out: the outbox."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from agent.core.case import Case
from agent.core.result import Kind, Reference, ResultObject


class OutboxStatus(StrEnum):
    """Where one object stands with one destination."""

    WAITING = "waiting"
    SENT = "sent"  # stored there, not yet confirmed
    CONFIRMED = "confirmed"
    REFUSED = "refused"  # the destination will never take it
    SPARE = "spare"  # sent only where the object that it stands for is of a class that is not taken
    AWAITING_REPORT = "awaiting_report"  # held back until a radiologist has read the index study


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One object for one destination."""

    id: int
    case_id: int
    destination: str
    status: OutboxStatus
    attempts: int
    next_at: datetime
    queued_at: datetime
    kind: Kind
    role: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    error: str = ""
    instead_of: str = ""  # SOP Instance UID of the object that it stands for


class Settled(NamedTuple):
    """What becomes of one item, and why."""

    status: OutboxStatus
    error: str


class ResultUnit(Protocol):
    """The part of a transaction that is about results and what is sent of them."""

    def save_result(
        self, case: Case, at: datetime, summary: Mapping[str, Any], objects: Mapping[str, Sequence[ResultObject]]
    ) -> Case:
        """Save objects, one outbox row for each by destination, and RESULT_SAVED. Raises StaleCase.

        One that stands for another (`instead_of`), which must go to the same destinations, is SPARE there.
        """

    def result_objects(self, case_id: int) -> Sequence[ResultObject]:
        """The objects of a version, in sending order."""

    def superseded(self, case: Case) -> int | None:
        """Id of the newest earlier version of which a destination has, or still may get, something; else None."""

    def earlier(self, case: Case) -> Sequence[Case]:
        """Versions before this one of which a destination has, or still may get, something; the newest first.

        Those of cases that this one absorbed are among them.
        """

    def references(self, case_id: int) -> Mapping[str, Reference]:
        """The result objects of a version that a destination has, or still may get, by role; empty if none."""

    def held_by(self, case_id: int) -> Mapping[str, frozenset[str]]:
        """Which destinations have, or still may get, each of `references`, by SOP Instance UID."""

    def summary(self, case_id: int) -> Mapping[str, Any]:
        """The summary saved with the result; empty before."""

    def keep_lineage(self, case: Case, lineage: Mapping[str, Any]) -> None:
        """Keep where the result came from as JSON, in the unit that saves the result. Raises StaleCase."""

    def lineage(self, case_id: int) -> Mapping[str, Any]:
        """What `keep_lineage` kept; empty if nothing."""

    def outbox(
        self, destination: str, status: Sequence[OutboxStatus], now: datetime, limit: int
    ) -> Sequence[OutboxItem]:
        """Items whose `next_at` has come: never sent ones, oldest case first, in sending order; then the least sent."""

    def outbox_of(self, case_id: int) -> Sequence[OutboxItem]:
        """All items of a version."""

    def encoded(self, item: OutboxItem) -> bytes:
        """The Part 10 file of an item."""

    def about_to_send(self, items: Sequence[OutboxItem], at: datetime) -> None:
        """Note, right before they leave, that a destination may see these bytes: the version's result is final now.

        It counts an attempt, which is unanswered until `settle` or `answered`. Raises StaleCase if an item is gone.
        """

    def answered(self, item: OutboxItem) -> None:
        """Note that the destination answered an attempt and did not keep the object; of another one it may have."""

    def settle(
        self, item: OutboxItem, status: OutboxStatus, now: datetime, *, next_at: datetime | None = None, error: str = ""
    ) -> None:
        """Note what happened to an item. SENT and CONFIRMED say that the destination has it."""

    def queue_again(self, case_id: int, at: datetime) -> None:
        """Put every object of a version back into the outbox, as if it had been queued at `at`.

        Open requests for storage commitment of it count no more.
        """

    def use_spare(self, item: OutboxItem, at: datetime) -> None:
        """Have what stands for `item` at its destination sent, if it is SPARE, as if it had been queued at `at`."""

    def asked(self, items: Sequence[OutboxItem]) -> Mapping[int, int]:
        """How many requests for storage commitment of each item are unanswered, by its id; none: left away."""

    def underway(self) -> Mapping[str, int]:
        """How many items of DELIVERING versions are WAITING or SENT, by destination; none: left away."""

    def expect_commitment(self, transaction_uid: str, items: Sequence[OutboxItem], at: datetime) -> None:
        """Remember what a storage commitment request asked for."""

    def committed(
        self, transaction_uid: str, done: Collection[str], failed: Mapping[str, Settled], at: datetime
    ) -> Sequence[int]:
        """Apply a storage commitment result, by SOP Instance UID: `done` CONFIRMED, `failed` as each says.

        What a transaction says of an item counts once, and not of one that was queued again since it was asked about;
        a failure only of one that is SENT. One that stays SENT is asked about again when the time for its report is
        over. Returns the ids of the cases concerned; none where the transaction is not ours.
        """
