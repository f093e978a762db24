"""Objects that never end, and their senders leave: what they took is there for others at once."""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agent.core.ports import RecordKind
from agent.spool import (
    Channel,
    SpoolFailed,
    SpoolFull,
    SpoolReader,
    SpoolWriter,
    max_object_bytes_of,
    release,
    segments,
)
from agent.spool.segment import DATA_START, segment_name
from tests.fakes.disks import FailingDisk

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE
SIZE = 1 << 16
PART = [bytes(30_000)]


def _endless(writer: SpoolWriter, most_parts: int = 1000) -> Channel:
    """Return a channel with an object that goes on until there is no more room for it."""
    channel = writer.channel()
    draft = channel.begin(INSTANCE, {})
    with suppress(SpoolFull):
        for _ in range(most_parts):
            draft.write(PART)
    return channel


def _sizes(folder: Path) -> dict[int, int]:
    return {one.number: one.size for one in segments(folder)}


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in SpoolReader(folder).after({})]


def test_what_an_endless_object_took_is_given_back(open_writer: OpenWriter, folder: Path) -> None:
    """All segments of more than the usual size; for the highest number a segment stays that has room for nothing."""
    writer = open_writer()
    channel = _endless(writer, 20)
    assert sum(size > SIZE for size in _sizes(folder).values()) == 1
    channel.close()
    sizes = _sizes(folder)
    assert list(sizes.values()) == [SIZE, DATA_START]
    for _ in range(2):
        writer.channel().append(INSTANCE, {}, bytes(50_000))
    assert sorted(_sizes(folder)) == [1, max(sizes) + 1]
    assert len(_payloads(folder)) == 2


@pytest.mark.parametrize("together", [1, 3, 8])
def test_senders_of_endless_objects_shut_nobody_out(open_writer: OpenWriter, folder: Path, together: int) -> None:
    """However many come and go, however often: without any help by the reading side others are served after."""
    limit = 24 * SIZE
    writer = open_writer(limit_bytes=limit, max_object_bytes=limit // 4)
    for number in range(12):
        for channel in [_endless(writer) for _ in range(together)]:
            channel.close()
        honest = writer.channel()
        honest.append(INSTANCE, {}, bytes([number]) * 40_000)
        honest.close()
        assert sum(_sizes(folder).values()) <= limit
    assert _payloads(folder) == [bytes([number]) * 40_000 for number in range(12)]


def test_a_large_object_finds_the_room_of_empty_segments(open_writer: OpenWriter, folder: Path) -> None:
    """Many that were open at once and left nothing are many small segments: they go where a large one is needed."""
    writer = open_writer(limit_bytes=8 * SIZE)
    channels = [writer.channel() for _ in range(8)]
    for channel in channels:
        channel.begin(INSTANCE, {}).write(PART)
    for channel in channels:
        channel.close()
    assert len(_sizes(folder)) == 8
    ref = writer.channel().append(INSTANCE, {}, b"l" * 200_000)
    assert ref.segment == 9
    assert sum(_sizes(folder).values()) <= 8 * SIZE


def test_a_restart_gives_back_what_a_killed_one_left(open_writer: OpenWriter, folder: Path) -> None:
    """Empty segments for large objects hold nothing; the highest number is held by one of two pages, at each start."""
    writer = open_writer()
    held = [_endless(writer, 5) for _ in range(3)]
    left = _sizes(folder)
    assert sum(size > SIZE for size in left.values()) == 3
    writer.close()
    for _ in range(3):
        open_writer().close()
        after = _sizes(folder)
        assert [number for number, size in after.items() if size != SIZE] == [max(left) + 1]
    assert after[max(left) + 1] == DATA_START
    assert held


def test_an_object_that_is_too_large_is_refused_as_soon_as_it_is(open_writer: OpenWriter, folder: Path) -> None:
    """The rest of it is not taken, its segment is not kept for it, and the next one is stored."""
    channel = open_writer(max_object_bytes=100_000).channel()
    exact = channel.begin(INSTANCE, {})
    exact.write([b"e" * 60_000])
    exact.commit([b"e" * 40_000])
    draft = channel.begin(INSTANCE, {})
    draft.write([bytes(100_000)])
    with pytest.raises(SpoolFull, match="the object is larger than 100000 bytes"):
        draft.write([b"x"])
    with pytest.raises(SpoolFailed):
        draft.commit()
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes(100_001))
    channel.append(INSTANCE, {}, b"next")
    assert _payloads(folder) == [b"e" * 100_000, b"next"]


def test_no_segment_is_larger_than_the_largest_object_needs(open_writer: OpenWriter, folder: Path) -> None:
    """Room for twice as much is not made where so much is never taken."""
    channel = open_writer(max_object_bytes=200_000).channel()
    draft = channel.begin(INSTANCE, {})
    for _ in range(6):
        draft.write(PART)
    assert max(_sizes(folder).values()) < 200_000 + 5 * 4096


