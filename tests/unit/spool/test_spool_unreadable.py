"""A disk that does not give back a part of a segment."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.errors import Permanent, Unreadable
from agent.core.instance import SpoolRef
from agent.core.ports import Record, RecordKind
from agent.spool import SpoolFailed, SpoolReader, SpoolWriter, reader
from agent.spool.segment import segment_name
from tests.fakes.bad_sectors import BadSectors
from tests.fakes.spool import NOW

SIZE = 5000


@pytest.fixture
def refs(open_writer: Callable[..., SpoolWriter]) -> list[SpoolRef]:
    """Give a spool of three records of an association, and one of another."""
    writer = open_writer()
    first, second = writer.channel(), writer.channel()
    refs = [first.append(RecordKind.INSTANCE, {"n": str(n)}, bytes([n]) * SIZE) for n in range(3)]
    refs.append(second.append(RecordKind.INSTANCE, {"n": "3"}, b"other"))
    for channel in (first, second):
        channel.close()
    writer.close()
    return refs


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BadSectors:
    """Give a disk whose sectors can be spoiled."""
    return BadSectors(monkeypatch)


def _path(folder: Path, ref: SpoolRef) -> Path:
    return folder / segment_name(ref.segment)


def _seen(records: list[Record]) -> list[tuple[str, int, bool]]:
    return [(one.meta.get("n", ""), len(one.payload), one.is_unreadable) for one in records]


def test_a_payload_that_is_not_given_back_holds_up_nothing(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """It is told what it is, and once in the log; read again it is there when the disk gives it back."""
    disk.spoil(_path(folder, refs[1]), refs[1].offset + 1000)
    spool = SpoolReader(folder)
    with capture_logs() as logs:
        for _ in range(2):
            records = list(spool.after({}))
            assert _seen(records) == [("0", SIZE, False), ("1", 0, True), ("2", SIZE, False), ("3", 5, False)]
    assert records[1].unread_bytes == SIZE
    assert spool.head(refs[1]) == Record(
        refs[1], RecordKind.INSTANCE, records[1].sequence, records[1].received_at, {"n": "1"}, b"", SIZE
    )
    assert [(one["event"], one["segment"], one["offset"]) for one in logs] == [
        ("spool_record_unreadable", refs[1].segment, refs[1].offset)
    ]
    for read in (lambda: spool.read(refs[1]), lambda: list(spool.pieces(refs[1]))):
        with pytest.raises(Unreadable):
            read()
    disk.heal()
    assert [one.is_unreadable for one in spool.after({})] == [False] * 4


def test_one_that_is_too_long_to_be_held_is_told_likewise(folder: Path, refs: list[SpoolRef], disk: BadSectors) -> None:
    """Its checksum cannot be verified."""
    disk.spoil(_path(folder, refs[1]), refs[1].offset + 1000)
    assert [one.is_unreadable for one in SpoolReader(folder, 1000).after({})] == [False, True, False, False]


@pytest.mark.parametrize("meta", [b"[1, 2345]", b'{"n": 234}', b"{'n': 123}", b'{"n":"\\ud8"'])
def test_what_cannot_be_a_meta_is_none(
    folder: Path, refs: list[SpoolRef], disk: BadSectors, monkeypatch: pytest.MonkeyPatch, meta: bytes
) -> None:
    """Nothing proves it where the payload is not there."""
    monkeypatch.setattr(reader, "read_exactly", lambda *_: meta)
    assert SpoolReader(folder).head(refs[1]).meta == {}


def _walked(folder: Path, *cursor: SpoolRef) -> list[tuple[int, bool]]:
    records = SpoolReader(folder).after({ref.segment: ref for ref in cursor})
    return [(one.ref.offset, one.is_unreadable) for one in records if one.ref.segment == 1]


def test_a_header_that_is_not_given_back_is_a_record_of_which_nothing_is_known(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """What lies behind it is found all the same. Its place is that of no record, whatever comes back."""
    _, bad, behind, other = refs
    disk.spoil(_path(folder, bad), bad.offset)
    spool = SpoolReader(folder)
    records = list(spool.after({}))
    assert sorted(_seen(records)) == [("", 0, True), ("0", SIZE, False), ("2", SIZE, False), ("3", 5, False)]
    (unknown,) = (one for one in records if one.is_unreadable)
    assert (unknown.meta, unknown.received_at) == ({}, NOW)
    assert bad.offset < unknown.ref.offset < behind.offset
    assert not spool.is_read(1, refs[0])
    assert [one.ref for one in spool.after({1: unknown.ref})] == [behind, other]
    with pytest.raises((Permanent, Unreadable)):
        spool.head(unknown.ref)
    disk.heal()
    with pytest.raises(Permanent):
        spool.head(unknown.ref)


def test_a_header_that_is_given_back_before_anything_behind_it_was_read_is_found(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """Nothing was passed over then: the walk goes on where it stood."""
    _, bad, behind, other = refs
    disk.spoil(_path(folder, bad), bad.offset)
    spool = SpoolReader(folder)
    unknown = next(one.ref for one in spool.after({}) if one.is_unreadable)
    disk.heal()
    assert [one.ref for one in spool.after({1: unknown})] == [bad, behind, other]
    assert [one.ref for one in spool.after({1: behind})] == [other]


def test_what_a_hidden_place_stood_for_is_known_once_it_is_back(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """All of it or nothing; of another use of the segment nothing."""
    disk.spoil(_path(folder, refs[1]), refs[1].offset)
    spool, hidden = SpoolReader(folder), replace(refs[0], offset=refs[0].offset + 1)
    with pytest.raises(Unreadable):
        spool.uncovered(hidden, refs[2].offset)
    disk.heal()
    assert spool.uncovered(hidden, refs[2].offset) == refs[:2]
    with pytest.raises(Permanent):
        spool.uncovered(replace(hidden, generation=2), refs[2].offset)


def test_what_lies_between_bad_places_is_found(
    folder: Path, open_writer: Callable[..., SpoolWriter], disk: BadSectors
) -> None:
    """Of twenty records three headers are bad, two of them in a row: each other one comes once, in order."""
    writer = open_writer(segment_bytes=1 << 18)
    channel = writer.channel()
    refs = [channel.append(RecordKind.INSTANCE, {"n": str(n)}, bytes([n]) * SIZE) for n in range(20)]
    channel.close()
    writer.close()
    for number in (3, 4, 11):
        disk.spoil(_path(folder, refs[number]), refs[number].offset)
    expected = [(ref.offset + (n in (3, 11)), n in (3, 11)) for n, ref in enumerate(refs) if n != 4]
    assert _walked(folder) == expected
    for n, (offset, _) in enumerate(expected):
        assert _walked(folder, replace(refs[0], offset=offset)) == expected[n + 1 :]


def test_behind_the_last_record_nothing_is_read(folder: Path, refs: list[SpoolRef], disk: BadSectors) -> None:
    """A bad place there is nobody's."""
    last = SpoolReader(folder).head(refs[2])
    disk.spoil(_path(folder, refs[2]), refs[2].offset + 48 + len(b'{"n":"2"}') + last.unread_bytes + 7)
    assert _walked(folder) == [(ref.offset, False) for ref in refs[:3]]


def test_a_segment_of_which_it_is_not_known_what_it_is_holds_up_itself_alone(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """It is left for later, told once, and never counts as read."""
    disk.spoil(_path(folder, refs[0]), 0)
    spool = SpoolReader(folder)
    with capture_logs() as logs:
        for _ in range(2):
            assert _seen(list(spool.after({}))) == [("3", 5, False)]
    assert [(one["event"], one["segment"]) for one in logs] == [("spool_segment_unreadable", refs[0].segment)]
    with pytest.raises(Unreadable):
        spool.is_read(refs[0].segment, refs[0])
    disk.heal()
    assert len(list(spool.after({refs[0].segment: refs[0]}))) == 3


def test_what_may_pass_is_raised_as_ever(folder: Path, refs: list[SpoolRef], monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files say nothing of a record."""

    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(reader, "read_body", exhausted)
    with pytest.raises(SpoolFailed) as raised:
        list(SpoolReader(folder).after({}))
    assert not isinstance(raised.value, Unreadable)
