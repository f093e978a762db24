"""Segments that are not needed any more are used anew."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import SpoolFailed, SpoolFull, SpoolReader, SpoolWriter, release, segments
from agent.spool.renewals import REFUSED_S
from agent.spool.segment import DATA_START, PAGE
from tests.fakes.disks import Dead, FailingDisk
from tests.harness import wait_until

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE
BIG = 50_000  # one a segment


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in SpoolReader(folder).after({})]


def _filled(writer: SpoolWriter, count: int) -> list[SpoolRef]:
    """Leave so many closed segments with one record each, and one open."""
    channel = writer.channel()
    refs = [channel.append(INSTANCE, {"n": str(n)}, bytes([n]) * BIG) for n in range(count + 1)]
    channel.close()
    return refs[:count]


def _markers(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "released").iterdir())


def test_segments_say_what_stands_in_them(open_writer: OpenWriter, folder: Path) -> None:
    """Number, use, size, end, last sequence number, and whether more may come."""
    channel = open_writer().channel()
    channel.append(INSTANCE, {}, bytes(BIG))
    channel.append(INSTANCE, {}, b"x")
    channel.append(INSTANCE, {}, bytes(BIG))
    first, second, *_ = segments(folder)
    assert (first.number, first.generation, first.size, first.is_closed) == (1, 1, 1 << 16, True)
    assert DATA_START + BIG < first.end <= 1 << 16
    assert (second.number, second.is_closed) == (2, False)
    assert first.last_sequence < second.last_sequence


def test_what_is_damaged_or_gone_is_no_segment(open_writer: OpenWriter, folder: Path) -> None:
    """It cannot be released either; what is gone needs no release."""
    (ref,) = _filled(open_writer(), 1)
    (folder / "segment-00000099.spool").write_bytes(b"short")
    (folder / "segment-00000098.spool").symlink_to(folder / "nowhere")
    assert [state.number for state in segments(folder)] == [1, 2]
    assert not release(folder, 99, 1)
    assert release(folder, 97, 1)
    assert not release(folder, ref.segment, ref.generation + 1)


def test_a_disk_that_refuses_is_reported(folder: Path) -> None:
    """The keeper tries again later."""
    (folder / "segment-00000001.spool").mkdir(parents=True)
    with pytest.raises(SpoolFailed):
        segments(folder)
    with pytest.raises(SpoolFailed):
        release(folder, 1, 1)


def test_a_released_segment_is_used_before_another_is_made(open_writer: OpenWriter, folder: Path) -> None:
    """It holds new records only, of a new generation; the old place is gone for good, and the release too."""
    writer = open_writer()
    refs = _filled(writer, 2)
    assert release(folder, 1, 1)
    assert release(folder, 1, 1)
    assert _markers(folder) == ["segment-00000001.generation-1"]
    new = writer.channel().append(INSTANCE, {}, b"n" * BIG)
    assert (new.segment, new.generation, new.offset) == (1, 2, DATA_START)
    assert _markers(folder) == []
    reader = SpoolReader(folder)
    with pytest.raises(Permanent, match="no longer in the spool"):
        reader.read(refs[0])
    assert reader.read(refs[1]).payload == bytes([1]) * BIG
    assert b"\0" * BIG not in _payloads(folder)
    assert reader.read(new).payload == b"n" * BIG
    assert release(folder, 1, 1)
    assert _markers(folder) == []


def test_a_cursor_of_the_old_use_begins_anew(open_writer: OpenWriter, folder: Path) -> None:
    """All records of the new use come, with higher sequence numbers than any before."""
    writer = open_writer()
    refs = _filled(writer, 2)
    before = max(record.sequence for record in SpoolReader(folder).after({}))
    release(folder, 1, 1)
    new = writer.channel().append(INSTANCE, {}, b"n" * BIG)
    cursor = {1: refs[0], 2: refs[1], 3: SpoolRef(3, 1, DATA_START)}
    (record,) = SpoolReader(folder).after(cursor)
    assert record.ref == new
    assert record.sequence > before


def test_a_segment_that_may_get_more_is_not_released(open_writer: OpenWriter, folder: Path) -> None:
    """Lent, free, or free after a restart: its records to come would be lost."""
    writer = open_writer()
    channel = writer.channel()
    channel.append(INSTANCE, {}, b"x")
    assert not release(folder, 1, 1)
    channel.close()
    assert not release(folder, 1, 1)
    writer.close()
    writer = open_writer()
    assert not release(folder, 1, 1)
    assert writer.channel().append(INSTANCE, {}, b"y").segment == 1


def test_stale_and_foreign_files_release_nothing(open_writer: OpenWriter, folder: Path) -> None:
    """A release names one use; of others, of segments that are gone, and what is none, nothing follows."""
    writer = open_writer()
    _filled(writer, 2)
    (folder / "released").mkdir()
    for name in ("segment-00000001.generation-7", "segment-00000044.generation-1", "notes.txt"):
        (folder / "released" / name).touch()
    assert writer.channel().append(INSTANCE, {}, bytes(BIG)).segment == 4
    assert _markers(folder) == ["notes.txt"]


def test_a_release_of_an_open_segment_is_no_harm_after_a_restart(open_writer: OpenWriter, folder: Path) -> None:
    """A power loss may take the mark that it is closed and leave the release: nothing is appended to it."""
    writer = open_writer()
    channel = writer.channel()
    channel.append(INSTANCE, {}, b"old")
    channel.close()
    writer.close()
    (folder / "released").mkdir()
    (folder / "released" / "segment-00000001.generation-1").touch()
    ref = open_writer().channel().append(INSTANCE, {}, b"new")
    assert (ref.segment, ref.generation) == (1, 2)
    assert _payloads(folder) == [b"new"]


def test_below_the_watermark_released_segments_are_given_back(open_writer: OpenWriter, folder: Path) -> None:
    """As many as it takes: their room is the disk's again, and instances are taken."""
    others = 0

    def free(folder: Path) -> int:
        return (6 << 16) - others - sum(path.stat().st_size for path in folder.glob("*.spool"))

    writer = open_writer(refuse_below_free_bytes=2 << 16, free=free)
    _filled(writer, 4)
    others = 1
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, b"refused")
    assert not writer.has_free_disk()
    for number in (1, 2):
        release(folder, number, 1)
    wait_until(writer.has_free_disk, 10, "room is made")
    writer.close()
    assert sorted(path.name for path in folder.glob("*.spool")) == [f"segment-{n:08}.spool" for n in (3, 4, 5)]


