"""A disk that does not give back a part of a segment keeps no writer from its work, and no keeper."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import Disk, SpoolReader, SpoolWriter, release, segments
from agent.spool.segment import PAGE, Horizon, opened, read_identity, segment_name, write_horizon
from tests.fakes.bad_sectors import BadSectors

OpenWriter = Callable[..., SpoolWriter]
SIZE, COUNT = 5000, 13
LAST = COUNT - 1
ALL = {str(n) for n in range(COUNT)}


@pytest.fixture
def refs(open_writer: OpenWriter) -> list[SpoolRef]:
    """Give a spool of two segments, the first of ten records and closed, the second of three."""
    writer = open_writer()
    channel = writer.channel()
    refs = [channel.append(RecordKind.INSTANCE, {"n": str(n)}, bytes([n]) * SIZE) for n in range(COUNT)]
    channel.close()
    writer.close()
    assert [one.is_closed for one in segments(writer._folder)] == [True, False]
    return refs


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BadSectors:
    """Give a disk whose sectors can be spoiled."""
    return BadSectors(monkeypatch)


def _path(folder: Path, ref: SpoolRef) -> Path:
    return folder / segment_name(ref.segment)


def _lag(folder: Path, ref: SpoolRef) -> None:
    """Let the horizon lag to a record, as a loss of power may."""
    with opened(_path(folder, ref), 2) as fd:
        identity = read_identity(fd)
        assert identity is not None
        write_horizon(Disk(), fd, identity, Horizon(ref.offset, identity.first_sequence))


def _start_and_take_one(open_writer: OpenWriter) -> SpoolRef:
    writer = open_writer()
    channel = writer.channel()
    ref = channel.append(RecordKind.INSTANCE, {"n": "new"}, b"new")
    channel.close()
    writer.close()
    return ref


def _shown(folder: Path) -> set[str]:
    return {one.meta.get("n", "") for one in SpoolReader(folder).after({}) if not one.is_unreadable}


@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize("of", [0, LAST])
def test_a_start_goes_on_beside_a_segment_that_cannot_be_read(
    folder: Path, open_writer: OpenWriter, refs: list[SpoolRef], disk: BadSectors, page: int, of: int
) -> None:
    """It is left as it is, and told; nothing is appended to it, and its number is not used again."""
    path = _path(folder, refs[of])
    before = path.read_bytes()
    disk.spoil(path, page * PAGE)
    with capture_logs() as logs:
        new = _start_and_take_one(open_writer)
    assert new.segment != refs[of].segment
    assert path.read_bytes() == before
    assert [(one["event"], one["segment"]) for one in logs] == [("spool_segment_unreadable", refs[of].segment)]
    disk.heal()
    assert _shown(folder) == {*ALL, "new"}


@pytest.mark.parametrize("within", [0, 1000])
def test_what_lies_on_both_sides_of_a_bad_place_is_published(
    folder: Path, open_writer: OpenWriter, refs: list[SpoolRef], disk: BadSectors, within: int
) -> None:
    """The horizon may have lagged: what was acknowledged behind it counts, and what is hidden is told of by readers."""
    _lag(folder, refs[10])
    disk.spoil(_path(folder, refs[11]), refs[11].offset + within)
    assert _start_and_take_one(open_writer).segment != refs[11].segment
    assert _shown(folder) == {*ALL, "new"} - {"11"}
    assert [one.is_unreadable for one in SpoolReader(folder).after({})].count(True) == 1
    disk.heal()
    assert _shown(folder) == {*ALL, "new"}


def test_a_torn_place_behind_the_last_record_hinders_no_start(
    folder: Path, open_writer: OpenWriter, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """A loss of power may leave a sector that was being written unreadable."""
    end = segments(folder)[-1].end
    disk.spoil(_path(folder, refs[LAST]), end)
    assert _start_and_take_one(open_writer).segment != refs[LAST].segment
    assert _shown(folder) == {*ALL, "new"}


@pytest.mark.parametrize("page", [0, 1])
def test_the_other_segments_are_told(folder: Path, refs: list[SpoolRef], disk: BadSectors, page: int) -> None:
    """Who releases them is not held up by one."""
    disk.spoil(_path(folder, refs[0]), page * PAGE)
    assert [one.number for one in segments(folder)] == [refs[LAST].segment]


def test_a_released_segment_that_cannot_be_read_is_not_used_anew(
    folder: Path, open_writer: OpenWriter, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """Another is made; it stays released for when the disk gives it back."""
    assert release(folder, refs[0].segment, refs[0].generation)
    writer = open_writer()
    disk.spoil(_path(folder, refs[0]), 0)
    channel = writer.channel()
    taken = {channel.append(RecordKind.INSTANCE, {}, bytes(SIZE)).segment for _ in range(20)}
    assert refs[0].segment not in taken
    disk.heal()
    taken = {channel.append(RecordKind.INSTANCE, {}, bytes(SIZE)).segment for _ in range(20)}
    assert refs[0].segment in taken
    channel.close()
    writer.close()


def test_the_oldest_that_is_not_read_is_told_beside_a_bad_segment(
    folder: Path, refs: list[SpoolRef], disk: BadSectors
) -> None:
    """An administrator whose disk fails looks there first."""
    disk.spoil(_path(folder, refs[0]), 0)
    assert SpoolReader(folder).oldest_after({}) is not None
