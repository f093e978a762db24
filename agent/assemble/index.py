"""The spool's records, each taken in once: cursor, rows and case events commit together."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from agent.assemble.relevance import irrelevance
from agent.core.case import ANSWERED, Case, CaseState
from agent.core.errors import Rejected, StaleCase
from agent.core.instance import Arrival, End, Instance
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind, SpoolSource, Store, StoredInstance, Unit
from agent.crashpoint import crashpoint

BATCH_RECORDS: Final = 16
BATCH_BYTES: Final = 64 * 1024 * 1024
MOST_PER_TICK: Final = 512

_log = structlog.get_logger()


class Quarantine(Protocol):
    """Where unusable objects are copied to."""

    def keep(self, part10: bytes, sha256: str, reason: str, *, received_at: datetime, sop_class_uid: str) -> object:
        """Keep an object and its reason; a second time changes nothing."""


@dataclass(frozen=True, slots=True)
class QuestionScope:
    """A question that active bundles answer: with which modalities, and for whom."""

    question: str
    modalities: frozenset[str]
    admits: Callable[[PatientKey], bool]


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How arrivals become cases."""

    quiet: timedelta
    episode: timedelta


@dataclass(frozen=True, slots=True)
class Reading:
    """The DICOM side of indexing."""

    header: Callable[[Record], Instance]  # raises Rejected
    part10: Callable[[Record], bytes]


class Indexer:
    """Takes the spool's new records in: every instance gets one end, and images get their case.

    Parameters
    ----------
    scopes
        The questions that are asked here. One without an active bundle is not among them and opens no case.
    on_event_report
        Called within the transaction with each storage commitment result.
    new_case_uuid
        Source of identities for new cases.
    """

    def __init__(
        self,
        spool: SpoolSource,
        store: Store,
        scopes: Sequence[QuestionScope],
        settings: IndexSettings,
        *,
        reading: Reading,
        quarantine: Quarantine,
        on_event_report: Callable[[Unit, Record], None],
        now: Callable[[], datetime],
        new_case_uuid: Callable[[], UUID],
    ) -> None:
        self._spool = spool
        self._store = store
        self._scopes = tuple(scopes)
        self._settings = settings
        self._reading = reading
        self._quarantine = quarantine
        self._on_event_report = on_event_report
        self._now = now
        self._new_case_uuid = new_case_uuid

    def tick(self) -> int:
        """Take in what is new, at most 512 records, and return how many.

        Raises
        ------
        Transient
            If the database or the quarantine folder is away. What was not committed is taken in again.
        """
        with self._store.unit() as unit:
            cursor = unit.cursor()
        taken = 0
        for batch in _batches(self._spool.after(cursor)):
            read = [(record, self._read(record)) for record in batch]  # outside of the transaction: it takes longest
            try:
                with self._store.unit() as unit:
                    for record, instance in read:
                        self._take(unit, record, instance)
                        unit.advance(record.ref)
            except StaleCase:  # a worker claimed a case meanwhile: nothing was committed, the next tick takes it in
                break
            crashpoint("assemble.after_commit")
            taken += len(batch)
            if taken >= MOST_PER_TICK:
                break
        return taken

    def _read(self, record: Record) -> Instance | Rejected | None:
        if record.kind is not RecordKind.INSTANCE:
            return None
        try:
            return self._reading.header(record)
        except Rejected as exc:
            return exc

    def _take(self, unit: Unit, record: Record, read: Instance | Rejected | None) -> None:
        association_id = record.meta.get("association_id", "")
        if read is not None:
            self._arrive(unit, record, read)
        elif record.kind is RecordKind.RECEIVER_STARTED:
            unit.receiver_started(record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_OPENED:
            unit.association_opened(association_id, record.meta.get("calling_ae_title", ""), record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_CLOSED:
            unit.association_closed(association_id, record.received_at)
        elif record.kind is RecordKind.EVENT_REPORT:
            self._on_event_report(unit, record)

    def _arrive(self, unit: Unit, record: Record, read: Instance | Rejected) -> None:
        """Give an instance record its one end."""
        sop_instance_uid = record.meta.get("sop_instance_uid", "")
        if unit.is_own(sop_instance_uid):
            unit.arrived(_arrival(record, End.OWN, "one of our results came back"))
            return
        if isinstance(read, Rejected):
            self._keep_out(unit, record, str(read))
            return
        if known := unit.find_instance(sop_instance_uid):
            self._arrive_again(unit, record, read, known)
            return
        reasons = {scope.question: irrelevance(read, scope.question, scope.modalities) for scope in self._scopes}
        wanting = [scope for scope in self._scopes if not reasons[scope.question]]
        admitting = [scope for scope in wanting if scope.admits(read.patient)]
        if not admitting:
            fallback = "no active model answers for patients of this issuer" if wanting else "no question is asked here"
            reason = next(
                (reason for reason in reasons.values() if reason and not wanting), f"not relevant: {fallback}"
            )
            unit.arrived(_arrival(record, End.NOT_RELEVANT, reason))
            return
        arrival = _arrival(record, End.COLLECTED, f"collected for {', '.join(s.question for s in admitting)}")
        for scope in admitting:
            case = self._case_of(unit, scope.question, read.patient)
            unit.add_instance(case, read, arrival, self._now() + self._settings.quiet)

    def _arrive_again(self, unit: Unit, record: Record, read: Instance, known: StoredInstance) -> None:
        """Judge a SOP Instance UID that is known: the same bytes are harmless, others are kept out."""
        same = (known.instance.sha256, known.instance.transfer_syntax_uid) == (read.sha256, read.transfer_syntax_uid)
        if same:
            unit.arrived(_arrival(record, End.DUPLICATE, "the same bytes again"))
        else:
            self._keep_out(unit, record, "conflict: same SOP Instance UID, other content")

    def _keep_out(self, unit: Unit, record: Record, reason: str) -> None:
        self._quarantine.keep(
            self._reading.part10(record),
            hashlib.sha256(record.payload).hexdigest(),
            reason,
            received_at=record.received_at,
            sop_class_uid=record.meta.get("sop_class_uid", ""),
        )
        unit.arrived(_arrival(record, End.QUARANTINED, reason))
        _log.warning("instance_quarantined", sop_instance_uid=record.meta.get("sop_instance_uid", ""), reason=reason)

    def _case_of(self, unit: Unit, question: str, patient: PatientKey) -> Case:
        """Return the version that takes this image now: the newest one, its successor, or a new case's first."""
        now = self._now()
        newest = unit.newest_case(question, patient)
        if newest is not None and newest.state is CaseState.HELD:
            return newest
        if newest is None or newest.state is CaseState.CLOSED or now - newest.changed_at > self._settings.episode:
            return unit.open_case(question, patient, now, self._new_case_uuid())
        return unit.open_version(newest, now) if newest.state in ANSWERED else newest


def _arrival(record: Record, end: End, reason: str) -> Arrival:
    meta = record.meta
    association_id, sop_instance_uid = meta.get("association_id", ""), meta.get("sop_instance_uid", "")
    return Arrival(record.ref, record.received_at, association_id, sop_instance_uid, end, reason)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Group records so that a transaction stays short and few of them are in memory."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.payload)
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
