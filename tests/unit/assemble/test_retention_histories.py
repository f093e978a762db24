"""Random histories: no image that a case needs is ever lost, and the spool never outgrows its limit."""

from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Transient
from agent.core.retention import room_bytes
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.fakes.store import FakeStore
from tests.recycling import DONE, EPISODE, World, in_memory, on_disk

PINNED = frozenset(CaseState) - {CaseState.DONE, CaseState.DORMANT, CaseState.CLOSED}
PATHS: tuple[tuple[CaseEvent, ...], ...] = (
    (),
    (CaseEvent.CONFLICT_FOUND,),
    (CaseEvent.NOT_ASKED,),
    (CaseEvent.COMPLETE,),
    DONE[:2],
    DONE[:3],
    DONE,
    DONE,
    (*DONE[:2], CaseEvent.GAVE_UP),
    (CaseEvent.WITHDRAWN,),
)
_STEPS = st.one_of(
    st.tuples(st.just("case"), st.integers(0, len(PATHS) - 1), st.integers(1, 6), st.integers(1, 30)),
    st.tuples(st.just("noise"), st.just(0), st.integers(1, 12), st.integers(1, 30)),
    st.tuples(st.just("again"), st.integers(0, 30), st.just(1), st.integers(1, 30)),
    st.tuples(st.just("wake"), st.integers(0, 30), st.just(1), st.just(1)),
    st.tuples(st.just("tick"), st.just(0), st.integers(1, 3), st.just(1)),
    st.tuples(st.just("old"), st.just(0), st.just(1), st.just(1)),
)
Step = tuple[str, int, int, int]


class _History:
    """Plays steps and tells what is wrong after each; lengths are in hundredths of a segment."""

    def __init__(self, world: World, segment_bytes: int) -> None:
        self.world = world
        self.unit_bytes = (segment_bytes - 16_384) // 100 if segment_bytes > 40_000 else (segment_bytes - 12_288) // 60
        self.cases: list[Case] = []
        while room_bytes(world.keeper.segments(), world.keeper.limit_bytes) > 6 * segment_bytes:
            self._case(DONE, 1, 55)  # so that the room gets scarce soon
            if len(self.cases) % 7 == 1:
                self._case((CaseEvent.CONFLICT_FOUND,), 1, 1)

    def play(self, step: Step) -> list[str]:
        """Do one thing, and return what is wrong then; a full spool refuses it, which is no fault."""
        what, which, count, length = step
        with suppress(Transient):
            if what == "case":
                self._case(PATHS[which], count, length)
            elif what == "noise":
                for _ in range(count):
                    self.world.send(None, 100 + length * self.unit_bytes)
            elif what == "again" and self.cases:
                self._again(self.cases[which % len(self.cases)], length)
            elif what == "wake" and self.cases:
                self._wake(self.cases[which % len(self.cases)])
            elif what == "old":
                self.world.clock.advance(days=70)
            for _ in range(count if what == "tick" else 1):
                self.world.retention.tick()
        return self.wrong()

    def _case(self, path: tuple[CaseEvent, ...], count: int, length: int) -> None:
        case = self.world.open()
        self.cases.append(case)
        for _ in range(count):
            self.world.send(case, 100 + length * self.unit_bytes)
        self.world.apply(case, *path)

    def _again(self, case: Case, length: int) -> None:
        """An image of a case comes again, as one that the PACS sent does."""
        with self.world.store.unit() as unit:
            stored = unit.instances(case.id)
            is_open = unit.case(case.id).state in (CaseState.COLLECTING, CaseState.DORMANT, CaseState.HELD)
        if stored and is_open:
            uid = stored[0].instance.sop_instance_uid
            ref = self.world.spool.receive(f"{uid}\n".encode().ljust(100 + length * self.unit_bytes))
            with self.world.store.unit() as unit:
                unit.advance(ref)
                known = unit.find_instance(uid)
                assert known is not None
                unit.place(known, ref)

    def _wake(self, case: Case) -> None:
        """The next version of an answered case begins: what is gone by then is not lost but fetched again."""
        with self.world.store.unit() as unit:
            now = unit.case(case.id)
            is_whole = now.state is CaseState.DONE and not any(one.is_gone for one in unit.instances(case.id))
            if is_whole and not any(one.version > case.version for one in unit.versions(now)):
                self.cases.append(unit.open_version(now, self.world.clock()))

    def wrong(self) -> list[str]:
        """Return the images that are needed and lost, and whether the limit is exceeded; no other's bytes are read."""
        closed_before = self.world.clock() - EPISODE
        with self.world.store.unit() as unit:
            now = [unit.case(case.id) for case in self.cases]
        pinned = [one for one in now if one.state in PINNED]
        pinned = [one for one in pinned if one.state is not CaseState.FAILED or one.changed_at >= closed_before]
        others = [one for one in now if one not in pinned]
        self.world.lost(others)  # raises if it reads another record's bytes
        over = self.world.spool.used_bytes - self.world.keeper.limit_bytes
        return self.world.lost(pinned) + ([f"{over} bytes above the limit"] if over > 0 else [])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_STEPS, min_size=20, max_size=60))
def test_no_needed_image_is_lost_in_memory(steps: list[Step]) -> None:
    """Whatever comes in whatever order; at times much more than fits."""
    history = _History(in_memory(FakeStore(), 1_600_000), 50_000)
    for step in steps:
        assert history.play(step) == []


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_STEPS, min_size=15, max_size=25))
def test_no_needed_image_is_lost_on_a_disk(steps: list[Step]) -> None:
    """The same on SQLite and real segments."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        url = f"sqlite:///{folder / 'state.db'}"
        migrate(url)
        store = SqlStore(url)
        opened.callback(store.close)
        world = opened.enter_context(on_disk(store, folder / "spool"))
        history = _History(world, (1 << 20) // 32)
        for step in steps:
            assert history.play(step) == []
