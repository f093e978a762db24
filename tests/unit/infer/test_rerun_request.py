"""A person asks for a version to be answered again: a failed one of which nothing was sent, and no other."""

from uuid import UUID

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from agent.infer.rerun import rerun
from tests.fakes.store import FakeStore
from tests.state_stores import MINUTE, T0, delivering, opened, ready, running


@pytest.fixture
def store() -> FakeStore:
    """Empty."""
    return FakeStore()


def failed(store: FakeStore) -> Case:
    """A case that was given up while its result waited."""
    with store.unit() as unit:
        return unit.apply(delivering(unit), CaseEvent.GAVE_UP, T0)


def refusal(store: FakeStore, case: Case) -> str:
    """Ask, and return why not; nothing changed."""
    before = store.tables.snapshot()
    with pytest.raises(Permanent) as caught:
        rerun(store, case.id, T0 + MINUTE)
    assert vars(store.tables) == vars(before)
    return str(caught.value)


def test_a_failed_version_becomes_ready(store: FakeStore) -> None:
    """With who asked in its history; its attempts count from here."""
    case = rerun(store, failed(store).id, T0 + MINUTE)
    assert (case.state, case.reason) == (CaseState.READY, "asked for by a person")
    with store.unit() as unit:
        assert unit.history(case.id)[-1].event is CaseEvent.RERUN
        assert unit.tally(case.id) == {}


def test_there_must_be_such_a_case(store: FakeStore) -> None:
    """Else it is said."""
    with pytest.raises(Permanent, match="there is no case 7"):
        rerun(store, 7, T0)


def test_what_was_sent_is_not_computed_anew(store: FakeStore) -> None:
    """Not even where only the intention to send is known."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.about_to_send(unit.outbox_of(case.id)[:1], T0)
        case = unit.apply(case, CaseEvent.GAVE_UP, T0)
    said = refusal(store, case)
    assert "something of it was sent" in said
    assert f"`sentinode resend {case.id}`" in said


def _done(unit: Unit) -> Case:
    return unit.apply(delivering(unit), CaseEvent.ALL_CONFIRMED, T0)


def _held(unit: Unit) -> Case:
    return unit.apply(opened(unit), CaseEvent.CONFLICT_FOUND, T0)


def _closed(unit: Unit) -> Case:
    return unit.apply(opened(unit), CaseEvent.WITHDRAWN, T0)


def _dormant(unit: Unit) -> Case:
    return unit.apply(opened(unit), CaseEvent.NOT_ASKED, T0)


@pytest.mark.parametrize(
    ("make", "instead"),
    [
        (opened, "when it is complete"),
        (_dormant, "`sentinode cases show"),
        (ready, "about to be answered"),
        (running, "is being answered"),
        (delivering, "`sentinode resend"),
        (_done, "`sentinode resend"),
        (_held, "`sentinode resolve"),
        (_closed, "opens another version"),
    ],
)
def test_only_a_failed_version_is_run_again(store: FakeStore, make: object, instead: str) -> None:
    """Any other says its state, and what to do instead; on its way it is final, tried or not."""
    assert callable(make)
    with store.unit() as unit:
        case = make(unit)
    said = refusal(store, case)
    assert f"it is {case.state}, only a failed one is" in said
    assert instead in said
    assert "{id}" not in said


@pytest.mark.parametrize(
    ("event", "refused"), [(None, False), (CaseEvent.NOT_ASKED, False), (CaseEvent.COMPLETE, True)]
)
def test_a_version_is_not_run_again_after_a_later_one(store: FakeStore, event: CaseEvent | None, refused: bool) -> None:
    """Nothing of it may follow that one; a later version that says nothing yet stands in nobody's way."""
    case = failed(store)
    with store.unit() as unit:
        later = unit.open_version(case, T0)
        if event:
            unit.apply(later, event, T0)
    if refused:
        assert f"version 2 took its place: see case {later.id}" in refusal(store, case)
    else:
        assert rerun(store, case.id, T0).state is CaseState.READY


def test_a_patient_told_apart_is_not_answered_again(store: FakeStore) -> None:
    """The firewall is asked, and the reason is its own."""
    with store.unit() as unit:
        case = unit.open_case("aln", PatientKey("SPLIT:1", "4711"), T0, UUID(int=9))
        unit.apply(case, CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert claimed is not None
        case = unit.apply(claimed, CaseEvent.GAVE_UP, T0)
    assert "told this patient apart" in refusal(store, case)
