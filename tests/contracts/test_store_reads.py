"""What radiologists have read: every store keeps it, and holds results back, alike."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.case import Case, CaseEvent
from agent.core.ports import OutboxStatus, Store, Unit
from agent.core.reads import IndexStudy, Read
from tests.fakes.store import FakeStore
from tests.reading import PATIENT, read
from tests.state_stores import MINUTE, T0, delivering, opened

HELD, WAITING = OutboxStatus.AWAITING_REPORT, OutboxStatus.WAITING
INDEX = IndexStudy("1.2", "A1", T0)
UNDER_WAY = [OutboxStatus.WAITING, OutboxStatus.SENT]
SAID = (
    read("1.2"),
    read("1.2", "A9", minutes=1),
    read("9.9", "A1", minutes=2, report_id="R2"),
    read("", "A1", minutes=3, report_id="R3"),
    read("", "A2", minutes=4, report_id="R4"),
    read("", "", minutes=5, is_final=False),
    read("", "A2", minutes=6, report_id="R4", is_final=False),
    read("", "", minutes=7, report_id="R2", is_final=False),
)


def waiting(unit: Unit, n: int = 0) -> Case:
    """Answer the n-th case and hold it back."""
    case = delivering(unit, n)
    unit.wait_for_read(case, INDEX)
    assert unit.hold_back(case)
    return case


def standing(unit: Unit, case: Case) -> set[OutboxStatus]:
    """Where the items of a version stand."""
    return {item.status for item in unit.outbox_of(case.id)}


@pytest.mark.parametrize("order", list(permutations(range(len(SAID))))[::6000])
def test_what_is_said_of_a_study_is_found(store: Store, order: tuple[int, ...]) -> None:
    """By the study, by the number of what names no study, and what takes either back; in order of sending, once."""
    with store.unit() as unit:
        assert [unit.note_read(SAID[n]) for n in order] == [True] * len(SAID)
        assert not any(unit.note_read(one) for one in SAID)
        assert list(unit.reads("1.2", "A1")) == [SAID[0], SAID[1], SAID[3], SAID[5]]
        assert list(unit.reads("1.2", "")) == [SAID[0], SAID[1], SAID[5]]
        assert list(unit.reads("7.7", "A2")) == [SAID[4], SAID[6]]
        assert list(unit.reads("7.7", "A7")) == []


def test_a_repetition_keeps_its_first_place(store: Store) -> None:
    """The same message once more is not news; another of the same time comes behind it."""
    with store.unit() as unit:
        assert unit.note_read(read("1.2", source_id="M9", arrived=4))
        assert unit.note_read(read("1.2", source_id="M10", is_final=False, arrived=7))
        assert not unit.note_read(read("1.2", source_id="M9", arrived=12))
    with store.unit() as unit:
        assert [(one.source_id, one.arrived) for one in unit.reads("1.2", "")] == [("M9", 4), ("M10", 7)]


def test_nobody_waits_who_was_not_told_to(store: Store) -> None:
    """A version of a site that sends at once."""
    with store.unit() as unit:
        case = delivering(unit)
        assert unit.index_study(case.id) is None
        assert list(unit.waiting_for_read(PATIENT)) == []
        assert not unit.let_go(case, T0)
        assert unit.let_all_go(T0) == 0


def test_what_is_held_back_is_not_due(store: Store) -> None:
    """Until it is let go; then as if it had been queued at that moment."""
    later = T0 + timedelta(days=8)
    with store.unit() as unit:
        case = waiting(unit)
        assert unit.index_study(case.id) == INDEX
        assert [one.id for one in unit.waiting_for_read(PATIENT)] == [case.id]
        assert standing(unit, case) == {HELD}
        assert list(unit.outbox("pacs", UNDER_WAY, later, 10)) == []
    with store.unit() as unit:
        assert unit.let_go(case, later)
        assert unit.index_study(case.id) == replace(INDEX, released_at=later)
        assert not unit.let_go(case, later + MINUTE)
        due = unit.outbox("pacs", UNDER_WAY, later, 10)
        assert [(item.role, item.queued_at, item.attempts) for item in due] == [
            (role, later, 0) for role in ("sr:L", "text_sr:", "secondary_capture:L")
        ]


def test_of_a_version_that_begins_to_leave_nothing_is_held_back(store: Store) -> None:
    """A destination that has seen a part gets the whole."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.wait_for_read(case, INDEX)
        unit.about_to_send(unit.outbox_of(case.id)[:1], T0)
        assert not unit.hold_back(case)
        assert standing(unit, case) == {WAITING}


def test_a_version_may_have_to_wait_again(store: Store) -> None:
    """A report that is taken back: nobody let it go."""
    with store.unit() as unit:
        case = waiting(unit)
        unit.let_go(case, T0)
        assert unit.hold_back(case)
        assert unit.index_study(case.id) == INDEX


def test_what_is_held_back_supersedes_nothing(store: Store) -> None:
    """Nobody has seen it, and nobody will who sees the next version."""
    with store.unit() as unit:
        case = waiting(unit)
        following = unit.open_version(case, T0)
        assert unit.superseded(following) is None
        unit.let_go(case, T0)
        assert unit.superseded(following) == case.id


def test_only_what_is_on_its_way_waits(store: Store) -> None:
    """Not a version that was withdrawn, nor another patient's."""
    with store.unit() as unit:
        case, other = waiting(unit), waiting(unit, 1)
        unit.withdraw(case, T0, "merged")
        assert list(unit.waiting_for_read(PATIENT)) == []
        assert [one.id for one in unit.waiting_for_read(other.patient)] == [other.id]


def test_everything_may_be_let_go(store: Store) -> None:
    """A site that does not wait any more; nothing of it waits later."""
    with store.unit() as unit:
        cases = [waiting(unit, n) for n in range(2)]
        unit.let_go(cases[0], T0)
        assert unit.let_all_go(T0) == 1
        assert [standing(unit, case) for case in cases] == [{WAITING}] * 2
        assert unit.index_study(cases[1].id) is None


def test_a_later_version_overtakes_once_it_may_have_been_seen(store: Store) -> None:
    """Not before, and no version another case."""
    with store.unit() as unit:
        first, stranger = delivering(unit), opened(unit, 5)
        second = unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker")
        assert claimed is not None
        objects = [replace(unit.result_objects(first.id)[0], sop_instance_uid="2.25.99")]
        second = unit.save_result(claimed, T0, {}, {"pacs": objects})
        assert not unit.is_overtaken(first)
        unit.about_to_send(unit.outbox_of(second.id), T0)
        assert [unit.is_overtaken(one) for one in (first, second, stranger)] == [True, False, False]


STATEMENTS = st.builds(
    read,
    st.sampled_from(["", "1.2", "9.9"]),
    st.sampled_from(["", "A1", "A2"]),
    minutes=st.integers(0, 2),
    report_id=st.sampled_from(["R1", "R2"]),
    is_final=st.booleans(),
)


class _Undo(Exception):
    """Rolls a unit back."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STATEMENTS, max_size=6), st.sampled_from(["1.2", "9.9"]), st.sampled_from(["", "A1"]))
def test_every_store_finds_what_the_fake_finds(store: Store, said: list[Read], study: str, number: str) -> None:
    """Whatever was said; each example leaves the store as it was."""
    with suppress(_Undo), store.unit() as unit, FakeStore().unit() as expected:
        assert [unit.note_read(one) for one in said] == [expected.note_read(one) for one in said]
        assert sorted(map(repr, unit.reads(study, number))) == sorted(map(repr, expected.reads(study, number)))
        raise _Undo
