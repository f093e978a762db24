"""Any sequence of events leaves what the table of transitions says, and the history tells the same story."""

from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.case import TRANSITIONS, Case, CaseEvent, CaseState, IllegalTransition, advance
from agent.core.errors import StaleCase
from agent.core.ports import Store
from tests.state_stores import MINUTE, PATIENT, QUESTION, T0

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
        history = unit.history(case.id)
    assert [(c.event, c.attempt) for c in history] == happened
    state = CaseState.COLLECTING
    for change in history:
        assert change.from_state is state
        state = advance(state, change.event)
        assert change.to_state is state
    assert state is case.state
