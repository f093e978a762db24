"""The spool's records, each taken in once: cursor, rows and case events commit together."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias
from uuid import UUID

import structlog

from agent.assemble.relevance import irrelevance
from agent.core.case import ANSWERED, UNCHANGED, Case, CaseState
from agent.core.eligibility import EVERY_MODEL, Range
from agent.core.errors import Rejected, StaleCase
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind, SpoolSource, Store, Unit
from agent.crashpoint import crashpoint

BATCH_RECORDS: Final = 16
BATCH_BYTES: Final = 64 * 1024 * 1024
MOST_PER_TICK: Final = 512

Read: TypeAlias = Instance | Rejected | None
"""What became of reading a record: a header, why there is none, or None where the record is no instance."""

_log = structlog.get_logger()


class Quarantine(Protocol):
    """Where unusable objects are copied to."""

    def keep(self, part10: bytes, sha256: str, reason: str, *, received_at: datetime, sop_class_uid: str) -> object:
        """Keep an object and its reason; a second time changes nothing."""


@dataclass(frozen=True, slots=True)
class QuestionScope:
    """A question that active bundles answer, and with what."""

    question: str
    modalities: frozenset[str]
    facts: frozenset[str] = frozenset()
    limits: Range = EVERY_MODEL
    arises: bool = False  # its cases are opened by facts, not by images
    keeps: frozenset[str] = frozenset()  # modalities that its cases hold for a question that may arise

    @property
    def holds(self) -> frozenset[str]:
        """Modalities that its cases take."""
        return self.modalities | self.keeps


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
                self._take_batch(read)
            except StaleCase:  # a worker claimed a case meanwhile: nothing was committed, the next tick takes it in
                break
            crashpoint("assemble.after_commit")
            taken += len(batch)
            if taken >= MOST_PER_TICK:
                break
        return taken

    def _read(self, record: Record) -> Read:
        if record.kind is not RecordKind.INSTANCE:
            return None
        try:
            return self._reading.header(record)
        except Rejected as exc:
            return exc

    def _take_batch(self, read: Sequence[tuple[Record, Read]]) -> None:
        """Take records in: in one transaction, or in several where some are to be quarantined.

        A copy is written between two transactions, since nobody may wait for it, and before its record counts as
        taken in: after a crash in between it is made again, which changes nothing.
        """
        left, copied = deque(read), None
        while left:
            with self._store.unit() as unit:
                unusable = self._take_usable(unit, left, copied)
            if unusable is not None:
                self._copy_out(left[0][0], unusable.reason)
                crashpoint("assemble.after_copy")
                copied = unusable.ref

    def _take_usable(self, unit: Unit, left: deque[tuple[Record, Read]], copied: SpoolRef | None) -> Arrival | None:
        """Take in what comes before the first record to be quarantined that has no copy yet; return the end of that."""
        while left:
            record, read = left[0]
            if read is None:
                self._note(unit, record)
            else:
                arrival = self._judge(unit, record, read)
                if arrival.end is End.QUARANTINED and arrival.ref != copied:
                    return arrival
                self._arrive(unit, arrival, read)
            unit.advance(record.ref)
            left.popleft()
        return None

    def _note(self, unit: Unit, record: Record) -> None:
        """Apply a record that is no instance."""
        association_id = record.meta.get("association_id", "")
        if record.kind is RecordKind.RECEIVER_STARTED:
            unit.receiver_started(record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_OPENED:
            unit.association_opened(association_id, record.meta.get("calling_ae_title", ""), record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_CLOSED:
            unit.association_closed(association_id, record.received_at)
        elif record.kind is RecordKind.EVENT_REPORT:
            self._on_event_report(unit, record)

    def _judge(self, unit: Unit, record: Record, read: Instance | Rejected) -> Arrival:
        """Decide the one end of an instance record."""
        sop_instance_uid = record.meta.get("sop_instance_uid", "")
        if unit.is_own(sop_instance_uid):
            return _arrival(record, End.OWN, "one of our results came back")
        if isinstance(read, Rejected):
            return _arrival(record, End.QUARANTINED, str(read))
        known = unit.find_instance(sop_instance_uid)
        if known is not None and not _same_bytes(known.instance, read):
            return _arrival(record, End.QUARANTINED, "conflict: same SOP Instance UID, other content")
        if known is not None and unit.has_open_case(sop_instance_uid):
            return _arrival(record, End.DUPLICATE, "the same bytes again")
        wanting = self._wanting(read)
        if wanting:
            return _arrival(record, End.COLLECTED, f"collected for {', '.join(scope.question for scope in wanting)}")
        return _arrival(record, End.NOT_RELEVANT, self._irrelevance(read))

    def _wanting(self, instance: Instance) -> list[QuestionScope]:
        """The questions whose cases take an image."""
        return [scope for scope in self._scopes if not irrelevance(instance, scope.question, scope.holds)]

    def _irrelevance(self, instance: Instance) -> str:
        """Why no question takes an image."""
        reasons = (irrelevance(instance, scope.question, scope.holds) for scope in self._scopes)
        return next(reasons, "not relevant: no question is asked here")

    def _arrive(self, unit: Unit, arrival: Arrival, read: Instance | Rejected) -> None:
        """Give an instance record its end, and an image that is wanted its case."""
        if arrival.end is End.COLLECTED and isinstance(read, Instance):
            for scope in self._wanting(read):
                if scope.arises and not self._has_arisen(unit, scope.question, read.patient):
                    continue
                case = self._case_of(unit, scope.question, read.patient)
                unit.add_instance(case, read, arrival, self._now() + self._settings.quiet)
            return
        unit.arrived(arrival)
        if arrival.end is End.QUARANTINED:
            _log.warning("instance_quarantined", sop_instance_uid=arrival.sop_instance_uid, reason=arrival.reason)

    def _has_arisen(self, unit: Unit, question: str, patient: PatientKey) -> bool:
        """Whether facts have opened a case of the question; until then another question's case keeps the image."""
        newest = unit.newest_case(question, patient)
        if newest is None or self._now() - newest.changed_at > self._settings.episode:
            return False
        return newest.state is not CaseState.CLOSED or newest.reason == UNCHANGED

    def _copy_out(self, record: Record, reason: str) -> None:
        self._quarantine.keep(
            self._reading.part10(record),
            hashlib.sha256(record.payload).hexdigest(),
            reason,
            received_at=record.received_at,
            sop_class_uid=record.meta.get("sop_class_uid", ""),
        )

    def _case_of(self, unit: Unit, question: str, patient: PatientKey) -> Case:
        """Return the version that takes this image now: the newest one, its successor, or a new case's first."""
        now = self._now()
        newest = unit.newest_case(question, patient)
        if newest is not None and newest.state is CaseState.HELD:
            return newest
        if newest is None or newest.state is CaseState.CLOSED or now - newest.changed_at > self._settings.episode:
            return unit.open_case(question, patient, now, self._new_case_uuid())
        return unit.open_version(newest, now) if newest.state in ANSWERED else newest


def _same_bytes(known: Instance, read: Instance) -> bool:
    return (known.sha256, known.transfer_syntax_uid) == (read.sha256, read.transfer_syntax_uid)


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
