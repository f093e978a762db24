"""What every store does with counts, searches and retrievals."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.instance import End
from agent.core.pacs import AGAIN, Retrieval, RetrievalStatus, Search, StudyCount, Wanted
from agent.core.ports import Store, Unit
from tests.state_stores import MINUTE, T0, arrival, opened

LATER = T0 + 10 * MINUTE
SAID = StudyCount("1.2", T0, T0, {"MG": 4}, "ab", (("MG", "1.2.9"), ("MG", "1.2.8")), 2, "")


def collecting(unit: Unit, n: int = 0) -> Case:
    """Open a case that is scheduled."""
    return unit.postpone(opened(unit, n), LATER, "waits")


def to_ask(unit: Unit, at: object = T0, limit: int = 10) -> list[tuple[int, str]]:
    """Which studies are to be asked for."""
    assert isinstance(at, type(T0))
    return [(case.id, count.study_instance_uid) for case, count in unit.studies_to_ask(at, at, limit)]


def due_retrieval(store: Store) -> Retrieval | None:
    """What is retrieved next."""
    with store.unit() as unit:
        return unit.retrieval_due(LATER)


def test_a_study_is_to_be_asked_once_it_is_wanted(store: Store) -> None:
    """By case and study, the longest due first, no more than asked for; wanting twice changes nothing."""
    with store.unit() as unit:
        first, second = collecting(unit), collecting(unit, 1)
        unit.want_counts(second.id, ["1.3"], T0)
        unit.want_counts(first.id, ["1.2"], T0 + MINUTE)
        unit.want_counts(first.id, ["1.2", "1.2"], T0 + MINUTE)
        assert to_ask(unit, T0 - MINUTE) == []
        assert to_ask(unit) == [(second.id, "1.3")]
        assert to_ask(unit, LATER) == [(second.id, "1.3"), (first.id, "1.2")]
        assert to_ask(unit, LATER, 1) == [(second.id, "1.3")]
        assert unit.counts(first.id) == [StudyCount("1.2")] and unit.counts(99) == []


@pytest.mark.parametrize("event", [CaseEvent.NOT_ASKED, CaseEvent.COMPLETE, CaseEvent.CONFLICT_FOUND])
def test_only_collecting_cases_are_asked_about(store: Store, event: CaseEvent) -> None:
    """A dormant, ready or held case causes no query, whatever was wanted before."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_counts(case.id, ["1.2"], T0)
        unit.want_search(case.id, T0)
        unit.want_study(case.id, Wanted("1.5"), "a prior", T0)
        assert to_ask(unit) and unit.searches_due(T0, 9) and unit.retrieval_due(T0)
        unit.apply(case, event, T0, due_at=LATER)
        assert to_ask(unit, LATER) == [] and unit.searches_due(LATER, 9) == []
        assert unit.retrieval_due(LATER) is None


def test_a_case_with_news_is_left_alone(store: Store) -> None:
    """Only cases that have been quiet since a moment are asked about."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_counts(case.id, ["1.2"], T0)
        assert unit.studies_to_ask(LATER, T0 - MINUTE, 9) == []
        assert unit.studies_to_ask(LATER, T0, 9) == [(case, StudyCount("1.2"))]


def test_a_count_is_kept(store: Store) -> None:
    """All of it, until the next one; it is not asked for again before its time."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_counts(case.id, ["1.2"], T0)
        unit.save_count(case.id, SAID, LATER)
        unit.save_count(case.id, replace(SAID, study_instance_uid="1.99"), LATER)
    with store.unit() as unit:
        assert unit.counts(case.id) == [SAID]
        assert to_ask(unit) == [] and to_ask(unit, LATER) == [(case.id, "1.2")]


