"""Records that are written while they arrive."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.errors import Permanent
from agent.core.ports import RecordKind
from agent.spool import Disk, Draft, SpoolFailed, SpoolFull, SpoolReader, SpoolWriter, segments
from agent.spool.record import Chunk
from agent.spool.segment import DATA_START
from tests.fakes.disks import FailingDisk

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in SpoolReader(folder).after({})]


def _streamed(draft: Draft, *parts: bytes) -> None:
    for part in parts:
        draft.write([memoryview(part)])


def test_a_record_in_parts_is_one_record(open_writer: OpenWriter, folder: Path) -> None:
    """Parts of any length, empty ones too, come back as one payload with the meta; what comes after it follows it."""
    channel = open_writer().channel()
    draft = channel.begin(INSTANCE, {"n": "1"})
    _streamed(draft, b"", b"abc", b"d" * 5001, b"")
    assert _payloads(folder) == []
    ref = draft.commit([b"e", memoryview(b"f")])
    (record,) = SpoolReader(folder).after({})
    assert (record.ref, dict(record.meta), record.payload) == (ref, {"n": "1"}, b"abc" + b"d" * 5001 + b"ef")
    channel.append(RecordKind.HL7, {}, b"next")
    assert _payloads(folder)[1:] == [b"next"]


def test_buffers_are_free_again_after_a_write(open_writer: OpenWriter, folder: Path) -> None:
    """The sender's next bytes may overwrite them."""
    buffer = bytearray(b"first ")
    draft = open_writer().channel().begin(INSTANCE, {})
    draft.write([memoryview(buffer)])
    buffer[:] = b"second"
    draft.commit([memoryview(buffer)])
    assert _payloads(folder) == [b"first second"]


def test_an_empty_commit_is_a_record(open_writer: OpenWriter, folder: Path) -> None:
    """A record without payload needs no write."""
    open_writer().channel().begin(RecordKind.HL7, {"n": "1"}).commit()
    assert _payloads(folder) == [b""]


def test_nothing_of_an_abandoned_record_is_shown(open_writer: OpenWriter, folder: Path) -> None:
    """Not now, not after a restart; the next record takes its place, and it cannot be committed any more."""
    writer = open_writer()
    channel = writer.channel()
    draft = channel.begin(INSTANCE, {})
    _streamed(draft, b"a" * 9000)
    draft.abandon()
    draft.abandon()
    with pytest.raises(SpoolFailed):
        draft.commit()
    channel.close()
    writer.close()
    writer = open_writer()
    assert _payloads(folder) == []
    assert writer.channel().append(INSTANCE, {}, b"next").offset == DATA_START
    assert _payloads(folder) == [b"next"]


def test_a_channel_has_one_draft_at_a_time(open_writer: OpenWriter, folder: Path) -> None:
    """The next one, and the channel's end, abandon it."""
    channel = open_writer().channel()
    first = channel.begin(INSTANCE, {})
    _streamed(first, b"first")
    channel.append(INSTANCE, {}, b"second")
    third = channel.begin(INSTANCE, {})
    channel.close()
    for draft in (first, third):
        with pytest.raises(SpoolFailed):
            draft.write([b"more"])
    assert _payloads(folder) == [b"second"]


def test_a_record_that_outgrows_its_segment_is_moved(open_writer: OpenWriter, folder: Path) -> None:
    """It goes on in a larger one, each time of twice the size; the room that it leaves is used again, or given back."""
    writer = open_writer()
    channel = writer.channel()
    first = channel.append(INSTANCE, {}, b"first")
    draft = channel.begin(INSTANCE, {"n": "2"})
    parts = [bytes([n]) * 30_000 for n in range(10)]
    _streamed(draft, *parts)
    ref = draft.commit()
    assert ref.segment != first.segment
    assert SpoolReader(folder).read(ref).payload == b"".join(parts)
    assert [state.size for state in segments(folder)] == [65_536, 319_488]
    assert writer.channel().append(INSTANCE, {}, b"third").segment == 1


