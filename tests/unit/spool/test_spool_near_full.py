"""Little free disk: what comes near the watermark, and below it."""

import errno
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import Channel, SpoolFailed, SpoolFull, SpoolReader, SpoolWriter, release, segments
from agent.spool.segment import DATA_START
from tests.fakes.disks import Dead, FailingDisk
from tests.harness import wait_until

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE
SIZE = 1 << 20
LEAST = 1 << 18
MARK = 8 * SIZE


class SmallDisk:
    """A disk with so much on it besides the spool that only so many bytes above the watermark are free."""

    def __init__(self, spare_bytes: int) -> None:
        self.bytes = MARK + spare_bytes

    def free(self, folder: Path) -> int:
        """Return what is free."""
        return self.bytes - sum(map(_taken, folder.glob("segment-*")))


def _taken(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it went meanwhile
        return 0


def _opened(open_writer: OpenWriter, small: SmallDisk, **changes: object) -> SpoolWriter:
    settings = {"segment_bytes": SIZE, "refuse_below_free_bytes": MARK, "free": small.free}
    return open_writer(**(settings | changes))


def _grow(writer: SpoolWriter, parts: int) -> Channel:
    channel = writer.channel()
    draft = channel.begin(INSTANCE, {})
    for _ in range(parts):
        draft.write([bytes(100_000)])
    return channel


def _sizes(folder: Path) -> list[int]:
    return sorted(one.size for one in segments(folder))


def test_objects_that_grow_stay_above_the_watermark(open_writer: OpenWriter, folder: Path) -> None:
    """They are refused there, one or many, though they were begun above it; what they took is given back."""
    disk = SmallDisk(6 * SIZE)
    writer = _opened(open_writer, disk)
    channels = [writer.channel() for _ in range(6)]
    drafts = [channel.begin(INSTANCE, {}) for channel in channels]
    refused = set()
    for _ in range(40):
        for draft in drafts:
            try:
                draft.write([bytes(100_000)])
            except SpoolFull:
                refused.add(draft)
            except SpoolFailed:
                assert draft in refused
            assert disk.free(folder) >= MARK
    assert len(refused) == 6
    for channel in channels:
        channel.append(RecordKind.ASSOCIATION_CLOSED, {}, b"")
        channel.close()
    assert writer.has_free_disk()
    writer.channel().append(INSTANCE, {}, bytes(200_000))
    writer.close()


def test_an_unfinished_object_does_not_shut_out_those_behind_it(open_writer: OpenWriter, folder: Path) -> None:
    """The disk falls below the watermark while it grows; with its segment, the highest, there is room again."""
    disk = SmallDisk(7 * SIZE)
    writer = _opened(open_writer, disk)
    channel = _grow(writer, 20)
    disk.bytes = MARK + max(_sizes(folder)) - 1
    wait_until(lambda: not writer.has_free_disk(), 10, "it is seen")
    channel.append(RecordKind.ASSOCIATION_CLOSED, {}, b"")
    channel.close()
    wait_until(writer.has_free_disk, 10, "it is free again")
    writer.channel().append(INSTANCE, {}, b"x")
    writer.close()
    assert max(_sizes(folder)) <= SIZE


def test_where_the_disk_takes_nothing_the_highest_goes_later(open_writer: OpenWriter, folder: Path) -> None:
    """As soon as there are the two pages for its number."""
    failing, small = FailingDisk(), SmallDisk(7 * SIZE)
    writer = _opened(open_writer, small, disk=failing.disk)
    channel = _grow(writer, 20)
    failing.fail("allocate", 1, OSError(errno.ENOSPC, "told to"))
    channel.close()
    assert max(_sizes(folder)) > SIZE
    failing.fail("allocate", 1, OSError(errno.ENOSPC, "told to"))
    writer.shrink()
    assert max(_sizes(folder)) > SIZE
    writer.shrink()
    assert max(_sizes(folder)) == DATA_START
    writer.close()


def test_no_number_is_used_twice_wherever_it_dies(open_writer: OpenWriter, folder: Path) -> None:
    """With the giant's number gone, and after a start: a cursor that knows it shows everything that comes."""
    failing = FailingDisk()
    for calls in itertools.count(1):
        writer = open_writer(disk=failing.disk)
        kept = writer.channel().append(INSTANCE, {}, b"kept")
        channel = writer.channel()
        giant = channel.append(INSTANCE, {}, bytes(200_000))
        channel.append(INSTANCE, {}, bytes(200_000))
        assert release(folder, giant.segment, giant.generation)
        failing.fail("any", calls, Dead())
        unfinished = writer.channel()
        try:
            unfinished.begin(INSTANCE, {}).write([bytes(300_000)])
            unfinished.close()
            channel.close()
            writer.shrink()
            writer.channel().append(INSTANCE, {}, bytes(50_000))
        except Dead:
            pass
        is_last = failing.is_waiting
        failing.work()
        highest = max(one.number for one in segments(folder))
        writer.close()
        writer = open_writer()
        cursor = {n: SpoolRef(n, 1, DATA_START) for n in range(1, highest + 1)}
        new = writer.channel().append(INSTANCE, {}, b"n" * 60_000)
        assert new.segment > highest or new.generation > 1
        assert new in [record.ref for record in SpoolReader(folder).after(cursor)]
        assert SpoolReader(folder).read(kept).payload == b"kept"
        writer.close()
        shutil.rmtree(folder)
        if is_last:
            break
    assert calls > 20


def test_small_records_below_the_watermark_get_small_segments(open_writer: OpenWriter, folder: Path) -> None:
    """What tells of associations goes in there too, at next to no cost."""
    writer = _opened(open_writer, SmallDisk(-1))
    channels = [writer.channel() for _ in range(3)]
    for channel in channels:
        channel.append(RecordKind.ASSOCIATION_OPENED, {}, b"")
    assert _sizes(folder) == [LEAST] * 3
    writer.close()


@pytest.mark.parametrize("kind", [INSTANCE, RecordKind.EVENT_REPORT, RecordKind.HL7])
def test_what_a_peer_may_repeat_is_refused_below_the_watermark(open_writer: OpenWriter, kind: RecordKind) -> None:
    """However small it is; its sender is told, and keeps it."""
    writer = _opened(open_writer, SmallDisk(-1))
    with pytest.raises(SpoolFull, match="watermark"):
        writer.channel().append(kind, {}, b"x")
    writer.close()


def test_near_the_watermark_segments_are_as_large_as_their_records(open_writer: OpenWriter, folder: Path) -> None:
    """What still fits is taken; a segment made for it does not count as one in reserve."""
    writer = _opened(open_writer, SmallDisk(SIZE - 1))
    channel = writer.channel()
    channel.append(INSTANCE, {}, bytes(400_000))
    (size,) = _sizes(folder)
    assert 400_000 < size < 420_000
    with pytest.raises(SpoolFull, match="near the watermark"):
        writer.channel().append(INSTANCE, {}, bytes(900_000))
    channel.append(RecordKind.ASSOCIATION_CLOSED, {}, b"")
    channel.close()
    writer.channel().append(RecordKind.ASSOCIATION_CLOSED, {}, b"")
    assert not writer._pool.is_ready
    writer.close()


def test_what_is_released_makes_room_for_a_large_object(open_writer: OpenWriter, folder: Path) -> None:
    """Near the watermark too, where none of the released ones is large enough."""
    disk = SmallDisk(7 * SIZE)
    writer = _opened(open_writer, disk)
    channel = writer.channel()
    refs = [channel.append(INSTANCE, {}, bytes(900_000)) for _ in range(6)]
    disk.bytes = MARK + 6 * SIZE
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes(2 * SIZE))
    for ref in refs[:4]:
        assert release(folder, ref.segment, ref.generation)
    ref = channel.append(INSTANCE, {}, b"l" * (2 * SIZE))
    assert SpoolReader(folder).read(ref).payload == b"l" * (2 * SIZE)
    assert disk.free(folder) >= MARK
    writer.close()