def test_a_count_from_before_the_news_is_wanted_at_once(store: Store) -> None:
    """Wanting it again after news brings the next poll forward; without news it does not."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_counts(case.id, ["1.2"], T0)
        unit.save_count(case.id, SAID, LATER)
        unit.want_counts(case.id, ["1.2"], T0)
        assert to_ask(unit, T0 + MINUTE) == []
        unit.want_counts(case.id, ["1.2"], T0 + MINUTE)
        assert to_ask(unit, T0 + MINUTE) == [(case.id, "1.2")]


def test_what_never_arrived_is_told_from_what_did(store: Store) -> None:
    """Any end counts as arrived; also of more UIDs than one statement takes."""
    many = [f"1.9.{n}" for n in range(1200)]
    with store.unit() as unit:
        unit.arrived(arrival("1.9.7", 1, end=End.NOT_RELEVANT))
        unit.arrived(arrival("1.9.1100", 2))
        assert unit.not_arrived(many) == set(many) - {"1.9.7", "1.9.1100"}
        assert unit.not_arrived([]) == frozenset()


def test_a_search_is_wanted_kept_and_wanted_again(store: Store) -> None:
    """Due when wanted, over when answered, due again when wanted again."""
    with store.unit() as unit:
        case = collecting(unit)
        assert unit.search(case.id) is None
        unit.want_search(case.id, T0 + MINUTE)
        assert unit.searches_due(T0, 9) == []
        assert unit.searches_due(LATER, 9) == [(case, Search(case.id, T0 + MINUTE))]
        unit.save_search(Search(case.id, None, T0 + MINUTE, 3, "why"))
        unit.save_search(Search(99, T0))
        assert unit.searches_due(LATER, 9) == []
        assert unit.search(case.id) == Search(case.id, None, T0 + MINUTE, 3, "why")
        unit.want_search(case.id, LATER)
        assert unit.searches_due(LATER, 9) == [(case, Search(case.id, LATER, T0 + MINUTE, 0, "why"))]


def test_a_study_is_requested_once_for_a_case(store: Store) -> None:
    """A second request for the same is none; one of another case is one of its own."""
    with store.unit() as unit:
        first, second = collecting(unit), collecting(unit, 1)
        assert unit.want_study(first.id, Wanted("1.5"), "a prior", T0)
        assert not unit.want_study(first.id, Wanted("1.5"), "a prior", LATER)
        assert unit.want_study(second.id, Wanted("1.5"), "MR is missing", T0 + MINUTE)
        (one,) = unit.retrievals(first.id)
        assert (one.patient, one.wanted, one.why) == (first.patient, Wanted("1.5"), "a prior")
        assert (one.status, one.attempts, one.next_at, one.asked_at) == (RetrievalStatus.WAITING, 0, T0, T0)
        assert unit.retrieval_due(T0 - MINUTE) is None
        assert unit.retrieval_due(LATER) == one


def test_a_retrieval_is_tried_again_until_it_is_over(store: Store) -> None:
    """It waits until its next time, and is listed when it is done."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_study(case.id, Wanted("1.5"), "a prior", T0)
    one = due_retrieval(store)
    assert one is not None
    failed = replace(one, attempts=1, next_at=LATER + MINUTE, error="down", settled_at=T0)
    with store.unit() as unit:
        unit.save_retrieval(failed)
        assert unit.retrieval_due(LATER) is None and unit.retrieval_due(LATER + MINUTE) == failed
        done = replace(failed, status=RetrievalStatus.DONE, error="", settled_at=LATER)
        unit.save_retrieval(done)
        assert unit.retrieval_due(LATER + timedelta(days=9)) is None and unit.retrievals(case.id) == [done]


def test_inputs_that_were_dropped_are_requested_whatever_the_case_does(store: Store) -> None:
    """At IMAGE level, for every case but a closed one; more of one series is added to what waits."""
    with store.unit() as unit:
        case = unit.apply(collecting(unit), CaseEvent.COMPLETE, T0)
        unit.want_again(case.id, "1.5", "1.5.1", ["b", "a", "a"], T0)
        unit.want_again(case.id, "1.5", "1.5.1", ["c"], T0 + MINUTE)
        (one,) = unit.retrievals(case.id)
        assert (one.wanted, one.why) == (Wanted("1.5", "1.5.1", ("a", "b", "c")), AGAIN)
        assert unit.retrieval_due(LATER) == one
        assert unit.apply(case, CaseEvent.WITHDRAWN, T0).state is CaseState.CLOSED
        assert unit.retrieval_due(LATER) is None


def test_what_came_before_can_be_requested_again(store: Store) -> None:
    """A request that is over is opened anew, for what is lacking now."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_again(case.id, "1.5", "1.5.1", ["a"], T0)
        (one,) = unit.retrievals(case.id)
        unit.save_retrieval(replace(one, status=RetrievalStatus.GIVEN_UP, attempts=5, error="gone"))
        unit.want_again(case.id, "1.5", "1.5.1", ["b"], LATER)
        (again,) = unit.retrievals(case.id)
        assert (again.status, again.attempts, again.error) == (RetrievalStatus.WAITING, 0, "")
        assert again.wanted.sop_instance_uids == ("b",)


def test_a_whole_series_that_waits_stays_wanted_whole(store: Store) -> None:
    """Single inputs of it are part of it."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_study(case.id, Wanted("1.5", "1.5.1"), "another study", T0)
        unit.want_again(case.id, "1.5", "1.5.1", ["a"], LATER)
        (one,) = unit.retrievals(case.id)
        assert (one.wanted, one.why, one.asked_at) == (Wanted("1.5", "1.5.1"), AGAIN, LATER)


def test_a_request_made_meanwhile_is_not_overwritten(store: Store) -> None:
    """The outcome of an earlier try says nothing about what was added during it."""
    with store.unit() as unit:
        case = collecting(unit)
        unit.want_again(case.id, "1.5", "1.5.1", ["a"], T0)
        (tried,) = unit.retrievals(case.id)
        unit.want_again(case.id, "1.5", "1.5.1", ["b"], T0 + MINUTE)
        unit.save_retrieval(replace(tried, status=RetrievalStatus.DONE))
        (one,) = unit.retrievals(case.id)
        assert (one.status, one.wanted.sop_instance_uids) == (RetrievalStatus.WAITING, ("a", "b"))
