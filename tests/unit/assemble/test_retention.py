"""Which received bytes go, which stay, and how much of the disk an old case takes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from agent.core.case import Case, CaseEvent
from agent.core.errors import StaleCase, Transient, Unreadable
from agent.core.instance import GONE, SpoolRef
from agent.core.retention import SegmentState
from tests.fakes.keeper_spool import FakeKeeperSpool
from tests.fakes.store import FakeStore
from tests.recycling import DONE, EPISODE, FAILED, World, in_memory, places

IMAGE = 30_000  # three a segment
THREE = 3
SMALL = 10_000


@pytest.fixture
def world() -> World:
    """Give a spool of 32 segments of 100,000 bytes."""
    return in_memory(FakeStore())


def _spool(world: World) -> FakeKeeperSpool:
    assert isinstance(world.spool, FakeKeeperSpool)
    return world.spool


def _fill(world: World, *events: CaseEvent, segments: int) -> list[Case]:
    """Receive cases of a segment each."""
    return [world.finish(THREE, IMAGE, *events) for _ in range(segments)]


def _released(world: World) -> list[int]:
    return [one.number for one in _spool(world).segments() if one.is_released]


def test_what_no_case_needs_goes_at_leisure(world: World) -> None:
    """Images of no case, and of a case whose episode is closed."""
    old = world.finish(THREE, IMAGE)
    for _ in range(THREE):
        world.send(None, IMAGE)
    world.clock.advance(EPISODE + timedelta(seconds=1))
    young = world.open()
    for _ in range(THREE + 1):
        world.send(young, IMAGE)  # the last one closes the segment before
    world.apply(young, *DONE)
    assert world.settle() == 2
    assert _released(world) == [1, 2]
    with world.store.unit() as unit:
        assert places(unit, old) == [GONE] * THREE
        assert GONE not in places(unit, young)


def test_a_finished_case_is_kept_while_there_is_room(world: World) -> None:
    """The next version may need its images."""
    done = world.finish(THREE, IMAGE)
    _fill(world, segments=10)
    assert world.settle() == 0
    assert world.lost([done]) == []


def test_an_open_segment_is_not_released(world: World) -> None:
    """More may come to it."""
    world.send(None, IMAGE)
    assert world.settle() == 0
    _spool(world).close_open()
    assert world.settle() == 1


def test_what_was_not_taken_in_is_not_judged(world: World) -> None:
    """A record behind the cursor keeps its segment."""
    world.send(None, IMAGE)
    ref = _spool(world).receive(b"not read yet")
    _spool(world).close_open()
    assert world.settle() == 0
    with world.store.unit() as unit:
        unit.advance(ref)
    assert world.settle() == 1


def test_where_room_is_scarce_finished_cases_go_oldest_first(world: World) -> None:
    """Only as many as are needed, and no dormant one."""
    asleep = world.finish(THREE, IMAGE, CaseEvent.NOT_ASKED)
    cases = _fill(world, segments=28)
    world.settle()
    gone = [bool(world.lost([case])) for case in cases]
    assert gone == sorted(gone, reverse=True)
    assert 0 < sum(gone) < 5
    assert world.lost([asleep]) == []


def test_where_nothing_finished_is_left_dormant_ones_go(world: World) -> None:
    """They are fetched again when they wake."""
    cases = _fill(world, CaseEvent.NOT_ASKED, segments=29)
    world.settle()
    gone = [len(world.lost([case])) for case in cases]
    assert gone[0] == THREE
    assert sum(gone) < 5 * THREE


@pytest.mark.parametrize("events", [(CaseEvent.CONFLICT_FOUND,), (CaseEvent.COMPLETE,), FAILED, DONE[:2], DONE[:3]])
def test_unfinished_cases_never_go(world: World, events: tuple[CaseEvent, ...]) -> None:
    """However full the spool is; it refuses then, and that is said once."""
    cases: list[Case] = []
    with capture_logs() as logs:
        with suppress(Transient):
            while len(cases) < 50:
                cases.append(world.finish(1, 80_000, *events))
        world.settle()
    assert len(cases) == 31
    assert _released(world) == []
    assert world.lost(cases) == []
    assert [log["event"] for log in logs] == ["spool_held_by_unfinished_cases"]


def test_what_was_not_taken_in_is_no_fault_of_a_case(world: World) -> None:
    """Where the keeper is behind, nobody is told to end cases."""
    with capture_logs() as logs:
        with suppress(Transient):
            while True:
                _spool(world).receive(bytes(80_000))
        world.settle()
    assert logs == []


def test_where_the_keeper_is_behind_dormant_ones_go_before_an_object_is_refused(world: World) -> None:
    """Of a full backlog none may go, and the PACS still has their images: the receiver has room for the next."""
    asleep = _fill(world, CaseEvent.NOT_ASKED, segments=15)
    for _ in range(THREE * 15):
        _spool(world).receive(bytes(IMAGE))  # nobody takes it in
    assert world.settle() > 0
    gone = [len(world.lost([case])) for case in asleep]
    assert gone[0] == THREE and sum(gone) < 8 * THREE
    for _ in range(THREE):
        _spool(world).receive(bytes(IMAGE))


def test_the_few_needed_records_of_a_segment_are_copied(world: World) -> None:
    """The case reads its images elsewhere from then on; the segment is used anew."""
    held = world.open()
    world.send(held, SMALL)
    held = world.apply(held, CaseEvent.CONFLICT_FOUND)
    with capture_logs() as logs:
        for _ in range(50):
            world.finish(THREE, IMAGE)
    assert world.lost([held]) == []
    with world.store.unit() as unit:
        assert all(ref.segment < 0 for ref in places(unit, held))
    released = [log for log in logs if log["event"] == "spool_segment_released"]
    assert sum(log["records"] for log in released) == 1
    assert all(log.keys() == {"event", "log_level", "segment", "records", "count"} for log in released)


def test_an_image_that_a_worker_may_be_reading_is_not_moved(world: World) -> None:
    """It is, once the worker is done."""
    running = world.open()
    world.send(running, SMALL)
    running = world.apply(running, *DONE[:2])
    for _ in range(45):
        world.finish(THREE, IMAGE)
    with world.store.unit() as unit:
        assert [ref.segment for ref in places(unit, running)] == [1]
    world.apply(running, CaseEvent.RETRY_DUE)
    for _ in range(45):
        world.finish(THREE, IMAGE)
    with world.store.unit() as unit:
        assert [ref.segment for ref in places(unit, running)] == [-1]
    assert world.lost([running]) == []


@pytest.mark.parametrize("event", [CaseEvent.FACTS_CHANGED, CaseEvent.CLAIMED])
def test_a_case_that_changed_while_its_images_were_copied_keeps_them(world: World, event: CaseEvent) -> None:
    """What woke is moved; what a worker took meanwhile stays where it is for now."""
    waiting = world.open()
    world.send(waiting, SMALL)
    waiting = world.apply(waiting, CaseEvent.NOT_ASKED if event is CaseEvent.FACTS_CHANGED else CaseEvent.COMPLETE)
    spool, copies = _spool(world), []
    copy = spool.copy

    def changing(refs: Sequence[SpoolRef]) -> Mapping[SpoolRef, SpoolRef]:
        if not copies:
            world.apply(waiting, event)
        copies.append(refs)
        return copy(refs)

    spool.copy = changing  # type: ignore[method-assign]
    _fill(world, segments=40)
    with world.store.unit() as unit:
        assert [ref.segment for ref in places(unit, waiting)] == [1 if event is CaseEvent.CLAIMED else -1]
    assert world.lost([waiting]) == []


def test_an_image_of_which_the_next_version_began_meanwhile_stays(world: World) -> None:
    """Nobody forgets what somebody began to need."""
    done, held = world.open(), world.open()
    world.send(held, SMALL)
    world.send(done, SMALL)
    world.apply(held, CaseEvent.CONFLICT_FOUND)
    done = world.apply(done, *DONE)
    spool = _spool(world)
    copy = spool.copy

    def opening(refs: Sequence[SpoolRef]) -> Mapping[SpoolRef, SpoolRef]:
        with suppress(StaleCase), world.store.unit() as unit:
            unit.open_version(done, world.clock())
        return copy(refs)

    spool.copy = opening  # type: ignore[method-assign]
    _fill(world, segments=40)
    assert world.lost([done, held]) == []


def test_without_room_for_copies_the_segment_stays(world: World) -> None:
    """And is copied as soon as there is room; nothing is logged."""
    held = world.open()
    world.send(held, SMALL)
    held = world.apply(held, CaseEvent.CONFLICT_FOUND)
    _spool(world).refuses_to_copy = 3
    for _ in range(45):
        world.finish(THREE, IMAGE)
    assert _spool(world).refuses_to_copy == 0
    assert world.lost([held]) == []


def test_a_segment_whose_needed_record_is_damaged_stays(world: World) -> None:
    """It is evidence; that is said once."""
    held = world.open()
    world.send(held, SMALL)
    held = world.apply(held, CaseEvent.CONFLICT_FOUND)
    with world.store.unit() as unit:
        _spool(world).damage(places(unit, held)[0])
    with capture_logs() as logs:
        for _ in range(45):
            world.finish(THREE, IMAGE)
    assert [log["segment"] for log in logs if log["event"] == "spool_segment_not_copied"] == [1]


def test_a_dense_segment_is_copied_where_nothing_else_helps(world: World) -> None:
    """Where held cases take two thirds of every segment, more of them fit than there are segments."""
    images, held = 0, []
    with capture_logs(), suppress(Transient):
        while images < 200:
            held.append(world.finish(2, IMAGE, CaseEvent.CONFLICT_FOUND))
            images += 2
    assert images > 2 * 31
    assert world.lost(held) == []


def test_one_old_case_never_pins_more_than_its_bytes_and_a_segment(world: World) -> None:
    """Its images came one a segment, among others; ten times the spool goes through."""
    held = world.open()
    for _ in range(8):
        world.send(held, IMAGE // 3)
        world.finish(THREE, IMAGE // 2)
        world.finish(1, IMAGE)
    held = world.apply(held, CaseEvent.CONFLICT_FOUND)
    for _ in range(100):
        world.finish(THREE, IMAGE)
    assert world.lost([held]) == []
    with world.store.unit() as unit:
        lying_in = {ref.segment for ref in places(unit, held)}
    assert len(lying_in) * 100_000 <= 8 * IMAGE // 3 + 100_000
    assert _spool(world).used_bytes <= _spool(world).limit_bytes


def test_a_segment_with_a_record_that_is_to_be_copied_out_stays(world: World) -> None:
    """Whatever the room: neither used anew nor moved, until the copy was made."""
    world.send(None, IMAGE)
    owed = _spool(world).receive(b"cannot be read".ljust(IMAGE))
    with world.store.unit() as unit:
        unit.advance(owed)
        unit.owe_copy(owed, "it could not be read", world.clock())
    _spool(world).close_open()
    _fill(world, segments=29)
    world.settle()
    assert owed.segment not in _released(world)
    with world.store.unit() as unit:
        unit.settle_copy(owed)
    _spool(world).close_open()
    world.settle()
    assert owed.segment in _released(world)


def test_a_segment_that_the_disk_does_not_give_back_stays_and_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in it behind the bad place was not read."""
    for _ in range(2 * THREE):
        world.send(None, IMAGE)
    _spool(world).close_open()
    right = FakeKeeperSpool.is_read

    def is_read(spool: FakeKeeperSpool, segment: SegmentState, last: SpoolRef | None) -> bool:
        if segment.number == 1:
            raise Unreadable("the disk does not give it back")
        return right(spool, segment, last)

    monkeypatch.setattr(FakeKeeperSpool, "is_read", is_read)
    assert world.settle() == 1
    assert _released(world) == [2]
