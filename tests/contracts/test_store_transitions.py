"""What every store does with an event: one door to a case's state, and nobody passes with an old view of it."""

import pytest

from agent.core.case import CaseEvent, CaseState, IllegalTransition
from agent.core.errors import StaleCase
from agent.core.ports import Store
from tests.state_stores import MINUTE, T0, arrival, instance, opened, ready


def test_an_event_moves_a_case_and_is_noted(store: Store) -> None:
    """State, schedule, reason and history change together."""
    with store.unit() as unit:
        case = unit.apply(opened(unit), CaseEvent.NOT_ASKED, T0, reason="no cancer", due_at=T0 + MINUTE)
    assert (case.state, case.due_at, case.reason) == (CaseState.DORMANT, T0 + MINUTE, "no cancer")
    with store.unit() as unit:
        assert unit.case(case.id) == case
        (change,) = unit.history(case.id)
    assert (change.at, change.event, change.attempt, change.reason) == (T0, CaseEvent.NOT_ASKED, 0, "no cancer")
    assert (change.from_state, change.to_state) == (CaseState.COLLECTING, CaseState.DORMANT)


def test_an_event_that_cannot_happen_changes_nothing(store: Store) -> None:
    """An event that the table does not have is refused."""
    with store.unit() as unit:
        case = opened(unit)
    with pytest.raises(IllegalTransition), store.unit() as unit:
        unit.apply(case, CaseEvent.RESULT_SAVED, T0)
    with store.unit() as unit:
        assert (unit.case(case.id), list(unit.history(case.id))) == (case, [])


def test_a_case_that_moved_on_is_stale(store: Store) -> None:
    """Who looked at another state may write nothing at all."""
    with store.unit() as unit:
        old = unit.add_instance(opened(unit), instance(), arrival(), T0)
        now = unit.apply(old, CaseEvent.COMPLETE, T0)
        (stored,) = unit.instances(old.id)
        writes = (
            lambda: unit.apply(old, CaseEvent.NOT_ASKED, T0),
            lambda: unit.postpone(old, T0, "later"),
            lambda: unit.save_findings(old, {"x": 1}),
            lambda: unit.mark_left_out(old, stored, "why", quarantined=True),
            lambda: unit.mark_used(old, ["1.2.3"]),
        )
        for write in writes:
            with pytest.raises(StaleCase):
                write()
        assert unit.case(old.id) == now
        assert unit.findings(old.id) == {}
        assert unit.arrivals() == [arrival()]


def test_news_since_the_decision_makes_it_stale(store: Store) -> None:
    """A case in which an image arrived while it was judged is not complete."""
    with store.unit() as unit:
        judged = opened(unit)
    with store.unit() as unit:
        changed = unit.add_instance(judged, instance(), arrival(at=T0 + MINUTE), T0 + 2 * MINUTE)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.apply(judged, CaseEvent.COMPLETE, T0 + MINUTE)
    with store.unit() as unit:
        assert unit.case(judged.id) == changed


def test_a_case_knows_when_it_was_complete(store: Store) -> None:
    """COMPLETE sets the time, a retry keeps it, new images clear it."""
    with store.unit() as unit:
        case = ready(unit, at=T0 + MINUTE)
        assert case.ready_at == T0 + MINUTE
        claimed = unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-1")
        assert claimed is not None
        again = unit.apply(claimed, CaseEvent.RETRY_DUE, T0 + 2 * MINUTE)
        assert again.ready_at == T0 + MINUTE
        assert unit.add_instance(again, instance(), arrival(), T0).ready_at is None


def test_a_reason_stays_while_the_state_does(store: Store) -> None:
    """An image that joins a held case does not wipe out why it is held; leaving the state does."""
    with store.unit() as unit:
        held = unit.apply(opened(unit), CaseEvent.CONFLICT_FOUND, T0, reason="two patients")
        held = unit.add_instance(held, instance(), arrival(), T0)
        assert (held.state, held.reason) == (CaseState.HELD, "two patients")
        assert unit.apply(held, CaseEvent.RESOLVED, T0).reason == ""


def test_a_case_is_postponed(store: Store) -> None:
    """Looking again later changes schedule and reason, nothing else, and is no event."""
    with store.unit() as unit:
        case = opened(unit)
        later = unit.postpone(case, T0 + MINUTE, "waits for US")
        assert (later.due_at, later.reason, later.state) == (T0 + MINUTE, "waits for US", CaseState.COLLECTING)
        assert unit.case(case.id) == later
        assert list(unit.history(case.id)) == []


def test_a_case_is_looked_at_no_more(store: Store) -> None:
    """Without a day it is never due."""
    with store.unit() as unit:
        case = unit.postpone(unit.postpone(opened(unit), T0, ""), None, "over")
        assert (case.due_at, case.reason) == (None, "over")
        assert unit.due(list(CaseState), T0, 10) == []


def test_due_cases_of_several_states_come_in_one_order(store: Store) -> None:
    """However many of one state are due, the longest due come first."""
    with store.unit() as unit:
        dormant = unit.apply(opened(unit, 0), CaseEvent.NOT_ASKED, T0, due_at=T0 + MINUTE)
        waiting = [unit.postpone(opened(unit, n), T0 + minutes * MINUTE, "") for n, minutes in ((1, 0), (2, 2))]
        both = [CaseState.COLLECTING, CaseState.DORMANT]
        assert [c.id for c in unit.due(both, T0 + 2 * MINUTE, 10)] == [waiting[0].id, dormant.id, waiting[1].id]
        assert [c.id for c in unit.due(both, T0 + 2 * MINUTE, 2)] == [waiting[0].id, dormant.id]


def test_due_cases_come_longest_due_first(store: Store) -> None:
    """Only cases of the states asked for, whose time has come, in order, up to the limit."""
    with store.unit() as unit:
        late, early, future = (
            unit.postpone(opened(unit, n), T0 + minutes * MINUTE, "") for n, minutes in enumerate((2, 1, 9))
        )
        unit.apply(opened(unit, 3), CaseEvent.NOT_ASKED, T0, due_at=T0)
        opened(unit, 4)  # not scheduled
        now = T0 + 2 * MINUTE
        assert unit.due([CaseState.COLLECTING], now, 9) == [early, late]
        assert unit.due([CaseState.COLLECTING], now, 1) == [early]
        assert len(unit.due([CaseState.COLLECTING, CaseState.DORMANT], now, 9)) == 3
        assert unit.due([CaseState.COLLECTING], T0 + 9 * MINUTE, 9)[-1] == future
        assert unit.due([CaseState.READY], now, 9) == []
