"""Any sequence of events leaves what the table of transitions says, and the history tells the same story."""

from collections import Counter
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.case import TRANSITIONS, Case, CaseEvent, CaseState, IllegalTransition, advance
from agent.core.errors import StaleCase
from agent.core.ports import Store
from tests.state_stores import MINUTE, PATIENT, QUESTION, T0, running

LIKELY = {state: sorted(e for s, e in TRANSITIONS if s is state) or list(CaseEvent) for state in CaseState}
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(store: Store, case: Case, event: CaseEvent) -> Case | type[Exception]:
    """Apply an event in a unit of its own; return the case, or the class of the refusal."""
    try:
        with store.unit() as unit:
            return unit.apply(case, event, T0, due_at=T0 + MINUTE, reason=event)
    except (IllegalTransition, StaleCase) as refused:
        return type(refused)


@QUICK
@given(data=st.data())
def test_events_follow_the_table(store: Store, data: st.DataObject) -> None:
    """The stored state is the model's after each event; who looked before an event is refused after it."""
    with store.unit() as unit:
        case = unit.open_case(QUESTION, PATIENT, T0, uuid4())
    model, attempts, happened = CaseState.COLLECTING, 0, []
    for _ in range(data.draw(st.integers(0, 14))):
        event = data.draw(st.sampled_from(LIKELY[model]) | st.sampled_from(CaseEvent))
        following = TRANSITIONS.get((model, event))
        before, result = case, outcome(store, case, event)
        if following is None:
            assert result is IllegalTransition
            continue
        assert isinstance(result, Case)
        case, model, attempts = result, following, attempts + (event is CaseEvent.CLAIMED)
        happened.append((event, attempts))
        assert (case.state, case.attempt) == (model, attempts)
        if before.state is not model:
            assert outcome(store, before, event) is StaleCase
    with store.unit() as unit:
        assert unit.case(case.id) == case
        history, tally = unit.history(case.id), unit.tally(case.id)
    events = [event for event, _ in happened]
    since = len(events) - events[::-1].index(CaseEvent.RERUN) if CaseEvent.RERUN in events else 0
    assert dict(tally) == dict(Counter(events[since:]))
    assert [(c.event, c.attempt) for c in history] == happened
    state = CaseState.COLLECTING
    for change in history:
        assert change.from_state is state
        state = advance(state, change.event)
        assert change.to_state is state
    assert state is case.state


def test_a_detail_stands_in_the_history_alone(store: Store) -> None:
    """A case's own reason stays short."""
    with store.unit() as unit:
        case = unit.apply(running(unit), CaseEvent.GAVE_UP, T0, reason="it died", detail="; its inputs: 1.2.3")
        assert unit.case(case.id).reason == "it died"
        assert unit.history(case.id)[-1].reason == "it died; its inputs: 1.2.3"


def test_a_rerun_starts_the_tally_anew(store: Store) -> None:
    """What happened before it does not count; what happens to another version never does."""
    with store.unit() as unit:
        failed = unit.apply(running(unit), CaseEvent.GAVE_UP, T0)
        running(unit, 1)
        assert unit.tally(failed.id)[CaseEvent.CLAIMED] == 1
        again = unit.apply(failed, CaseEvent.RERUN, T0)
        assert unit.tally(again.id) == {}
        unit.claim(T0, T0 + MINUTE, "worker-1")
        assert unit.tally(again.id) == {CaseEvent.CLAIMED: 1}
