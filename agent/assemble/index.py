"""The spool's records, each taken in once: cursor, rows and case events commit together."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from agent.assemble.attempts import Attempts
from agent.assemble.copying import Quarantine, copy_out
from agent.assemble.corrections import Again
from agent.assemble.judging import Errands, Judge, Judged, QuestionScope
from agent.assemble.patients import Patients
from agent.assemble.readings import note_object, note_said
from agent.assemble.versions import Versions
from agent.core.adt import news_from_json
from agent.core.case import CaseState
from agent.core.errors import Rejected, StaleCase, Transient, Unreadable
from agent.core.instance import Arrival, End, Instance
from agent.core.ports import Record, RecordKind, SpoolSource, Store, StoredInstance, Unit
from agent.crashpoint import crashpoint

BATCH_RECORDS: Final = 128
BATCH_BYTES: Final = 64 * 1024 * 1024
MOST_PER_TICK: Final = 512
MOST_COMPARED_BYTES: Final = 512 * 1024 * 1024
"""Of a longer object the pixels are compared with nothing: both would be in memory."""
FROM_FACTS: Final = frozenset({"nsln"})
"""Questions that no image raises: their cases are opened by what becomes known, and take images from then on."""

Read: TypeAlias = Instance | Rejected | None
"""What became of reading a record: a header, why there is none, or None where the record is no instance."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How arrivals become cases."""

    quiet: timedelta
    episode: timedelta
    rejecting: tuple[str, ...] = ()  # destinations that take rejections of earlier objects


