"""What the rooms ask of the adapters. Each port has a contract test that its fake and its real adapter both pass."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.instance import Arrival, Instance, SpoolRef
from agent.core.pacs import PacsState
from agent.core.patient import PatientKey
from agent.core.ports_identity import IdentityUnit
from agent.core.ports_reads import ReadUnit
from agent.core.result import Kind, Reference, ResultObject
from agent.core.stored import StoredInstance

__all__ = ["StoredInstance"]


class RecordKind(StrEnum):
    """What the receiver alone knows and writes down."""

    RECEIVER_STARTED = "receiver_started"  # every association opened before it is over
    ASSOCIATION_OPENED = "association_opened"
    ASSOCIATION_CLOSED = "association_closed"
    INSTANCE = "instance"
    EVENT_REPORT = "event_report"
    HL7 = "hl7"


@dataclass(frozen=True, slots=True)
class Record:
    """One spool record. `sequence` orders records of all segments; `meta` holds short texts, `payload` the bytes."""

    ref: SpoolRef
    kind: RecordKind
    sequence: int
    received_at: datetime
    meta: Mapping[str, str]
    payload: bytes


class SpoolSource(Protocol):
    """Reading side of the spool."""

    def after(self, cursor: Mapping[int, SpoolRef]) -> Iterator[Record]:
        """Yield the records behind the cursor (segment -> last record read), in order of `sequence`."""

    def read(self, ref: SpoolRef) -> Record:
        """Return one record again. Raises Permanent if it is gone or damaged."""


class ClinicalSource(Protocol):
    """The hospital's clinical database, read-only."""

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Return what is known, None where the patient is unknown. Raises Transient if it cannot be asked."""


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


class Unit(IdentityUnit, ReadUnit, PacsState, Protocol):
    """One transaction on the agent's state. Everything done with it commits together or not at all."""

    # what the spool said
    def cursor(self) -> Mapping[int, SpoolRef]:
        """Last record taken in, by segment."""

    def advance(self, ref: SpoolRef) -> None:
        """Move the cursor of one segment."""

    def receiver_started(self, at: datetime) -> None:
        """Close every association that was opened until `at` and is still open."""

    def association_opened(self, association_id: str, calling_ae_title: str, at: datetime) -> None:
        """Note an association; one that is known, open or closed, stays as it is."""

    def association_closed(self, association_id: str, at: datetime) -> None:
        """Note its end, known or not: records of two segments may be read out of order, this one first."""

    def is_own(self, sop_instance_uid: str) -> bool:
        """Whether this UID was minted here (a result object)."""

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        """The instance of a case under this UID."""

    def expect(self, sop_instance_uids: Sequence[str]) -> None:
        """Look instances up together: `is_own` and `find_instance` of these are quick then, and answer the same."""

    def has_open_case(self, sop_instance_uid: str) -> bool:
        """Whether a case of which a version is not CLOSED, answered or not, holds the instance under this UID."""

    def damaged(self, case: Case) -> Sequence[Arrival]:
        """What arrived of the patient around this episode and could not be read at all, in order of arrival."""

    def place(self, stored: StoredInstance, ref: SpoolRef) -> None:
        """Say that the bytes of an instance are, from now on, where they arrived again."""

    def arrived(self, arrival: Arrival) -> None:
        """Note the end of one record; saying it twice for one `ref` is harmless."""

    # cases
    def newest_case(self, question: str, patient: PatientKey) -> Case | None:
        """The newest version of the patient's newest case of a question, an open one before one that is all CLOSED."""

    def case(self, case_id: int) -> Case:
        """One version. Raises KeyError."""

    def lock(self, case_id: int) -> Case:
        """One version, which nobody else moves or settles until this unit ends. Raises KeyError.

        Who writes about the outbox of a case locks it first, so that of two who settle its last items one sees both.
        """

    def open_case(self, question: str, patient: PatientKey, at: datetime, case_uuid: UUID) -> Case:
        """Open version 1 of a new case, COLLECTING."""

    def open_version(self, previous: Case, at: datetime) -> Case:
        """Open version n+1 of a case, COLLECTING, with the instances of version n."""

    def add_instance(self, case: Case, instance: Instance, arrival: Arrival, quiet_until: datetime) -> Case:
        """Add an instance to a version: row, arrival and INSTANCE_STORED together; due at `quiet_until`.

        An instance that is known already has its bytes, from now on, where they arrived last.
        """

    def instances(self, case_id: int) -> Sequence[StoredInstance]:
        """The instances of a version, in order of arrival."""

    def has_open_association(self, case_id: int) -> bool:
        """Whether an association that brought an instance of this version is still open."""

    def apply(
        self,
        case: Case,
        event: CaseEvent,
        at: datetime,
        *,
        reason: str = "",
        due_at: datetime | None = None,
        detail: str = "",
    ) -> Case:
        """Apply one event: the only door to a case's state. Raises StaleCase, IllegalTransition.

        `detail` stands behind the reason in the case's history alone.
        """

    def tally(self, case_id: int) -> Mapping[CaseEvent, int]:
        """How often each event happened to a version since it was last to be run again (RERUN); none: left away."""

    def postpone(self, case: Case, due_at: datetime | None, reason: str) -> Case:
        """Look at the case again later, None: no more; its state stays. Raises StaleCase, also if woken since."""

    def save_findings(self, case: Case, findings: Mapping[str, Any]) -> None:
        """Keep what the decision rested on (facts snapshot, eligibility, evidence) as JSON, with the version."""

    def findings(self, case_id: int) -> Mapping[str, Any]:
        """What `save_findings` kept; empty if nothing."""

    def due(self, states: Sequence[CaseState], now: datetime, limit: int) -> Sequence[Case]:
        """Cases in one of `states` that are due, the longest due first."""

    def claim(self, now: datetime, lease_until: datetime, worker: str) -> Case | None:
        """Lease the longest waiting READY version whose earlier ones are not READY or RUNNING: CLAIMED, attempt + 1."""

    def renew(self, case: Case, lease_until: datetime) -> None:
        """Prolong a lease. Raises StaleCase."""

    def leases_of(self, worker: str) -> Sequence[Case]:
        """RUNNING cases that a worker of this name claimed."""

    def expired_leases(self, now: datetime) -> Sequence[Case]:
        """RUNNING cases whose lease is over."""

    def mark_left_out(self, case: Case, stored: StoredInstance, reason: str, *, quarantined: bool) -> None:
        """Say that a version does not use an instance; a quarantined one also changes its arrivals' end."""

    def mark_used(self, case: Case, sop_instance_uids: Sequence[str]) -> None:
        """Say which instances the answer of this version rests on."""

    # results and their way out
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

    def predecessor(self, case: Case) -> Case | None:
        """The newest earlier version of the same case that is not CLOSED."""

    def installation(self) -> UUID:
        """Identity of this installation, made once by the first migration."""


class Store(Protocol):
    """The agent's state."""

    def unit(self) -> AbstractContextManager[Unit]:
        """Begin a transaction; commit at its end, roll back on an error. Raises Transient if the database is away."""