def test_the_largest_object_is_a_quarter_of_a_small_spool() -> None:
    """And of a large one what an uncompressed tomosynthesis takes."""
    assert max_object_bytes_of(256 << 20) == 64 << 20
    assert max_object_bytes_of(20 << 30) == 1 << 30


def _with_released(writer: SpoolWriter, folder: Path, *sizes: int) -> None:
    """Leave released segments that held one record each, and one that is still needed behind them."""
    channel = writer.channel()
    refs = [channel.append(INSTANCE, {}, bytes(size)) for size in (*sizes, 50_000, 50_000)]
    channel.close()
    for ref in refs[: len(sizes)]:
        assert release(folder, ref.segment, ref.generation)


def test_a_usual_record_is_not_put_into_a_released_giant(open_writer: OpenWriter, folder: Path) -> None:
    """A usual one that was released is taken, then another is made; a large record takes the giant."""
    writer = open_writer()
    _with_released(writer, folder, 400_000, 50_000)
    assert [writer.channel().append(INSTANCE, {}, bytes(50_000)).segment for _ in range(2)] == [2, 5]
    assert writer.channel().append(INSTANCE, {}, bytes(300_000)).segment == 1


def test_at_the_limit_giants_go_first(open_writer: OpenWriter, folder: Path) -> None:
    """Their room makes several usual ones."""
    writer = open_writer(limit_bytes=20 * SIZE)
    _with_released(writer, folder, 200_000, 400_000)
    used = sum(_sizes(folder).values())
    for _ in range((20 * SIZE - used) // SIZE):
        writer.channel().append(INSTANCE, {}, bytes(50_000))
    assert set(_sizes(folder)) >= {1, 2}
    assert writer.channel().append(INSTANCE, {}, bytes(50_000)).generation == 1
    assert {1, 2} & set(_sizes(folder)) == {1}


def test_where_none_can_be_made_a_giant_will_do(open_writer: OpenWriter, folder: Path) -> None:
    """On a full disk using one anew needs no space; where the disk refuses that too, it is said."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    _with_released(writer, folder, 400_000)
    failing.fail("allocate", 1, OSError(errno.ENOSPC, "full"))
    ref = writer.channel().append(INSTANCE, {}, bytes(50_000))
    assert (ref.segment, ref.generation) == (1, 2)


def test_where_somebody_was_refused_what_comes_back_is_closed(open_writer: OpenWriter, folder: Path) -> None:
    """So that the reading side can release it; with room again it stays open for others."""
    writer = open_writer(limit_bytes=3 * SIZE)
    channels = [writer.channel() for _ in range(3)]
    for channel in channels:
        channel.append(INSTANCE, {}, b"x")
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, b"x")
    for channel in channels:
        channel.close()
    closed = [one.number for one in segments(folder) if one.is_closed]
    assert len(closed) == 2
    assert release(folder, closed[0], 1)
    first, second = writer.channel(), writer.channel()
    first.append(INSTANCE, {}, b"x")
    second.append(INSTANCE, {}, b"x")
    first.close()
    second.close()
    assert [one.number for one in segments(folder) if one.is_closed] == closed[1:]


def test_the_highest_number_stays_while_the_next_has_no_name(open_writer: OpenWriter, folder: Path) -> None:
    """Or a death then would have it used again."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk, limit_bytes=12 * SIZE)
    _endless(writer, 5).close()
    highest = max(_sizes(folder))
    writer.channel().append(INSTANCE, {}, bytes(50_000))
    failing.fail("rename", 1, OSError(errno.EIO, "told to"))
    with pytest.raises(SpoolFailed):
        writer.channel().append(INSTANCE, {}, bytes(320_000))
    assert max(_sizes(folder)) == highest


def test_an_empty_segment_that_cannot_be_removed_is_left_to_the_reading_side(
    open_writer: OpenWriter, folder: Path
) -> None:
    """It is closed, so it can be released."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    first, second = _endless(writer, 5), _endless(writer, 5)
    failing.fail("unlink", 1, OSError(errno.EIO, "told to"))
    giants = [number for number, size in _sizes(folder).items() if size > SIZE]
    first.close()
    second.close()
    state = {one.number: one for one in segments(folder)}
    assert state[giants[0]].is_closed
    assert release(folder, giants[0], 1)


def test_a_reader_passes_over_a_segment_that_goes(open_writer: OpenWriter, folder: Path) -> None:
    """Between the look at the folder and the look at the segment."""
    writer = open_writer()
    for channel in [writer.channel() for _ in range(2)]:
        channel.append(INSTANCE, {}, b"x")
    (folder / segment_name(9)).symlink_to(folder / "nowhere")
    assert _payloads(folder) == [b"x", b"x"]
