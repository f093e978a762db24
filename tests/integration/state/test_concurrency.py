"""Many workers and processes on one database."""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import StaleCase, Transient
from agent.core.instance import SpoolRef
from agent.state import SqlStore
from agent.state.migration import migrate
from agent.state.tables import cases
from tests.postgres import PostgresServer
from tests.state_stores import MINUTE, OBJECTS, T0, arrival, instance, opened, ready, running

CASES = 200
WORKERS = 4


def claim_all(url: str, worker: str) -> list[int]:
    """Claim until nothing is left, as a worker process does; return what was claimed."""
    claimed = []
    with closing(SqlStore(url)) as store:
        while True:
            with store.unit() as unit:
                case = unit.claim(T0, T0 + MINUTE, worker)
            if case is None:
                return claimed
            claimed.append(case.id)


def test_every_case_is_claimed_once(url: str) -> None:
    """Four processes claim two hundred cases: each case once, and none is left."""
    with closing(SqlStore(url)) as store, store.unit() as unit:
        expected = [ready(unit, n).id for n in range(CASES)]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        claimed = pool.starmap(claim_all, [(url, f"worker-{n}") for n in range(WORKERS)])
    assert sorted(case_id for one in claimed for case_id in one) == expected


def test_threads_share_a_store(sql_store: SqlStore) -> None:
    """Four threads of one process claim from the same store: each case once, one attempt each."""
    with sql_store.unit() as unit:
        for n in range(CASES):
            ready(unit, n)
    together = Barrier(WORKERS)

    def work(worker: str) -> list[int]:
        together.wait(10)
        claimed = []
        while True:
            with sql_store.unit() as unit:
                case = unit.claim(T0, T0 + MINUTE, worker)
            if case is None:
                return claimed
            claimed.append(case.id)

    with ThreadPoolExecutor(WORKERS) as pool:
        counted = Counter(case_id for one in pool.map(work, "abcd") for case_id in one)
    assert (len(counted), set(counted.values())) == (CASES, {1})
    with sql_store.unit() as unit:
        leased = unit.expired_leases(T0 + MINUTE)
    assert {case.attempt for case in leased} == {1}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_claim_does_not_wait_for_another(url: str) -> None:
    """PostgreSQL: while one worker's claim is not committed, another gets the next case at once, and then none."""
    with closing(SqlStore(url)) as store, closing(SqlStore(url)) as other:
        with store.unit() as unit:
            first, second = ready(unit, 0), ready(unit, 1)
        with store.unit() as unit, other.unit() as beside:
            mine, theirs = unit.claim(T0, T0 + MINUTE, "a"), beside.claim(T0, T0 + MINUTE, "b")
            none = beside.claim(T0, T0 + MINUTE, "b")
        assert [case and case.id for case in (mine, theirs, none)] == [first.id, second.id, None]


def test_one_of_two_writers_wins(sql_store: SqlStore) -> None:
    """Eight threads apply an event to the case that all of them looked at: one does, the others find it stale."""
    with sql_store.unit() as unit:
        case = opened(unit)
    together = Barrier(8)

    def complete(_: int) -> bool:
        together.wait(10)
        try:
            with sql_store.unit() as unit:
                unit.apply(case, CaseEvent.COMPLETE, T0)
        except StaleCase:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(complete, range(8))) == [False] * 7 + [True]
    with sql_store.unit() as unit:
        assert len(unit.history(case.id)) == 1


def test_an_image_that_arrives_meanwhile_is_not_overlooked(sql_store: SqlStore) -> None:
    """However a completion and an arrival race, a case is never READY on a decision that did not see the image."""
    for n in range(20):
        with sql_store.unit() as unit:
            judged = opened(unit, n)
        together = Barrier(2)
        came = arrival(f"1.{n}", n, T0 + timedelta(seconds=1))

        def complete(case: Any = judged, both: Barrier = together) -> bool:
            both.wait(10)
            return not _is_stale(lambda: _apply(sql_store, case))

        def arrive(case_id: int = judged.id, uid: str = f"1.{n}", both: Barrier = together, came: Any = came) -> None:
            both.wait(10)
            while _is_stale(lambda: _add(sql_store, case_id, uid, came)):
                pass

        with ThreadPoolExecutor(2) as pool:
            completed, _ = pool.submit(complete), pool.submit(arrive).result(10)
            completed.result(10)
        with sql_store.unit() as unit:
            assert unit.case(judged.id).state is CaseState.COLLECTING
            assert len(unit.instances(judged.id)) == 1


def _apply(store: SqlStore, case: Any) -> None:
    with store.unit() as unit:
        unit.apply(case, CaseEvent.COMPLETE, T0)


def _add(store: SqlStore, case_id: int, uid: str, came: Any) -> None:
    with store.unit() as unit:
        unit.add_instance(unit.case(case_id), instance(uid), came, T0)


def _is_stale(write: Callable[[], None]) -> bool:
    try:
        write()
    except StaleCase:
        return True
    return False


def test_a_paused_worker_saves_nothing_beside_the_new_one(sql_store: SqlStore) -> None:
    """After its lease ended and another worker claimed, the first one's result vanishes and the second's stands."""
    with sql_store.unit() as unit:
        paused = running(unit)
    with sql_store.unit() as unit:
        unit.apply(paused, CaseEvent.LEASE_EXPIRED, T0 + MINUTE)
        again = unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")
        assert again is not None
    with sql_store.unit() as unit:
        unit.save_result(again, T0, {"by": 2}, {"pacs": OBJECTS[:1]})
    with pytest.raises(StaleCase), sql_store.unit() as unit:
        unit.save_result(paused, T0, {"by": 1}, {"pacs": OBJECTS[1:]})
    with sql_store.unit() as unit:
        assert unit.summary(paused.id) == {"by": 2}
        assert [i.sop_instance_uid for i in unit.outbox_of(paused.id)] == [OBJECTS[0].sop_instance_uid]


def test_a_reader_is_not_held_up(sql_store: SqlStore) -> None:
    """Looking works while a writer is at work, and does not see what is not committed."""
    with sql_store.unit() as unit:
        opened(unit)
        with sql_store.reading() as db:
            assert db.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one() == 0
    with sql_store.reading() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one() == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_locked_database_is_transient(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite: who waits too long for the write lock may try again later."""
    monkeypatch.setattr("agent.state.database._WAIT_S", 0)
    with (
        closing(SqlStore(url)) as store,
        closing(SqlStore(url)) as other,
        store.unit(),
        pytest.raises(Transient, match="locked"),
        other.unit(),
    ):
        pass


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_that_goes_away_is_transient(url: str, postgres: PostgresServer) -> None:
    """PostgreSQL: what stops in the middle of a unit is Transient; the next unit works once the server is back."""

    def lose_the_connection(store: SqlStore) -> None:
        with store.unit() as unit:
            unit.advance(SpoolRef(1, 1, 0))
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = 'sentinode'"
            )
            unit.cursor()

    with closing(SqlStore(url)) as store:
        with pytest.raises(Transient, match="cannot be used now"):
            lose_the_connection(store)
        with store.unit() as unit:
            assert unit.cursor() == {}


def test_two_migrations_at_once(request: pytest.FixtureRequest, url: str) -> None:
    """Two processes that migrate the same database follow each other."""
    target = url + ".new" if url.startswith("sqlite") else request.getfixturevalue("postgres").new_database()
    with ThreadPoolExecutor(2) as pool:
        revisions = list(pool.map(migrate, [target, target]))
    assert len(set(revisions)) == 1
    SqlStore(target).close()
