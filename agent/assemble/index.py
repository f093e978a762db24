"""The spool's records, each taken in once: cursor, rows and case events commit together."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from agent.assemble.arriving import FROM_FACTS, Arriving
from agent.assemble.attempts import Attempts
from agent.assemble.copying import Quarantine, copy_out
from agent.assemble.judging import Errands, Judge, Judged, QuestionScope
from agent.assemble.patients import Patients
from agent.assemble.readings import note_object, note_said
from agent.assemble.versions import Versions
from agent.core.adt import news_from_json
from agent.core.errors import Rejected, StaleCase, Transient, Unreadable
from agent.core.instance import End, Instance, SpoolRef
from agent.core.ports import Record, RecordKind, SpoolSource, Store, StoredInstance, Unit
from agent.crashpoint import crashpoint

BATCH_RECORDS: Final = 128
BATCH_BYTES: Final = 64 * 1024 * 1024
MOST_PER_TICK: Final = 512
MOST_COMPARED_BYTES: Final = 512 * 1024 * 1024
"""Of a longer object the pixels are compared with nothing: both would be in memory."""
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
        versions = Versions(settings.quiet, settings.episode, now, new_case_uuid, settings.rejecting)
        self.patients = Patients(
            versions, tuple(s.question for s in scopes if s.question not in FROM_FACTS), self._takers
        )
        self._arriving = Arriving(versions, self.patients, now)
        self._reading = reading
        self._quarantine = quarantine
        self._on_event_report = on_event_report
        self._reads, self._errands = Attempts(), Attempts()
        self._hidden: dict[int, SpoolRef] = {}  # by segment: where the last that was taken in is a hidden place
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
        self._hidden = {number: last for number, last in cursor.items() if last.is_hidden}
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

    def take_late(self, record: Record) -> None:
        """Take in, as any other, a record that was given up since the disk did not give it back, if it is still owed.

        Raises
        ------
        Transient
            If the database is away; Unreadable if another record that it is compared with cannot be read.
        StaleCase
            If a worker claimed a case meanwhile. What was not committed is still owed.
        """
        self._take_batch([(record, self._read(record))], is_late=True)
        _log.info("spool_record_taken_in_late", segment=record.ref.segment, offset=record.ref.offset)

    def _take_batch(self, read: Sequence[tuple[Record, Read]], *, is_late: bool = False) -> None:
        """Take records in: in one transaction, or in several where something takes long.

        A copy for the quarantine is made between two transactions, since nobody may wait for it, and before its record
        counts as taken in: after a crash in between it is made again, which changes nothing. So is decoding. A copy
        that cannot be made now is owed: `Owed` makes it.
        """
        left, errands = deque(read), Errands()
        while left:
            with self._store.unit() as unit:
                judged = self._take_ready(unit, left, errands, is_late)
            if judged is not None:
                record = left[0][0]
                done = self._errands.run(record.ref, partial(self._run, judged, record, errands))
                if isinstance(done, Rejected) and judged.compare_with is not None:
                    left[0] = (record, done)
                elif isinstance(done, Rejected):
                    errands.copied, errands.is_owed = record.ref, False  # none can be made: its reason stands alone

    def _take_ready(
        self, unit: Unit, left: deque[tuple[Record, Read]], errands: Errands, is_late: bool
    ) -> Judged | None:
        """Take in what comes before the first record that an errand is to be run for; return how that was judged."""
        unit.alone()
        unit.expect([record.meta.get("sop_instance_uid", "") for record, one in left if one is not None])
        while left:
            record, read = left[0]
            judged = None if read is None else self._judge.judge(unit, record, read, errands)
            if judged is not None and errands.are_due(judged):
                return judged
            left.popleft()
            if not is_late:
                self._advance(unit, record.ref)
            elif not unit.take_back(record.ref):
                continue  # another process was quicker, or a person gave it up
            if read is None or judged is None:
                self._note(unit, record, is_late)
            else:
                self._settle(unit, judged, record, read, errands)
        return None

    def _advance(self, unit: Unit, ref: SpoolRef) -> None:
        """Move the cursor; what was hidden right before ends here, or this is the first of it."""
        begin = ref.offset - ref.is_hidden
        hidden = self._hidden.pop(ref.segment, None)
        if hidden is not None and begin == hidden.offset - 1:
            unit.take_back(hidden)
        elif hidden is not None:
            unit.bound_hidden(hidden, begin)
        if ref.is_hidden:
            self._hidden[ref.segment] = ref
        unit.advance(ref)

    def _settle(self, unit: Unit, judged: Judged, record: Record, read: Instance | Rejected, errands: Errands) -> None:
        """Give an instance record its end, and note what follows."""
        self._arriving.arrive(unit, judged, read)
        if record.is_unreadable and not record.meta:
            unit.place_hidden(record.ref, self._now())
        if judged.arrival.ref == errands.copied and errands.is_owed:
            unit.owe_copy(record.ref, judged.arrival.reason, self._now(), is_unread=record.is_unreadable)
        if isinstance(read, Instance) and judged.arrival.end is not End.OWN and self._reading.is_report(record):
            note_object(unit, read, record, self._now())

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

    def _note(self, unit: Unit, record: Record, is_late: bool) -> None:
        """Apply a record that is no instance; not the beginning of an association whose end may be behind us."""
        association_id = record.meta.get("association_id", "")
        if record.kind is RecordKind.RECEIVER_STARTED:
            unit.receiver_started(record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_OPENED and not is_late:
            unit.association_opened(association_id, record.meta.get("calling_ae_title", ""), record.received_at)
        elif record.kind is RecordKind.ASSOCIATION_CLOSED:
            unit.association_closed(association_id, record.received_at)
        elif record.kind is RecordKind.EVENT_REPORT:
            self._on_event_report(unit, record)
        elif record.kind is RecordKind.HL7:
            note_said(unit, record)
            if news := news_from_json(record.meta.get("news") or "[]"):
                self.patients.follow(unit, news)


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