def _never(record: Record) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Reading:
    """The DICOM side of indexing."""

    header: Callable[[Record], Instance]  # raises Rejected
    part10: Callable[[Record], bytes]
    same_pixels: Callable[[bytes, bytes], bool]  # of two Part 10 files, decoded where nothing can come of it
    is_report: Callable[[Record], bool] = _never  # whether a radiologist's report is in it


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
        self._judge = Judge(tuple(scopes))
        self._versions = Versions(settings.quiet, settings.episode, now, new_case_uuid, settings.rejecting)
        self.patients = Patients(
            self._versions, tuple(s.question for s in scopes if s.question not in FROM_FACTS), self._takers
        )
        self._reading = reading
        self._quarantine = quarantine
        self._on_event_report = on_event_report
        self._reads, self._errands = Attempts(), Attempts()
        self._now = now

    def tick(self) -> int:
        """Take in what is new, at most 512 records, and return how many.

        Raises
        ------
        Transient
            If the database is away. What was not committed is taken in again.
        """
        with self._store.unit() as unit:
            cursor = unit.cursor()
        taken, stalled = 0, set[int]()
        for batch in _batches(self._spool.after(cursor)):
            read = self._read_each(batch, stalled)  # outside of the transaction: it takes longest
            try:
                self._take_batch(read)
            except StaleCase:  # a worker claimed a case meanwhile: nothing was committed, the next tick takes it in
                break
            crashpoint("assemble.after_commit")
            taken += len(read)
            del batch, read  # else they would stand in memory beside the next ones
            if taken >= MOST_PER_TICK:
                break
        return taken

    def _takers(self, instance: Instance) -> frozenset[str]:
        """The questions whose cases take an image."""
        return frozenset(scope.question for scope in self._judge.wanting(instance))

    def _read_each(self, batch: Sequence[Record], stalled: set[int]) -> list[tuple[Record, Read]]:
        """Read records; what the disk does not give back holds up its own segment, until it is given up."""
        read = list[tuple[Record, Read]]()
        for record in batch:
            if record.ref.segment not in stalled:
                try:
                    read.append((record, self._read(record)))
                except Unreadable:
                    stalled.add(record.ref.segment)
        return read

    def _read(self, record: Record) -> Read:
        return self._reads.run(record.ref, partial(self._read_now, record))

    def _read_now(self, record: Record) -> Read:
        if record.is_unreadable:
            raise Unreadable("the disk does not give it back")
        return self._reading.header(record) if record.kind is RecordKind.INSTANCE else None

    def _take_batch(self, read: Sequence[tuple[Record, Read]]) -> None:
        """Take records in: in one transaction, or in several where something takes long.

        A copy for the quarantine is made between two transactions, since nobody may wait for it, and before its record
        counts as taken in: after a crash in between it is made again, which changes nothing. So is decoding. A copy
        that cannot be made now is owed: `Owed` makes it.
        """
        left, errands = deque(read), Errands()
        while left:
            with self._store.unit() as unit:
                judged = self._take_ready(unit, left, errands)
            if judged is not None:
                record = left[0][0]
                done = self._errands.run(record.ref, partial(self._run, judged, record, errands))
                if isinstance(done, Rejected) and judged.compare_with is not None:
                    left[0] = (record, done)
                elif isinstance(done, Rejected):
                    errands.copied, errands.is_owed = record.ref, False  # none can be made: its reason stands alone

    def _take_ready(self, unit: Unit, left: deque[tuple[Record, Read]], errands: Errands) -> Judged | None:
        """Take in what comes before the first record that an errand is to be run for; return how that was judged."""
        unit.alone()
        unit.expect([record.meta.get("sop_instance_uid", "") for record, one in left if one is not None])
        while left:
            record, read = left[0]
            if read is None:
                self._note(unit, record)
            else:
                judged = self._judge.judge(unit, record, read, errands)
                is_copied = judged.arrival.end is not End.QUARANTINED or judged.arrival.ref == errands.copied
                if judged.compare_with is not None or not is_copied:
                    return judged
                self._arrive(unit, judged, read)
                if record.is_unreadable and not record.meta:
                    unit.place_hidden(record.ref, self._now())
                if judged.arrival.ref == errands.copied and errands.is_owed:
                    unit.owe_copy(record.ref, judged.arrival.reason, self._now())
                if isinstance(read, Instance) and judged.arrival.end is not End.OWN and self._reading.is_report(record):
                    note_object(unit, read, record, self._now())
            unit.advance(record.ref)
            left.popleft()
        return None

    def _run(self, judged: Judged, record: Record, errands: Errands) -> None:
        """Do what takes long: decode two objects, or copy one out."""
        known = judged.compare_with
        if known is not None:
            errands.told_apart[known.ref, record.ref] = not self._same_pixels(known, record)
        else:
            errands.is_owed = record.is_unreadable or not self._copy_out(record, judged.arrival.reason)
            errands.copied = record.ref

    def _copy_out(self, record: Record, reason: str) -> bool:
        """Copy a record into quarantine; tell whether that could be done now."""
        try:
            copy_out(record, reason, self._spool, self._reading.part10, self._quarantine)
        except Transient as error:
            _log.error("quarantine_put_off", segment=record.ref.segment, offset=record.ref.offset, error=str(error))
            return False
        crashpoint("assemble.after_copy")
        return True

    def _same_pixels(self, known: StoredInstance, record: Record) -> bool:
        longest = max(self._spool.head(known.ref).unread_bytes, len(record.payload))
        if longest > MOST_COMPARED_BYTES:
            raise Rejected(f"too large to be compared with what is known under its UID: {longest} bytes")
        before = self._reading.part10(self._spool.read(known.ref))
        return self._reading.same_pixels(before, self._reading.part10(record))

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
        elif record.kind is RecordKind.HL7:
            note_said(unit, record)
            if news := news_from_json(record.meta.get("news") or "[]"):
                self.patients.follow(unit, news)

    def _arrive(self, unit: Unit, judged: Judged, read: Instance | Rejected) -> None:
        """Give an instance record its end, and an image that is wanted its case."""
        arrival = judged.arrival
        unit.arrived(arrival)
        if judged.known is not None:
            unit.place(judged.known, arrival.ref)  # where it lay before may be recycled first
        if isinstance(read, Instance) and arrival.end is End.COLLECTED:
            self._collect(unit, judged, read)
        elif isinstance(read, Instance) and judged.again in (Again.CORRECTION, Again.OTHER_PIXELS):
            unit.add_variant(read, arrival, other_pixels=judged.again is Again.OTHER_PIXELS)
            self.patients.settle(unit, [read.patient])
        elif isinstance(read, Instance) and arrival.identity:
            self._overhear(unit, read, arrival)
        if arrival.end is End.QUARANTINED:
            _log.warning("instance_quarantined", sop_instance_uid=arrival.sop_instance_uid, reason=arrival.reason)

    def _collect(self, unit: Unit, judged: Judged, read: Instance) -> None:
        if judged.replaces is not None:
            unit.add_variant(read, judged.arrival, other_pixels=True)
            newest = [one for one in unit.variants(read.sop_instance_uid) if one.ref == judged.arrival.ref]
            unit.put_in_place(judged.replaces, newest[0])
        owner, due = self.patients.owner(unit, read), self._now() + self._versions.quiet
        is_held = is_opened = False
        for scope in judged.wanting:
            if scope.question in FROM_FACTS and not unit.newest_case(scope.question, owner):
                continue
            case = self._versions.taking(unit, scope.question, owner)
            unit.add_instance(case, read, judged.arrival, due)
            is_held |= case.state is CaseState.HELD
            is_opened |= case.changed_at == case.opened_at  # what is known already may be against it
        is_news = self._note_who(unit, read, judged.arrival)
        if (is_news and is_held) or ((is_news or is_opened) and not self.patients.is_settled(unit, read)):
            self.patients.settle(unit, [read.patient])
        elif why := self.patients.barred(unit, read):
            stored = unit.find_instance(read.sop_instance_uid)
            if stored is not None:
                unit.bar(stored, why)

    def _overhear(self, unit: Unit, read: Instance, arrival: Arrival) -> None:
        """Note whose an image is that no case takes: it may contradict those that a case has."""
        if self._note_who(unit, read, arrival) and not self.patients.is_settled(unit, read):
            self.patients.settle(unit, [read.patient])

    def _note_who(self, unit: Unit, read: Instance, arrival: Arrival) -> bool:
        """Note what an image says of its patient and study; return whether that was new."""
        is_new = unit.note_identity(read.patient, read.demographics, arrival.received_at)
        return unit.note_study(read.study_instance_uid, read.patient) or is_new


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Group records so that a transaction stays short and few of them are in memory."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.payload)
        del record
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
