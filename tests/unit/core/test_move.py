"""What an event does to a case, beside its state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.patient import PatientKey
from agent.core.result import Kind, ResultObject
from agent.state.move import move, sending_order

T0 = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = T0 + timedelta(minutes=1)
CASE = Case(1, UUID(int=1), 1, "aln", PatientKey("EXAMPLE", "4711"), CaseState.READY, 2, T0, T0, None, T0, "why")


def named(uid: str) -> ResultObject:
    """Return an object of which only the UID counts."""
    return ResultObject(Kind.SR, "sr:L", "L", 0, "1.2", uid, "1.2", "1.2", "1.2", b"")


def test_a_claim_needs_a_lease() -> None:
    """A case that nobody would ever take back cannot be claimed."""
    with pytest.raises(ValueError, match="due_at"):
        move(CASE, CaseEvent.CLAIMED, LATER)


def test_a_claim_counts() -> None:
    """Only CLAIMED counts an attempt; it is no news."""
    claimed = move(CASE, CaseEvent.CLAIMED, LATER, due_at=LATER)
    assert (claimed.attempt, claimed.changed_at, claimed.ready_at) == (3, T0, T0)
    assert move(claimed, CaseEvent.RETRY_DUE, LATER).attempt == 3


@pytest.mark.parametrize("event", [CaseEvent.INSTANCE_STORED, CaseEvent.FACTS_CHANGED])
def test_news_change_a_case(event: CaseEvent) -> None:
    """An image or a fact sets `changed_at`, and what was complete is so no more."""
    changed = move(CASE, event, LATER, due_at=LATER)
    assert (changed.changed_at, changed.ready_at, changed.due_at, changed.reason) == (LATER, None, LATER, "")


@pytest.mark.parametrize("event", [CaseEvent.ALL_CONFIRMED, CaseEvent.GAVE_UP])
def test_what_ends_a_version_has_it_looked_at_from_then_on(event: CaseEvent) -> None:
    """Facts may change after the answer; a version that moves on otherwise is not scheduled unless someone says so."""
    delivering = replace(CASE, state=CaseState.DELIVERING)
    assert move(delivering, event, LATER).due_at == LATER
    assert move(delivering, event, T0, due_at=LATER).due_at == LATER
    assert move(delivering, CaseEvent.WITHDRAWN, LATER).due_at is None


@given(st.permutations([f"2.25.{n}" for n in range(6)]), st.lists(st.lists(st.booleans(), min_size=6, max_size=6)))
def test_objects_of_several_destinations_keep_their_order(uids: list[str], kept: list[list[bool]]) -> None:
    """Where the first destination gets everything, any selections of it join into its order."""
    whole = [named(uid) for uid in uids]
    selections = [[one for one, keep in zip(whole, keeps, strict=True) if keep] for keeps in kept]
    assert sending_order([whole, *selections]) == whole


@given(st.lists(st.lists(st.integers(0, 9), unique=True)))
def test_every_object_stands_once(destinations: list[list[int]]) -> None:
    """Whatever destinations get, nothing is lost and nothing doubled."""
    joined = sending_order([[named(str(n)) for n in one] for one in destinations])
    uids = [one.sop_instance_uid for one in joined]
    assert len(uids) == len(set(uids))
    assert set(uids) == {str(n) for one in destinations for n in one}


def test_an_object_that_only_a_later_destination_gets_stands_in_its_place() -> None:
    """What the first destination does not get follows what it follows at its own."""
    sr, text, capture = named("1"), named("2"), named("3")
    assert sending_order([[sr, capture], [sr, text, capture]]) == [sr, text, capture]
    assert sending_order([[capture], [sr, capture]]) == [sr, capture]
