"""A small spool on a disk, used anew many times, and deaths at every step of that."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from errno import EIO, ENOSPC
from pathlib import Path

import pytest

from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent, Transient
from agent.core.instance import SpoolRef
from agent.crashpoint import HOUSEKEEPING
from agent.spool import KeptSpool, SpoolReader, Watermark
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.clock import Clock
from tests.fakes.disks import FailingDisk
from tests.prepared import FORKS
from tests.recycling import DONE, ON_DISK_BYTES, World, on_disk, places

SEGMENT = ON_DISK_BYTES // 32
IMAGE = SEGMENT // 2
SMALL = 2000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give a migrated database."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    return url


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    """Give a spool of 32 segments on a disk."""
    with closing(SqlStore(url)) as store, on_disk(store, tmp_path / "spool") as made:
        yield made


def _hold_one(world: World) -> Case:
    """Leave a held case with a small image in each of the first segments."""
    held = world.open()
    for _ in range(4):
        world.send(held, SMALL)
        world.finish(1, IMAGE)
    return world.apply(held, CaseEvent.CONFLICT_FOUND)


def _fill(world: World) -> None:
    for _ in range(26):
        case = world.open()
        world.send(case, IMAGE)
        world.apply(case, *DONE)


def test_five_times_the_spool_passes_through(world: World) -> None:
    """A held case keeps its images, in the copies' segment; the limit holds all the time."""
    held, most = _hold_one(world), 0
    for _ in range(5 * 32):
        world.finish(1, IMAGE)
        most = max(most, world.spool.used_bytes)
    assert most <= ON_DISK_BYTES
    assert world.lost([held]) == []
    with world.store.unit() as unit:
        assert {ref.segment for ref in places(unit, held)} == {-1}


def test_copies_make_room_for_copies(world: World) -> None:
    """Held cases come and go: their copies' segments are given back."""
    for _ in range(4):
        held = _hold_one(world)
        for _ in range(32):
            world.finish(1, IMAGE)
        assert world.lost([held]) == []
        world.apply(held, CaseEvent.WITHDRAWN)
    kept = [one for one in world.keeper.segments() if one.number < 0]
    assert len(kept) <= 2


@pytest.mark.parametrize("point", HOUSEKEEPING)
def test_a_death_at_any_step_loses_nothing(world: World, url: str, tmp_path: Path, point: str) -> None:
    """Another process goes on from where it was; no image is read from another's bytes."""
    held = _hold_one(world)
    _fill(world)
    assert _run(url, tmp_path, f"{point}:1") == -signal.SIGKILL
    assert world.lost([held]) == []
    assert _run(url, tmp_path, "") == 0
    assert world.lost([held]) == []
    for _ in range(32):  # so that what was released is used anew
        world.finish(1, IMAGE)
    assert world.lost([held]) == []
    with world.store.unit() as unit:
        assert all(ref.segment < 0 for ref in places(unit, held))


def _run(url: str, tmp_path: Path, kill_at: str) -> int:
    words, env = [url, str(tmp_path / "spool")], {**os.environ, "SENTINODE_TEST_KILL_AT": kill_at}
    return FORKS[-1].run("tests.fakes.deadly_retention", words, 2, 2, env, session=True).wait(60)


@pytest.mark.parametrize(
    ("call", "number", "error"),
    [("pwritev", 1, ENOSPC), ("pwritev", 3, EIO), ("fsync", 1, EIO), ("open", 3, ENOSPC), ("rename", 1, EIO)],
)
def test_a_disk_that_refuses_while_copying_loses_nothing(
    world: World, tmp_path: Path, call: str, number: int, error: int
) -> None:
    """The segment stays, and is copied when the disk takes it."""
    held = _hold_one(world)
    _fill(world)
    disk = FailingDisk()
    disk.fail(call, number, OSError(error, "refused"))
    world.keeper = spool = KeptSpool(tmp_path / "spool", limit_bytes=ON_DISK_BYTES, now=world.clock, disk=disk.disk)
    world.__post_init__()
    for _ in range(12):
        with suppress(Transient):
            world.retention.tick()
        assert world.lost([held]) == []
    assert not disk.is_waiting
    for _ in range(16):
        world.finish(1, IMAGE)
    assert world.lost([held]) == []
    with world.store.unit() as unit:
        assert all(ref.segment < 0 for ref in places(unit, held))
    spool.close()


def test_a_copy_is_the_record_as_it_came(world: World, tmp_path: Path) -> None:
    """Kind, meta, payload and the time of its arrival; another use of its segment, or none, is gone."""
    held = _hold_one(world)
    with world.store.unit() as unit:
        (ref, *_) = places(unit, held)
    reader, before = SpoolReader(tmp_path / "spool"), SpoolReader(tmp_path / "spool").read(ref)
    world.clock.advance(days=1)
    place = world.keeper.copy([ref])[ref]
    copy = reader.read(place)
    assert (copy.kind, copy.meta, copy.payload) == (before.kind, before.meta, before.payload)
    assert copy.received_at == before.received_at
    assert copy.ref == place
    assert place.segment < 0
    for other in (SpoolRef(place.segment, place.generation + 1, place.offset), SpoolRef(0, 0, 0)):
        with pytest.raises(Permanent, match="no longer in the spool"):
            reader.read(other)


def test_where_the_disk_has_less_than_the_limit_that_counts(tmp_path: Path) -> None:
    """What others put on the disk makes finished cases' images go in time, before anything is refused."""
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "segment-00000001.spool").write_bytes(bytes(3000))
    kept = [
        KeptSpool(folder, limit_bytes=10_000, now=Clock(), watermark=Watermark(500, lambda _, n=n: n))
        for n in (9000, 2000, 100)
    ]
    assert [one.limit_bytes for one in kept] == [10_000, 4500, 2600]


def test_a_spool_that_is_not_there_yet_has_no_segments(tmp_path: Path) -> None:
    """The keeper may start before the receiver."""
    assert KeptSpool(tmp_path / "none", limit_bytes=ON_DISK_BYTES, now=Clock()).segments() == []
