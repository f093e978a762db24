"""Two transactions settle objects of one case at the same time: PostgreSQL lets both run, SQLite lets one wait."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest

from agent.core.case import CaseState
from agent.core.ports import OutboxStatus, Unit
from agent.deliver.verdict import conclude
from agent.state import SqlStore
from tests.delivery import T0, Delivery
from tests.fakes.pacs import FakePacs

ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@contextmanager
def beside(store: SqlStore, other: Callable[[], object]) -> Iterator[Unit]:
    """Open a unit; once its block is over, let `other` run in a thread until it waits or ends, and only then commit."""
    with ThreadPoolExecutor(1) as pool:
        with store.unit() as unit:
            yield unit
            running = pool.submit(other)
            wait_for_it(store, running)
        running.result(20)


def wait_for_it(store: SqlStore, running: Future[object]) -> None:
    """Return when the other one has ended, or waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + 10
    while not running.done():
        assert time.monotonic() < deadline, "it neither ended nor waited for a lock"
        with store.reading() as db:
            if db.exec_driver_sql(waiting).scalar_one():
                return
        time.sleep(0.01)


@ON_POSTGRESQL
def test_the_last_of_two_destinations_ends_the_case(sql_store: SqlStore) -> None:
    """Each settles its last object before the other's transaction is over: one of them sees that all is settled."""
    d = Delivery(confirm="none", store=sql_store, archives={"vna": FakePacs()})
    case = d.case(captures=0, destinations=("pacs", "vna"))
    with beside(sql_store, d.courier.destinations["vna"].tick) as unit:
        for item in d.items(case):
            unit.settle(item, OutboxStatus.CONFIRMED, T0)
        conclude(unit, case.id, T0)
    assert d.now(case).state is CaseState.DONE


@ON_POSTGRESQL
def test_a_report_is_not_overwritten_by_a_failure_to_ask(sql_store: SqlStore) -> None:
    """What a report confirms while the courier puts it off stays confirmed."""
    d = Delivery(confirm="commitment", store=sql_store)
    case = d.case(captures=0)
    items = d.items(case)
    with sql_store.unit() as unit:
        for item in items:
            unit.settle(item, OutboxStatus.SENT, T0)
        unit.expect_commitment("2.25.99", items, T0)
    route, stored = d.courier.destinations["pacs"]._route, d.items(case)

    def put_off() -> None:
        route.put_off(stored, OutboxStatus.SENT, route.delay(1), "stored, not confirmed")

    with beside(sql_store, put_off) as unit:
        unit.committed("2.25.99", d.uids(case), {}, T0)
        conclude(unit, case.id, T0)
    assert d.status(case) == [OutboxStatus.CONFIRMED] * 2
    assert d.now(case).state is CaseState.DONE


def test_couriers_that_run_side_by_side_end_every_case(sql_store: SqlStore) -> None:
    """However their transactions fall, no case stays on its way."""
    d = Delivery(confirm="none", store=sql_store, archives={"vna": FakePacs()})
    cases = [d.case(n, captures=0, destinations=("pacs", "vna")) for n in range(1, 16)]
    together = Barrier(2)

    def serve(destination: str) -> int:
        together.wait(10)
        return d.courier.destinations[destination].tick()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(serve, ["pacs", "vna"])) == [30, 30]
    assert {d.now(case).state for case in cases} == {CaseState.DONE}
