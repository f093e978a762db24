"""The table of a case's life, and what follows from it."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.case import ANSWERED, TRANSITIONS, CaseEvent, CaseState, IllegalTransition, advance
from agent.core.errors import SentinodeError

C, E = CaseState, CaseEvent


def following(state: CaseState) -> set[CaseState]:
    """Return the states that one event can lead to."""
    return {after for (before, _), after in TRANSITIONS.items() if before is state}


def reachable(start: CaseState, without: Iterable[CaseState] = ()) -> set[CaseState]:
    """Return the states that any sequence of events can lead to, never passing through some."""
    seen, new = {start}, {start}
    while new:
        new = {after for state in new for after in following(state)} - seen - set(without)
        seen |= new
    return seen


@given(st.sampled_from(CaseState), st.sampled_from(CaseEvent))
def test_advance_is_the_table(state: CaseState, event: CaseEvent) -> None:
    """An event leads where the table says, and is refused where the table has no row."""
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{event} cannot happen to a case that is {state}"):
            advance(state, event)


def test_a_refused_event_is_an_error_of_ours() -> None:
    """The command line shows it as one line."""
    assert issubclass(IllegalTransition, SentinodeError)


def test_every_event_can_happen() -> None:
    """No event is without a row."""
    assert {event for _, event in TRANSITIONS} == set(CaseEvent)


def test_every_state_is_reached() -> None:
    """A case that is collecting can come into every state."""
    assert reachable(C.COLLECTING) == set(CaseState)


def test_every_case_can_end() -> None:
    """From every state an end can be reached."""
    assert all(reachable(state) & {C.DONE, C.CLOSED} for state in CaseState)


def test_closed_is_the_end() -> None:
    """Nothing happens to a closed case."""
    assert following(C.CLOSED) == set()


def test_nothing_is_answered_without_being_complete() -> None:
    """The only way to an answer leads through READY and RUNNING."""
    assert C.RUNNING not in reachable(C.COLLECTING, without=[C.READY])
    assert C.DELIVERING not in reachable(C.COLLECTING, without=[C.RUNNING])


def test_only_a_person_resolves_a_conflict() -> None:
    """A held case stays held whatever arrives, until it is resolved or withdrawn."""
    assert {event for (state, event), after in TRANSITIONS.items() if state is C.HELD and after is not C.HELD} == {
        E.RESOLVED,
        E.WITHDRAWN,
    }


@pytest.mark.parametrize("event", [E.INSTANCE_STORED, E.FACTS_CHANGED])
@pytest.mark.parametrize("state", sorted(ANSWERED | {C.CLOSED}))
def test_news_never_change_an_answer(state: CaseState, event: CaseEvent) -> None:
    """What comes once a version runs opens the next version: this one takes nothing."""
    with pytest.raises(IllegalTransition):
        advance(state, event)


@pytest.mark.parametrize("event", [E.INSTANCE_STORED, E.FACTS_CHANGED])
@pytest.mark.parametrize("state", sorted(set(CaseState) - ANSWERED - {C.CLOSED}))
def test_news_are_always_taken_in(state: CaseState, event: CaseEvent) -> None:
    """Before a version runs, images and facts look at it anew, unless it is held."""
    assert advance(state, event) is (C.HELD if state is C.HELD else C.COLLECTING)


def test_stored_bytes_are_sent_again() -> None:
    """RESEND is for what has a result: a finished or a failed case."""
    assert {state for state, event in TRANSITIONS if event is E.RESEND} == {C.DONE, C.FAILED}
