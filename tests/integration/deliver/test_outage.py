"""A PACS that is down for a working day, in virtual time, with a real database: what the outage costs, and its end."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from agent.core.case import CaseState
from agent.core.errors import Unanswered
from agent.core.ports import OutboxStatus
from agent.state import SqlStore
from tests.delivery import Delivery
from tests.fakes.pacs import FakePacs

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
CASES, OBJECTS = 40, 4
DOWN = timedelta(hours=8)
STEP_S = 5.0


@contextmanager
def statements(store: SqlStore) -> Iterator[list[str]]:
    """Collect the first word of every statement."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement.split()[0])

    sa.event.listen(store._engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(store._engine, "before_cursor_execute", note)


def probes_of(pacs: FakePacs) -> int:
    """Return how often somebody called."""
    return len(pacs.associations)


@ON_SQLITE
def test_a_destination_down_for_eight_hours_costs_nothing(sql_store: SqlStore) -> None:
    """Another one has everything at once; one call a minute, no write; all is there in minutes after the return."""
    vna = FakePacs()
    d = Delivery(
        confirm="none",
        store=sql_store,
        pacs=FakePacs(down=True),
        archives={"vna": vna},
        random=random.Random(6).random,
    )
    pacs, other = d.courier.destinations["pacs"], d.courier.destinations["vna"]
    calls: list[datetime] = []
    written = 0
    steps = int(DOWN.total_seconds() / STEP_S)
    with statements(sql_store) as seen:
        for step in range(steps):
            if step * CASES // steps < (step + 1) * CASES // steps:
                d.case((step + 1) * CASES // steps, captures=OBJECTS - 2, destinations=("pacs", "vna"))
                assert other.tick() == OBJECTS
            before = probes_of(d.pacs)
            seen.clear()
            assert pacs.tick() == 0
            calls += [d.clock()] * (probes_of(d.pacs) - before)
            if before:
                written += len([word for word in seen if word in ("INSERT", "UPDATE", "DELETE")])
                assert len(seen) <= 6
            d.clock.pass_s(STEP_S)
    assert len(vna.kept) == CASES * OBJECTS
    late = calls[3:]
    assert all(b - a >= timedelta(seconds=60) for a, b in pairwise(late))
    assert 420 <= len(calls) <= 480
    assert written == 0, "after the first attempt nothing is written"
    with sql_store.unit() as unit:
        waiting = unit.outbox("pacs", [OutboxStatus.WAITING], d.clock(), 10**6)
    assert len(waiting) == CASES * OBJECTS, "all is due at once"
    assert {i.attempts for i in waiting} == {0}
    d.pacs.down = False
    came_back, ticks = d.clock(), 0
    while len(d.pacs.kept) < CASES * OBJECTS:
        pacs.tick()
        ticks += 1
        d.clock.pass_s(STEP_S)
    assert d.clock() - came_back <= timedelta(minutes=2)
    assert ticks <= 20, "most of them before it is called again"
    assert len(d.pacs.requests) == CASES * OBJECTS, "each once"
    with sql_store.unit() as unit:
        assert {unit.case(item.case_id).state for item in waiting} == {CaseState.DONE}


@ON_SQLITE
def test_what_waits_does_not_slow_a_tick_while_the_destination_is_down(sql_store: SqlStore) -> None:
    """A tick between two calls asks the database nothing, one that calls a bounded number of things."""
    d = Delivery(confirm="none", store=sql_store, pacs=FakePacs(down=True))
    for number in range(1, 40):
        d.case(number, captures=0)
    d.courier.tick()
    with statements(sql_store) as seen:
        d.courier.tick()
    assert seen == []
    d.clock.pass_s(400)
    with statements(sql_store) as seen:
        d.courier.tick()
    assert [word for word in seen if word != "BEGIN"] == ["SELECT"] * 4


@ON_SQLITE
def test_a_destination_that_hangs_is_left_alone_as_well(sql_store: SqlStore) -> None:
    """It takes associations and answers nothing: one case an attempt waits for its time-out, not all of them."""
    d = Delivery(confirm="none", store=sql_store)
    cases = [d.case(number, captures=0) for number in range(1, 11)]
    answering = d.pacs.store
    hung: list[datetime] = []

    def hang(parts, **_):  # type: ignore[no-untyped-def]
        d.clock.pass_s(60)
        hung.append(d.clock())
        raise Unanswered("no response to C-STORE: time ran out")
        yield

    d.pacs.store = hang  # type: ignore[method-assign]
    for _ in range(120):
        d.courier.tick()
        d.clock.pass_s(15)
    assert len(hung) <= 30
    late = hung[3:]
    assert all(b - a >= timedelta(seconds=120) for a, b in pairwise(late))
    d.pacs.store = answering  # type: ignore[method-assign]
    for _ in range(40):
        d.courier.tick()
        d.clock.pass_s(15)
    assert {d.now(case).state for case in cases} == {CaseState.DONE}


@ON_SQLITE
def test_a_destination_that_flaps_gets_everything_once(sql_store: SqlStore) -> None:
    """Up for a while and down for a while, in the middle of cases: all arrives, no object is stored twice."""
    d = Delivery(confirm="none", store=sql_store)
    chance = random.Random(3)
    cases = []
    for number in range(1, 41):
        cases.append(d.case(number, captures=0))
        d.pacs.down = chance.random() < 0.5
        d.pacs.break_after = chance.choice([None, 1])
        d.courier.tick()
        d.clock.pass_s(45)
    d.pacs.down, d.pacs.break_after = False, None
    for _ in range(30):
        d.courier.tick()
        d.clock.pass_s(15)
    assert {d.now(case).state for case in cases} == {CaseState.DONE}
    assert len(d.pacs.kept) == 80
    assert len(d.pacs.requests) - len(d.pacs.kept) <= 40, "repeated is only what got no answer"