def test_as_much_as_the_limit_allows_is_taken(open_writer: OpenWriter, folder: Path) -> None:
    """Where twice the room is too much, a quarter more will do; beyond that it is refused and nothing of it shown."""
    channel = open_writer(limit_bytes=210_000).channel()
    draft = channel.begin(INSTANCE, {})
    _streamed(draft, b"a" * 50_000)
    draft.write([b"b" * 50_000])
    with pytest.raises(SpoolFull):
        draft.write([b"c" * 50_000])
    with pytest.raises(SpoolFailed):
        draft.commit()
    channel.append(RecordKind.ASSOCIATION_CLOSED, {}, b"end")
    assert _payloads(folder) == [b"end"]


def test_what_grows_near_the_limit_is_not_copied_each_time(open_writer: OpenWriter) -> None:
    """It is given a quarter more at least or refused, so what is written is a few times what came."""
    failing, written = FailingDisk(), [0]

    def write(fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> int:
        done = failing.disk.pwritev(fd, chunks, offset, flags)
        written[0] += done
        return done

    writer = open_writer(disk=replace(failing.disk, pwritev=write), limit_bytes=2_700_000)
    draft, came = writer.channel().begin(INSTANCE, {}), 0
    with suppress(SpoolFull):
        while True:
            draft.write([bytes(10_000)])
            came += 10_000
    assert came > 800_000
    assert written[0] < 8 * came


def test_room_is_kept_for_the_end_of_an_association(open_writer: OpenWriter) -> None:
    """A record that grows never takes the last bytes of a segment."""
    channel = open_writer(limit_bytes=1 << 16).channel()
    draft = channel.begin(INSTANCE, {})
    _streamed(draft, bytes((1 << 16) - DATA_START - 4096 - 64))
    with pytest.raises(SpoolFull):
        draft.write([bytes(64)])
    channel.append(RecordKind.ASSOCIATION_CLOSED, {"association_id": "a/1"}, b"")


def test_the_next_large_record_finds_room_at_once(open_writer: OpenWriter, folder: Path) -> None:
    """It is expected to grow as large as the last one, so it is not moved."""
    channel = open_writer(segment_bytes=1 << 17).channel()
    refs = []
    for number in range(4):
        draft = channel.begin(INSTANCE, {})
        _streamed(draft, *[bytes([number]) * 10_000] * 5)
        refs.append(draft.commit())
    assert [ref.segment for ref in refs] == [1, 1, 2, 2]
    assert [len(path.read_bytes().split(b"\2" * 9_000)) - 1 for path in sorted(folder.glob("*.spool"))] == [0, 5]


def test_a_first_large_record_begins_where_there_is_half_a_segment(open_writer: OpenWriter) -> None:
    """What may grow is not begun in the rest of a segment, from which it would have to be copied."""
    writer = open_writer()
    small = writer.channel()
    small.append(INSTANCE, {}, bytes(40_000))
    small.close()
    draft = writer.channel().begin(INSTANCE, {})
    _streamed(draft, bytes(1000))
    assert draft.commit().segment == 2


def test_a_segment_without_room_for_another_large_record_is_closed(open_writer: OpenWriter, folder: Path) -> None:
    """So that it can be released when its records are needed no more; one with room for another stays open."""
    writer = open_writer()
    is_closed = []
    for _ in range(2):
        channel = writer.channel()
        draft = channel.begin(INSTANCE, {})
        _streamed(draft, bytes(20_000))
        assert draft.commit().segment == 1
        channel.close()
        is_closed += [one.is_closed for one in segments(folder)]
    assert is_closed == [False, True]


def test_a_large_expectation_does_not_refuse_a_small_record(open_writer: OpenWriter, folder: Path) -> None:
    """What fits is taken, though another as large as the last would not."""
    channel = open_writer(limit_bytes=1 << 16).channel()
    for size in (20_000, 20_000, 3_000):
        draft = channel.begin(INSTANCE, {})
        _streamed(draft, bytes(size))
        draft.commit()
    assert [len(payload) for payload in _payloads(folder)] == [20_000, 20_000, 3_000]


def test_a_meta_too_long_and_a_full_disk_are_told_at_once(open_writer: OpenWriter) -> None:
    """Before the sender's bytes are read."""
    channel = open_writer(refuse_below_free_bytes=10, free=lambda _: 9).channel()
    with pytest.raises(Permanent):
        channel.begin(INSTANCE, {"key": "x" * 70_000})
    with pytest.raises(SpoolFull):
        channel.begin(INSTANCE, {})
    channel.begin(RecordKind.ASSOCIATION_CLOSED, {}).commit()


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_what_the_disk_refuses_is_lost_alone(open_writer: OpenWriter, folder: Path, call: str) -> None:
    """At whichever call: that record is not shown, its segment is closed for good, and the next one is stored."""
    number, lost = 1, 0
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    is_over = False
    while not is_over:
        channel = writer.channel()
        channel.append(INSTANCE, {}, b"before")
        failing.fail(call, number, OSError(errno.EIO, "told to"))
        draft = channel.begin(INSTANCE, {})
        try:
            _streamed(draft, *[b"lost"] * 3)
            draft.commit([b"lost"])
        except SpoolFailed:
            lost += 1
            with pytest.raises(SpoolFailed):
                draft.commit()
        is_over = failing.is_waiting
        failing.work()
        number += 1
        channel.append(INSTANCE, {}, b"after")
        channel.close()
    writer.close()
    assert lost == number - 2
    for _ in range(2):
        payloads = _payloads(folder)
        assert (payloads.count(b"before"), payloads.count(b"after")) == (number - 1, number - 1)
        assert payloads.count(b"lost" * 4) == 1
        assert len(payloads) == 2 * number - 1
        open_writer().close()


def test_bytes_that_come_back_changed_are_not_moved(open_writer: OpenWriter, folder: Path) -> None:
    """A record is proven while it is copied to a larger segment."""
    channel = open_writer().channel()
    draft = channel.begin(INSTANCE, {})
    _streamed(draft, b"a" * 40_000)
    path = folder / "segment-00000001.spool"
    path.write_bytes(path.read_bytes().replace(b"a" * 100, b"b" * 100, 1))
    with pytest.raises(SpoolFailed):
        draft.write([b"a" * 40_000])
    channel.append(INSTANCE, {}, b"next")
    assert _payloads(folder) == [b"next"]


def test_a_small_record_is_one_call(open_writer: OpenWriter) -> None:
    """Written and durable at once; beside it only the horizon is written, and not synced."""
    flags: list[int] = []

    def pwritev(fd: int, chunks: list[memoryview], offset: int, flag: int) -> int:
        flags.append(flag)
        return os.pwritev(fd, chunks, offset, flag)

    failing = FailingDisk(replace(Disk(), pwritev=pwritev))
    channel = open_writer(disk=failing.disk).channel()
    channel.append(INSTANCE, {}, b"first")
    flags.clear()
    failing.calls.clear()
    for _ in range(3):
        channel.append(INSTANCE, {}, [b"x"] * 100)
    assert flags == [os.RWF_DSYNC, 0] * 3
    assert set(failing.calls) == {"pwritev", "any"}


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_one_call_cannot_sync_two_do(open_writer: OpenWriter, folder: Path, number: int) -> None:
    """The file system is asked once a segment, then each record is synced apart."""
    asked: list[int] = []

    def pwritev(fd: int, chunks: list[memoryview], offset: int, flag: int) -> int:
        if flag:
            asked.append(flag)
            raise OSError(number, "not here")
        return os.pwritev(fd, chunks, offset)

    failing = FailingDisk(Disk(pwritev=pwritev))
    channel = open_writer(disk=failing.disk).channel()
    for payload in (b"a", b"b", b"c"):
        channel.append(INSTANCE, {}, payload)
    assert (len(asked), failing.calls["fdatasync"]) == (1, 3)
    assert _payloads(folder) == [b"a", b"b", b"c"]


def test_short_writes_are_finished(open_writer: OpenWriter, folder: Path) -> None:
    """A call that takes less than it was given is followed by others, and by a sync."""
    failing = FailingDisk(Disk(pwritev=lambda fd, chunks, offset, _: os.pwrite(fd, b"".join(chunks)[:1000], offset)))
    channel = open_writer(segment_bytes=1 << 15, disk=failing.disk).channel()
    channel.append(INSTANCE, {}, [b"a" * 1500, b"b" * 1500])
    assert failing.calls["fdatasync"] == 1
    assert _payloads(folder) == [b"a" * 1500 + b"b" * 1500]


def test_a_disk_that_takes_nothing_has_failed(open_writer: OpenWriter) -> None:
    """It would be asked for ever."""
    with pytest.raises(SpoolFailed):
        open_writer(disk=Disk(pwritev=lambda *_: 0)).channel().append(INSTANCE, {}, b"x")
