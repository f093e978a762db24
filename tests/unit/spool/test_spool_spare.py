"""Segments made before they are needed."""

import errno
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.spool import Disk, SpoolFull, SpoolWriter, release, segments
from agent.spool.spare import SpareKeeper
from tests.fakes.disks import FailingDisk
from tests.fakes.spool import NOW
from tests.harness import wait_until

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE
SIZE = 1 << 16


def test_a_segment_is_zeroed_before_it_is_used(open_writer: OpenWriter) -> None:
    """Every byte was written and synced before its name is given; one for a large object is only allocated."""
    written: list[int] = []
    failing = FailingDisk()
    writer = open_writer(
        disk=Disk(
            pwritev=lambda *args: written.append(failing.disk.pwritev(*args)) or written[-1],
            fsync=lambda fd: written.append(0) or failing.disk.fsync(fd),
            rename=lambda old, new: written.append(-1) or failing.disk.rename(old, new),
        )
    )
    writer.channel().append(INSTANCE, {}, b"x")
    before = written[written.index(0) + 1 :]  # behind the sync of the folder that was made
    assert sum(before[: before.index(0)]) >= SIZE
    assert before[before.index(0) + 1] == -1
    written.clear()
    writer.channel().append(INSTANCE, {}, bytes(2 << 20))
    assert sum(written) < 3 << 20


def test_a_quiet_receiver_makes_one_segment(open_writer: OpenWriter, folder: Path) -> None:
    """What tells of starts and associations asks for no spare."""
    writer = open_writer(keep_spare=True)
    channel = writer.channel()
    channel.append(RecordKind.RECEIVER_STARTED, {}, b"")
    channel.append(RecordKind.ASSOCIATION_OPENED, {}, b"")
    writer.close()
    assert [state.number for state in segments(folder)] == [1]


def test_one_is_ready_while_instances_arrive(open_writer: OpenWriter, folder: Path) -> None:
    """The first instance has it made, the next user gets it, and then another is made; it outlives a restart."""
    writer = open_writer(keep_spare=True)
    first, second = writer.channel(), writer.channel()
    first.append(INSTANCE, {}, b"x")
    wait_until(lambda: len(segments(folder)) == 2, 10, "a spare is made")
    assert second.append(INSTANCE, {}, b"x").segment == 2
    first.append(INSTANCE, {}, b"x")
    wait_until(lambda: len(segments(folder)) == 3, 10, "another is made")
    writer.close()
    writer = open_writer()
    used = {writer.channel().append(INSTANCE, {}, b"x").segment for _ in range(3)}
    assert used == {1, 2, 3}


def test_a_released_segment_becomes_the_spare(open_writer: OpenWriter, folder: Path) -> None:
    """Before any is made; with the disk near the watermark too."""
    free = [1 << 30]
    writer = open_writer(keep_spare=False, refuse_below_free_bytes=100, free=lambda _: free[0])
    channel = writer.channel()
    for _ in range(2):
        channel.append(INSTANCE, {}, bytes(50_000))
    writer.close()
    assert release(folder, 1, 1)
    free[0] = 200
    writer = open_writer(keep_spare=True, refuse_below_free_bytes=100, free=lambda _: free[0])
    writer.channel().append(RecordKind.HL7, {}, b"takes what is there")
    writer.channel().append(INSTANCE, {}, b"x")
    writer.close()
    assert {state.number: state.generation for state in segments(folder)}[1] == 2


def test_no_spare_is_made_below_the_watermark_or_beyond_the_limit(open_writer: OpenWriter, folder: Path) -> None:
    """Nobody waits for it; it is said once, and instances are stored meanwhile."""
    for changes in ({"limit_bytes": SIZE}, {"refuse_below_free_bytes": SIZE, "free": lambda _: 2 * SIZE - 1}):
        place = folder / str(len(changes))
        writer = SpoolWriter(
            place,
            **(
                {"limit_bytes": 1 << 24, "refuse_below_free_bytes": 0, "segment_bytes": SIZE, "now": lambda: NOW}
                | changes  # type: ignore[arg-type]
            ),
        )
        with capture_logs() as logs:
            channel = writer.channel()
            for _ in range(3):
                channel.append(INSTANCE, {}, b"x")
            wait_until(partial(bool, logs), 10, "it is said")
            writer.close()
        assert [log["event"] for log in logs] == ["spool_has_no_spare"]
        assert len(segments(place)) == 1


@pytest.mark.parametrize("call", ["allocate", "pwritev", "fsync", "rename", "open"])
def test_a_disk_that_fails_the_maker_harms_nobody(open_writer: OpenWriter, folder: Path, call: str) -> None:
    """No half-made segment stays, no space is lost to the limit, and the next try succeeds."""
    failing = FailingDisk()
    writer = open_writer(disk=failing.disk, limit_bytes=2 * SIZE)
    first, second = writer.channel(), writer.channel()
    first.append(INSTANCE, {}, b"x")
    failing.fail(call, 1, OSError(errno.ENOSPC, "full"))
    with pytest.raises(SpoolFull):
        second.append(INSTANCE, {}, b"x")
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "segment-00000001.spool"]
    second.append(INSTANCE, {}, b"x")


def _has_left(outcomes: list[bool], count: int) -> bool:
    return len(outcomes) == count


class _Pauses:
    """Pauses that take no time; after some, the end."""

    def __init__(self, count: int) -> None:
        self.taken: list[float] = []
        self.count = count
        self.ended = threading.Event()

    def __call__(self, pause_s: float) -> bool:
        self.taken.append(pause_s)
        if len(self.taken) == self.count:
            self.ended.set()
        return len(self.taken) >= self.count


def test_tries_again_ever_more_slowly_up_to_30_s() -> None:
    """It is said once; a success begins anew."""
    outcomes = [True, *[False] * 7, True, False]
    tried: list[bool] = []

    def prepare() -> None:
        tried.append(outcomes.pop(0))
        if not tried[-1]:
            raise SpoolFull("no room")

    pauses = _Pauses(8)
    keeper = SpareKeeper(prepare, pauses)
    with capture_logs() as logs:
        for left in (9, 1, 0):
            keeper.wake()
            wait_until(partial(_has_left, outcomes, left), 10, "it was tried")
        assert pauses.ended.wait(10)
        keeper.stop()
        keeper.stop()
    assert pauses.taken == [1, 2, 4, 8, 16, 30, 30, 1]
    assert [log["event"] for log in logs] == ["spool_has_no_spare"] * 2


def test_a_stop_ends_a_pause() -> None:
    """The receiver's end waits for no disk."""
    tried = threading.Event()
    before = set(threading.enumerate())

    def prepare() -> None:
        tried.set()
        raise SpoolFull("no room")

    keeper = SpareKeeper(prepare)
    keeper.wake()
    assert tried.wait(10)
    keeper.stop()
    keeper.wake()
    assert set(threading.enumerate()) <= before