def test_below_the_watermark_what_nobody_uses_is_closed(open_writer: OpenWriter, folder: Path) -> None:
    """So that it can be released, but for the emptiest."""
    disk = SmallDisk(7 * SIZE)
    writer = _opened(open_writer, disk)
    channels = [writer.channel() for _ in range(3)]
    for number, channel in enumerate(channels):
        channel.append(INSTANCE, {}, bytes(100 * (number + 1)))
    for channel in channels:
        channel.close()
    assert not any(one.is_closed for one in segments(folder))
    disk.bytes = MARK
    wait_until(lambda: sum(one.is_closed for one in segments(folder)) == 2, 10, "they are closed")
    writer.close()


def test_a_quota_that_forbids_to_remove_ends_no_watch(open_writer: OpenWriter, folder: Path) -> None:
    """When there is room again, it is seen."""
    failing, small = FailingDisk(), SmallDisk(7 * SIZE)
    writer = _opened(open_writer, small, disk=failing.disk)
    channel = writer.channel()
    first = channel.append(INSTANCE, {}, bytes(900_000))
    channel.append(INSTANCE, {}, bytes(900_000))
    assert release(folder, first.segment, first.generation)
    failing.fail("unlink", 1, OSError(errno.EDQUOT, "told to"))
    small.bytes = MARK + SIZE
    wait_until(lambda: not failing.is_waiting, 10, "it was tried")
    wait_until(writer.has_free_disk, 10, "it was tried again")
    assert [one.number for one in segments(folder)] == [2]
    writer.close()


def test_a_quota_that_forbids_to_remove_stops_no_start(open_writer: OpenWriter, folder: Path) -> None:
    """Below the watermark at once: it starts, and refuses."""
    failing, small = FailingDisk(), SmallDisk(7 * SIZE)
    writer = _opened(open_writer, small)
    channel = writer.channel()
    first = channel.append(INSTANCE, {}, bytes(900_000))
    channel.append(INSTANCE, {}, bytes(900_000))
    writer.close()
    assert release(folder, first.segment, first.generation)
    failing.fail("unlink", 1, OSError(errno.EDQUOT, "told to"))
    small.bytes = MARK + SIZE
    _opened(open_writer, small, disk=failing.disk).close()
    assert not failing.is_waiting
    assert [one.number for one in segments(folder)] == [1, 2]
    _opened(open_writer, small).close()
    assert [one.number for one in segments(folder)] == [2]


def test_a_disk_that_cannot_be_asked_counts_as_free(open_writer: OpenWriter) -> None:
    """The making of a segment will tell."""

    def free(_: Path) -> int:
        raise OSError(errno.EIO, "told to")

    writer = open_writer(refuse_below_free_bytes=MARK, free=free)
    assert writer.channel().append(INSTANCE, {}, b"x").segment == 1
    writer.close()
