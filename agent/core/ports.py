"""What the rooms ask of the adapters. Each port has a contract test that its fake and its real adapter both pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.instance import Arrival, Instance, SpoolRef
from agent.core.pacs import PacsState
from agent.core.patient import PatientKey
from agent.core.ports_identity import IdentityUnit
from agent.core.ports_reads import ReadUnit
from agent.core.ports_results import OutboxItem, OutboxStatus, ResultUnit, Settled
from agent.core.ports_retention import RetentionUnit
from agent.core.stored import StoredInstance

__all__ = ["OutboxItem", "OutboxStatus", "Settled", "StoredInstance"]


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
    """One spool record. `sequence` orders records of all segments; `meta` holds short texts, `payload` the bytes.

    A long payload may be a view of the file that it lies in, so that no memory holds it.
    `unread_bytes`: it was not read, and `payload` is empty; 0: it is all there.
    `is_unreadable`: the disk does not give it back, at least not now; then `meta` is what could be read, unproven.
    """

    ref: SpoolRef
    kind: RecordKind
    sequence: int
    received_at: datetime
    meta: Mapping[str, str]
    payload: bytes | memoryview
    unread_bytes: int = 0
    is_unreadable: bool = False


class SpoolSource(Protocol):
    """Reading side of the spool."""

    def after(self, cursor: Mapping[int, SpoolRef]) -> Iterator[Record]:
        """Yield the records behind the cursor (segment -> last record read), in order of `sequence`.

        A payload that the disk does not give back is left out, and its length told.
        """

    def again(self, ref: SpoolRef) -> Record | None:
        """Return one record as `after` yields it, None if it is damaged. Raises Permanent if it is gone, Transient."""

    def uncovered(self, hidden: SpoolRef, until: int) -> Sequence[SpoolRef]:
        """Return where the records lie for which a hidden place stands, up to the offset of the next that was found.

        Raises Unreadable as long as they are hidden, Transient, Permanent if they are gone.
        """

    def head(self, ref: SpoolRef) -> Record:
        """Return a record without its payload, unproven. Raises Permanent if it is gone, Transient."""

    def pieces(self, ref: SpoolRef) -> Iterator[bytes]:
        """Yield the payload of a record in short pieces. Raises Permanent if it is gone, Transient."""

    def read(self, ref: SpoolRef) -> Record:
        """Return one record again, in memory. Raises Permanent if it is gone or damaged, or too long for that."""


class ClinicalSource(Protocol):
    """The hospital's clinical database, read-only."""

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Return what is known, None where the patient is unknown. Raises Transient if it cannot be asked."""


class Unit(IdentityUnit, ReadUnit, ResultUnit, RetentionUnit, PacsState, Protocol):
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

    def place_hidden(self, ref: SpoolRef, at: datetime) -> None:
        """Close the associations that brought something of this use of a segment: an end may be hidden there."""

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

    def predecessor(self, case: Case) -> Case | None:
        """The newest earlier version of the same case that is not CLOSED."""

    def installation(self) -> UUID:
        """Identity of this installation, made once by the first migration."""


class Store(Protocol):
    """The agent's state."""

    def unit(self) -> AbstractContextManager[Unit]:
        """Begin a transaction; commit at its end, roll back on an error. Raises Transient if the database is away."""
