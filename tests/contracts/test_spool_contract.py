"""What every SpoolSource must do: the reader of real segments, and the fake that stands for it in other tests."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind, SpoolSource
from agent.spool import SpoolReader, SpoolWriter
from tests.fakes.spool import NOW, FakeSpool

MOST_IN_MEMORY = 3 << 20


class _Real:
    """The writer and the reader behind the same face as the fake; a channel per segment asked for."""

    def __init__(self, folder: Path) -> None:
        self.writer = SpoolWriter(
            folder, limit_bytes=1 << 24, refuse_below_free_bytes=0, segment_bytes=1 << 16, now=lambda: NOW
        )
        self._channels = {number: self.writer.channel() for number in (1, 2)}
        reader = SpoolReader(folder, MOST_IN_MEMORY)
        self.after, self.again = reader.after, reader.again
        self.uncovered = reader.uncovered
        self.read, self.pieces, self.head = reader.read, reader.pieces, reader.head

    def add(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes = b"", *, segment: int = 1) -> SpoolRef:
        return self._channels[segment].append(kind, meta, payload)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self.writer.close()


@pytest.fixture(params=["fake", "real"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeSpool | _Real]:
    """Give an empty spool."""
    if request.param == "fake":
        yield FakeSpool(most_in_memory=MOST_IN_MEMORY)
        return
    real = _Real(tmp_path / "spool")
    yield real
    real.close()


def _cursor(*refs: SpoolRef) -> dict[int, SpoolRef]:
    return {ref.segment: ref for ref in refs}


def test_is_a_spool_source(spool: FakeSpool | _Real) -> None:
    """Both have the face of the port."""
    source: SpoolSource = spool
    assert list(source.after({})) == []


def test_gives_back_what_was_added(spool: FakeSpool | _Real) -> None:
    """Kind, meta, payload, time and place come back unchanged."""
    ref = spool.add(RecordKind.INSTANCE, {"sop_instance_uid": "1.2.3"}, b"\x08\x00odd")
    (record,) = spool.after({})
    assert (record.ref, record.kind, record.received_at) == (ref, RecordKind.INSTANCE, NOW)
    assert (record.meta, record.payload) == ({"sop_instance_uid": "1.2.3"}, b"\x08\x00odd")
    assert spool.read(ref) == record


def test_a_payload_that_is_too_long_is_in_no_memory(spool: FakeSpool | _Real) -> None:
    """It is a view, which shows what came; asked for, it comes in pieces alone."""
    payload = bytes(range(256)) * (3 << 12)
    refs = [
        spool.add(RecordKind.INSTANCE, {"n": str(n)}, part) for n, part in enumerate((payload, payload + b"+", b"-"))
    ]
    fits, too_long, behind = spool.after({})
    assert [record.ref for record in (fits, too_long, behind)] == refs
    assert [record.unread_bytes for record in (fits, too_long, behind)] == [0, 0, 0]
    assert [type(record.payload) for record in (fits, too_long, behind)] == [bytes, memoryview, bytes]
    assert (fits.payload, bytes(too_long.payload), behind.payload) == (payload, payload + b"+", b"-")
    assert too_long.meta == {"n": "1"}
    assert [spool.again(ref) for ref in refs] == [fits, too_long, behind]
    pieces = list(spool.pieces(too_long.ref))
    assert b"".join(pieces) == payload + b"+"
    assert max(map(len, pieces)) <= 1 << 20
    with pytest.raises(Permanent, match="too large"):
        spool.read(too_long.ref)


def test_the_head_of_a_record_is_all_but_its_payload(spool: FakeSpool | _Real) -> None:
    """Which is told by its length; what is gone has none."""
    ref = spool.add(RecordKind.INSTANCE, {"n": "1"}, b"there")
    assert spool.head(ref) == replace(spool.read(ref), payload=b"", unread_bytes=5)
    with pytest.raises(Permanent):
        spool.head(replace(ref, generation=ref.generation + 1))


def test_pieces_of_what_is_gone_are_none(spool: FakeSpool | _Real) -> None:
    """Nothing is made up."""
    ref = spool.add(RecordKind.INSTANCE, {}, b"there")
    with pytest.raises(Permanent):
        list(spool.pieces(replace(ref, generation=ref.generation + 1)))


def test_yields_in_order_of_sequence_over_segments(spool: FakeSpool | _Real) -> None:
    """Records of two segments come interleaved as they were appended."""
    refs = [spool.add(RecordKind.INSTANCE, {"n": str(n)}, segment=1 + n % 2) for n in range(6)]
    records = list(spool.after({}))
    assert [record.ref for record in records] == refs
    assert [record.sequence for record in records] == sorted(record.sequence for record in records)


def test_begins_behind_the_cursor_of_each_segment(spool: FakeSpool | _Real) -> None:
    """A segment without a cursor is read from its start, another from behind its own."""
    first, second, third = (spool.add(RecordKind.HL7, {}, segment=segment) for segment in (1, 2, 1))
    assert [record.ref for record in spool.after(_cursor(first))] == [second, third]
    assert [record.ref for record in spool.after(_cursor(third))] == [second]
    assert list(spool.after(_cursor(second, third))) == []


def test_shows_what_is_added_later(spool: FakeSpool | _Real) -> None:
    """The next call goes on where the last record ended."""
    first = spool.add(RecordKind.ASSOCIATION_OPENED, {})
    assert [record.ref for record in spool.after({})] == [first]
    second = spool.add(RecordKind.ASSOCIATION_CLOSED, {})
    assert [record.ref for record in spool.after(_cursor(first))] == [second]


def test_a_cursor_of_another_generation_does_not_count(spool: FakeSpool | _Real) -> None:
    """A recycled segment is read from its start."""
    ref = spool.add(RecordKind.INSTANCE, {})
    assert [record.ref for record in spool.after(_cursor(replace(ref, generation=0)))] == [ref]


def test_a_record_that_is_not_there_is_gone_for_good(spool: FakeSpool | _Real) -> None:
    """Another segment, generation or offset raises Permanent."""
    ref = spool.add(RecordKind.INSTANCE, {})
    for other in (replace(ref, segment=99), replace(ref, generation=7), replace(ref, offset=ref.offset + 8)):
        with pytest.raises(Permanent):
            spool.read(other)


def test_what_a_hidden_place_stood_for_reaches_to_the_next_that_was_found(spool: FakeSpool | _Real) -> None:
    """From that place on, and no further."""
    refs = [spool.add(RecordKind.INSTANCE, {"n": str(n)}) for n in range(5)]
    hidden = replace(refs[1], offset=refs[1].offset + 1)
    assert list(spool.uncovered(hidden, refs[3].offset)) == refs[1:3]
