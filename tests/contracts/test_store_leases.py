"""What every store does for workers: claims, leases and their end."""

from datetime import timedelta

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import StaleCase
from agent.core.ports import Store
from tests.state_stores import MINUTE, OBJECTS, T0, opened, ready, running


def test_nothing_is_ready(store: Store) -> None:
    """Without a READY case there is nothing to claim."""
    with store.unit() as unit:
        opened(unit)
        assert unit.claim(T0, T0 + MINUTE, "worker-1") is None


def test_the_longest_waiting_case_is_claimed(store: Store) -> None:
    """Cases are claimed in the order in which they were complete, each once."""
    with store.unit() as unit:
        second, first = ready(unit, 0, T0 + 2 * MINUTE), ready(unit, 1, T0 + MINUTE)
        claimed = [unit.claim(T0 + 3 * MINUTE, T0 + 9 * MINUTE, "worker-1") for _ in range(3)]
    assert [case and case.id for case in claimed] == [first.id, second.id, None]


def test_a_claim_is_a_lease(store: Store) -> None:
    """A claimed case runs, counts an attempt, and has its lease's end."""
    with store.unit() as unit:
        case = running(unit)
        assert (case.state, case.attempt, case.due_at) == (CaseState.RUNNING, 1, T0 + MINUTE)
        assert unit.case(case.id) == case
        assert "worker-1" in unit.history(case.id)[-1].reason


def test_a_retry_waits_for_its_time(store: Store) -> None:
    """A case that is tried again later is not claimed before."""
    with store.unit() as unit:
        unit.apply(running(unit), CaseEvent.RETRY_DUE, T0, due_at=T0 + 5 * MINUTE)
        assert unit.claim(T0 + 4 * MINUTE, T0 + 9 * MINUTE, "worker-1") is None
        again = unit.claim(T0 + 5 * MINUTE, T0 + 9 * MINUTE, "worker-1")
        assert again is not None
        assert again.attempt == 2


def test_a_lease_ends(store: Store) -> None:
    """A lease is over when its time is, unless it is renewed."""
    with store.unit() as unit:
        case = running(unit)
        assert unit.expired_leases(T0 + MINUTE - timedelta(seconds=1)) == []
        assert unit.expired_leases(T0 + MINUTE) == [case]
        unit.renew(case, T0 + 2 * MINUTE)
        assert unit.expired_leases(T0 + MINUTE) == []
        assert [c.id for c in unit.expired_leases(T0 + 2 * MINUTE)] == [case.id]


def test_a_renewed_lease_still_saves(store: Store) -> None:
    """The worker goes on with the case that it claimed."""
    with store.unit() as unit:
        case = running(unit)
        unit.renew(case, T0 + 2 * MINUTE)
        assert unit.save_result(case, T0, {}, {}).state is CaseState.DELIVERING


def test_a_version_waits_for_the_one_before_it(store: Store) -> None:
    """While an earlier version runs or is to be tried again, a later one is not claimed, and other cases are."""
    with store.unit() as unit:
        first = running(unit)
        second = unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        other = ready(unit, 1, T0 + MINUTE)
        claimed = unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")
        assert claimed is not None
        assert claimed.id == other.id
        unit.apply(first, CaseEvent.RETRY_DUE, T0, due_at=T0 + 5 * MINUTE)
        assert unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2") is None
        again = unit.claim(T0 + 5 * MINUTE, T0 + 6 * MINUTE, "worker-1")
        assert again is not None
        assert again.id == first.id
        unit.save_result(again, T0 + 5 * MINUTE, {}, {"pacs": OBJECTS})
        after = unit.claim(T0 + 5 * MINUTE, T0 + 6 * MINUTE, "worker-2")
        assert after is not None
        assert (after.id, unit.superseded(after)) == (second.id, first.id)


def test_a_version_follows_one_that_was_given_up(store: Store) -> None:
    """Nobody answers that one any more."""
    with store.unit() as unit:
        first = running(unit)
        second = unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        unit.apply(first, CaseEvent.GAVE_UP, T0, reason="broken")
        claimed = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert claimed is not None
        assert claimed.id == second.id


@pytest.mark.parametrize("reclaimed", [False, True])
def test_a_lost_lease_cannot_be_renewed(store: Store, reclaimed: bool) -> None:
    """After its lease ended, and after another worker took over, a worker renews nothing."""
    with store.unit() as unit:
        case = running(unit)
        unit.apply(case, CaseEvent.LEASE_EXPIRED, T0 + MINUTE)
        if reclaimed:
            unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.renew(case, T0 + 9 * MINUTE)


def test_only_a_lease_is_renewed(store: Store) -> None:
    """A case that is not running has no lease."""
    with store.unit() as unit:
        case = ready(unit)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.renew(case, T0)


@pytest.mark.parametrize("reclaimed", [False, True])
def test_a_paused_worker_saves_nothing(store: Store, reclaimed: bool) -> None:
    """A worker that was stopped past its lease finds its case stale, and nothing of its result stays."""
    with store.unit() as unit:
        case = running(unit)
    with store.unit() as unit:
        now = unit.apply(case, CaseEvent.LEASE_EXPIRED, T0 + MINUTE)
        now = (reclaimed and unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")) or now
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.save_result(case, T0 + 2 * MINUTE, {"n": 1}, {"pacs": OBJECTS})
    with store.unit() as unit:
        assert unit.case(case.id) == now
        assert (list(unit.result_objects(case.id)), list(unit.outbox_of(case.id))) == ([], [])
        assert unit.summary(case.id) == {}
        assert not unit.is_own("2.25.1")


def test_the_leases_of_a_worker_are_known(store: Store) -> None:
    """A worker that starts again finds what one of its name held, and nothing of another's."""
    with store.unit() as unit:
        case = running(unit)
        assert unit.leases_of("worker-1") == [case]
        assert unit.leases_of("worker-2") == []
        unit.apply(case, CaseEvent.LEASE_EXPIRED, T0, reason="the worker died")
        assert unit.leases_of("worker-1") == []