def test_releases_that_cannot_be_read_are_reported(open_writer: OpenWriter, folder: Path) -> None:
    """Where a segment is needed it fails; below the watermark instances are refused, as if there were none."""
    free = [1 << 30]
    writer = open_writer(refuse_below_free_bytes=100, free=lambda _: free[0])
    (folder / "released").touch()
    with pytest.raises(SpoolFailed):
        writer.channel().append(INSTANCE, {}, b"x")
    free[0] = 99
    with pytest.raises(SpoolFull, match="watermark"):
        writer.channel().append(INSTANCE, {}, b"x")
    with pytest.raises(SpoolFailed):
        writer.shrink()
    writer.close()


def test_at_the_limit_released_segments_make_room(open_writer: OpenWriter, folder: Path) -> None:
    """Some that are too small for what comes are removed; the last number stays, so none is used twice."""
    writer = open_writer(limit_bytes=5 << 16)
    _filled(writer, 4)
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, bytes(100_000))
    for number in (1, 2, 3, 4):
        release(folder, number, 1)
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, bytes(5 << 16))
    ref = writer.channel().append(INSTANCE, {}, bytes(100_000))
    assert ref.segment > 5
    assert [state.number for state in segments(folder)] == [5, ref.segment]


def test_a_full_disk_takes_what_fits_into_released_segments(open_writer: OpenWriter, folder: Path) -> None:
    """Using one anew needs no space."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    _filled(writer, 1)
    failing.fail("allocate", 1, OSError(errno.ENOSPC, "full"))
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, bytes(BIG))
    failing.fail("allocate", 1, OSError(errno.ENOSPC, "full"))
    release(folder, 1, 1)
    assert writer.channel().append(INSTANCE, {}, bytes(BIG)).generation == 2


def test_what_cannot_be_used_anew_is_left(open_writer: OpenWriter, folder: Path) -> None:
    """The next one is taken, and it is said once."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    _filled(writer, 2)
    for number in (1, 2):
        release(folder, number, 1, failing.disk)
    failing.fail("fdatasync", 1, OSError(errno.EIO, "told to"))
    with capture_logs() as logs:
        refs = [writer.channel().append(INSTANCE, {}, bytes(BIG)) for _ in range(2)]
    assert [(ref.segment, ref.generation) for ref in refs] == [(2, 2), (4, 1)]
    assert [log["event"] for log in logs] == ["spool_segment_not_renewed"]


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_what_could_not_be_used_anew_is_tried_again(
    open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """After a minute, whatever the failure left of it, as a use behind both that it may hold."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk, limit_bytes=2 << 16)
    _filled(writer, 1)
    assert release(folder, 1, 1)
    failing.fail(call, 1, OSError(errno.EIO, "told to"))
    for _ in range(2):
        with pytest.raises(SpoolFull):
            writer.channel().append(INSTANCE, {}, bytes(BIG))
    begun = writer._pool._clock()
    monkeypatch.setattr(writer._pool, "_clock", lambda: begun + REFUSED_S)
    ref = writer.channel().append(INSTANCE, {}, b"n" * BIG)
    assert (ref.segment, ref.generation) == (1, 3)
    assert SpoolReader(folder).read(ref).payload == b"n" * BIG
    writer.close()
    open_writer().close()
    assert _payloads(folder)[-1] == b"n" * BIG


def test_what_went_since_is_not_tried_again(
    open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed for its room."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    _filled(writer, 2)
    assert release(folder, 1, 1)
    failing.fail("open", 1, OSError(errno.EIO, "told to"))
    writer.channel().append(INSTANCE, {}, bytes(BIG))
    writer.shrink()
    begun = writer._pool._clock()
    monkeypatch.setattr(writer._pool, "_clock", lambda: begun + REFUSED_S)
    with capture_logs() as logs:
        writer.channel().append(INSTANCE, {}, bytes(BIG))
    assert logs == []


def test_a_death_at_any_call_leaves_the_old_use_or_the_new(open_writer: OpenWriter, folder: Path) -> None:
    """After it the other segments are as they were, and the released one takes records again."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk)
    _filled(writer, 2)
    writer.close()
    original = folder.with_name("original")
    folder.rename(original)
    number = 1
    while number == 1 or not failing.is_waiting:
        shutil.copytree(original, folder)
        writer = open_writer(disk=failing.disk)
        failing.fail("any", number, Dead())
        try:
            release(folder, 1, 1, failing.disk)
            writer.channel().append(INSTANCE, {}, b"n" * BIG)
        except Dead:
            number += 1
        writer.close()
        writer = open_writer()
        shown = _payloads(folder)
        assert shown[-2:] != [] and b"\1" * BIG in shown and b"\2" * BIG in shown
        assert set(shown) <= {b"\0" * BIG, b"\1" * BIG, b"\2" * BIG, b"n" * BIG}
        ref = writer.channel().append(INSTANCE, {}, b"m" * BIG)
        assert SpoolReader(folder).read(ref).payload == b"m" * BIG
        writer.close()
        shutil.rmtree(folder)
    assert number > 8


def test_a_reader_does_not_call_a_new_use_damage(open_writer: OpenWriter, folder: Path) -> None:
    """What it was about to read is gone, not broken."""
    writer = open_writer()
    _filled(writer, 2)
    records = SpoolReader(folder).after({})
    next(records)
    release(folder, 2, 1)
    writer.channel().append(INSTANCE, {}, b"n" * BIG)
    with capture_logs() as logs:
        assert bytes([1]) * BIG not in [record.payload for record in records]
    assert logs == []


def test_a_start_reads_little_of_closed_segments(open_writer: OpenWriter, folder: Path) -> None:
    """Identity and horizon are enough: damage behind them is not looked at, nor is anything changed."""
    writer = open_writer()
    _filled(writer, 1)
    writer.close()
    path = folder / "segment-00000001.spool"
    whole = path.read_bytes()
    end = segments(folder)[0].end
    path.write_bytes(whole[:end] + b"\xff" * (len(whole) - end))
    before = path.read_bytes()
    open_writer().close()
    assert path.read_bytes() == before


def test_the_horizon_on_the_disk_lags_by_a_bound(open_writer: OpenWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then a record is synced with the whole file; a start searches no further than that."""
    monkeypatch.setattr("agent.spool.open_segment.SEARCH_BYTES", 2 * PAGE)
    failing = FailingDisk()
    channel = open_writer(disk=failing.disk).channel()
    for _ in range(12):
        channel.append(INSTANCE, {}, bytes(PAGE - 64))
    assert failing.calls["fdatasync"] in (3, 4, 5)
