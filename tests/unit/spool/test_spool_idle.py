"""Segments that are left half used are closed, so that they can be released."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.core.ports import RecordKind
from agent.spool import SpoolFull, SpoolWriter, release, segments
from agent.spool.free import IDLE_S
from agent.spool.writer import SEGMENT_BYTES, segment_bytes_of

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE


def _use_at_once(writer: SpoolWriter, count: int) -> None:
    """Leave so many segments with a record and much room."""
    channels = [writer.channel() for _ in range(count)]
    for number, channel in enumerate(channels):
        channel.append(INSTANCE, {}, bytes(100 * (number + 1)))
    for channel in channels:
        channel.close()


def _closed(folder: Path) -> list[int]:
    return [one.number for one in segments(folder) if one.is_closed]


def test_without_room_all_but_the_emptiest_are_closed_at_once(open_writer: OpenWriter, folder: Path) -> None:
    """What is refused now fits when the keeper has released them."""
    writer = open_writer(limit_bytes=4 << 16)
    _use_at_once(writer, 4)
    channel = writer.channel()
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes(53_100))
    assert _closed(folder) == [2, 3, 4]
    assert release(folder, 3, 1)
    assert channel.append(INSTANCE, {}, bytes(53_100)).segment == 3
    channel.close()
    writer.close()


def test_where_there_is_room_they_are_closed_when_they_were_idle_for_long(
    open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the next one is made; one that an earlier run left counts from the start."""
    writer = open_writer()
    _use_at_once(writer, 3)
    writer.close()
    writer = open_writer()
    channel = writer.channel()
    channel.append(INSTANCE, {}, bytes(56_000))
    assert _closed(folder) == []
    begun = writer._pool._clock()
    monkeypatch.setattr(writer._pool, "_clock", lambda: begun + IDLE_S)
    channel.append(INSTANCE, {}, bytes(56_000))
    assert _closed(folder) == [2, 3, 4]
    channel.close()
    writer.close()


def test_what_lies_beside_counts_in_the_limit(open_writer: OpenWriter, folder: Path) -> None:
    """Released segments are removed, but the last, where the limit fell; then nothing more is made."""
    beside = 0
    writer = open_writer(limit_bytes=4 << 16, beside=lambda: beside)
    channel = writer.channel()
    for _ in range(4):
        channel.append(INSTANCE, {}, bytes(50_000))
    for number in (1, 2):
        assert release(folder, number, 1)
    beside = 1 << 16
    assert channel.append(INSTANCE, {}, bytes(50_000)).segment == 2
    assert [one.number for one in segments(folder)] == [2, 3, 4]
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes(50_000))
    channel.close()
    writer.close()


def test_a_small_spool_has_small_segments() -> None:
    """A 32nd of it, in whole pages; at most the usual size."""
    assert segment_bytes_of(256 << 20) == 8 << 20
    assert segment_bytes_of((256 << 20) + 5) == 8 << 20
    assert segment_bytes_of(20 << 30) == SEGMENT_BYTES
    assert segment_bytes_of(20 << 30, 64) == SEGMENT_BYTES
    assert segment_bytes_of(2 << 30, 64) == 16 << 20


def test_a_small_spool_has_a_segment_for_each_user(open_writer: Callable[..., SpoolWriter]) -> None:
    """As many as may be there at once all store something; half of the spool is left for more."""
    limit, users = 1 << 24, 64
    writer = open_writer(limit_bytes=limit, segment_bytes=segment_bytes_of(limit, users))
    channels = [writer.channel() for _ in range(users)]
    held = {channel.append(INSTANCE, {}, b"small").segment for channel in channels}
    assert len(held) == users
    assert channels[0].append(INSTANCE, {}, bytes(limit // 4))
    for channel in channels:
        channel.close()
    writer.close()
