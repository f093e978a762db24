"""Records that are too long for whoever reads them, and memory that is short."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.core.errors import Permanent
from agent.core.ports import RecordKind
from agent.spool import SpoolReader, SpoolWriter, reader
from agent.spool.segment import Entry, Identity, read_body

Body = tuple[bytes, bytes] | None


@pytest.fixture
def spooled(folder: Path, open_writer: Callable[..., SpoolWriter]) -> Path:
    """Give a spool of three records, the second longer than the others."""
    writer = open_writer()
    channel = writer.channel()
    for payload in (b"a" * 10, b"b" * 5000, b"c" * 10):
        channel.append(RecordKind.INSTANCE, {"first": payload[:1].decode()}, payload)
    channel.close()
    writer.close()
    return folder


def _payload(folder: Path) -> tuple[Path, int]:
    (path,) = folder.glob("segment-*.spool")
    return path, path.read_bytes().index(b"b" * 5000)


def _seen(spool: SpoolReader) -> list[tuple[str, int, bool]]:
    records = spool.after({})
    return [(one.meta["first"], len(one.payload), isinstance(one.payload, memoryview)) for one in records]


def test_a_payload_that_memory_does_not_hold_is_a_view(spooled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind it is read as ever."""

    def short(fd: int, identity: Identity, entry: Entry) -> Body:
        if entry.header.payload_bytes > 1000:
            raise MemoryError
        return read_body(fd, identity, entry)

    monkeypatch.setattr(reader, "read_body", short)
    assert _seen(SpoolReader(spooled)) == [("a", 10, False), ("b", 5000, True), ("c", 10, False)]


def test_a_payload_above_the_bound_is_never_read_whole(spooled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view shows the very bytes, wherever in the file they begin."""
    seen = list[int]()

    def watched(fd: int, identity: Identity, entry: Entry) -> Body:
        seen.append(entry.header.payload_bytes)
        return read_body(fd, identity, entry)

    monkeypatch.setattr(reader, "read_body", watched)
    assert _seen(SpoolReader(spooled, 4999)) == [("a", 10, False), ("b", 5000, True), ("c", 10, False)]
    assert seen == [10, 10]
    assert _seen(SpoolReader(spooled, 5000))[1] == ("b", 5000, False)
    assert [bytes(one.payload) for one in SpoolReader(spooled, 4).after({})] == [b"a" * 10, b"b" * 5000, b"c" * 10]


def test_a_damaged_one_above_the_bound_is_passed_over(spooled: Path) -> None:
    """Its checksum is verified all the same."""
    path, at = _payload(spooled)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    assert [record.meta["first"] for record in SpoolReader(spooled, 4999).after({})] == ["a", "c"]


def test_pieces_of_a_file_that_was_cut_are_none(spooled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of an object is never taken for all of it."""
    monkeypatch.setattr(reader, "_PIECE", 1000)
    path, at = _payload(spooled)
    long = [record.ref for record in SpoolReader(spooled).after({})][1]
    os.truncate(path, at + 1500)
    pieces = SpoolReader(spooled).pieces(long)
    assert (len(next(pieces)), len(next(pieces))) == (1000, 500)
    with pytest.raises(Permanent, match="no longer"):
        next(pieces)
