"""A spool in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from agent.core.errors import Permanent, Unreadable
from agent.core.instance import SpoolRef
from agent.core.ports import Record, RecordKind

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class FakeSpool:
    """Satisfies `agent.core.ports.SpoolSource`; `add` plays the writer."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW, most_in_memory: int | None = None) -> None:
        self._now = now
        self.most_in_memory = most_in_memory
        self._records: dict[SpoolRef, Record] = {}
        self.bad: set[SpoolRef] = set()  # places that the disk does not give back

    def add(
        self, kind: RecordKind, meta: Mapping[str, str], payload: bytes = b"", *, segment: int = 1, generation: int = 1
    ) -> SpoolRef:
        """Append a record to a segment and return its place."""
        number = len(self._records) + 1
        ref = SpoolRef(segment, generation, 8192 + 8 * number)
        self._records[ref] = Record(ref, kind, number, self._now(), dict(meta), payload)
        return ref

    def lose(self, ref: SpoolRef) -> None:
        """Let a record vanish, as retention or damage would."""
        del self._records[ref]

    def after(self, cursor: Mapping[int, SpoolRef]) -> Iterator[Record]:
        """Yield the records behind the cursor, in order of `sequence`."""
        for ref, record in list(self._records.items()):
            last = cursor.get(ref.segment)
            if last is None or last.generation != ref.generation or last.offset < ref.offset:
                yield self._as_read(record)

    def _as_read(self, record: Record) -> Record:
        if record.ref in self.bad:
            return replace(self.head(record.ref), is_unreadable=True)
        return replace(record, payload=memoryview(record.payload)) if self._is_too_long(record) else record

    def _is_too_long(self, record: Record) -> bool:
        return self.most_in_memory is not None and len(record.payload) > self.most_in_memory

    def again(self, ref: SpoolRef) -> Record | None:
        """Return one record as `after` yields it. Raises Permanent if it is gone, Unreadable."""
        if ref in self.bad:
            raise Unreadable("the disk does not give it back")
        return self._as_read(self._there(ref))

    def uncovered(self, hidden: SpoolRef, until: int) -> Sequence[SpoolRef]:
        """Return the places from a hidden one on. Raises Unreadable."""
        here = [ref for ref in self._records if ref.segment == hidden.segment]
        return [ref for ref in here if hidden.offset - 1 <= ref.offset < until]

    def head(self, ref: SpoolRef) -> Record:
        """Return a record without its payload. Raises Permanent if it is gone."""
        record = self._there(ref)
        return replace(record, payload=b"", unread_bytes=len(record.payload))

    def pieces(self, ref: SpoolRef) -> Iterator[bytes]:
        """Yield a payload in short pieces. Raises Permanent if it is gone."""
        if ref in self.bad:
            raise Unreadable("the disk does not give it back")
        payload = bytes(self._there(ref).payload)
        yield from (payload[at : at + 1000] for at in range(0, len(payload), 1000))

    def read(self, ref: SpoolRef) -> Record:
        """Return one record again. Raises Permanent if it is gone, Unreadable."""
        if ref in self.bad:
            raise Unreadable("the disk does not give it back")
        record = self._there(ref)
        if self._is_too_long(record):
            raise Permanent("too large")
        return record

    def _there(self, ref: SpoolRef) -> Record:
        try:
            return self._records[ref]
        except KeyError:
            raise Permanent(f"the record at {ref} is gone") from None
