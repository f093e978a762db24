"""Questions that arise after an answer, and those that ask about nothing the clinical database knows."""

from datetime import date, timedelta
from typing import Any

import pytest

from agent.assemble.judging import QuestionScope
from agent.core.case import CaseState
from tests.ward import ALICE, CANCER, QUIET, REFRESH, Ward

DONE, READY = CaseState.DONE, CaseState.READY
LATER = timedelta(days=200)


@pytest.fixture
def ward() -> Ward:
    """Give a ward that expects a mammogram."""
    return Ward()


NSLN = (
    QuestionScope("aln", frozenset({"MG"}), facts=frozenset({"grade"})),
    QuestionScope("nsln", frozenset({"MG"}), facts=frozenset({"sentinel_positive"})),
)
FOUND: dict[str, object] = {
    "axillary_surgery_date": "2026-11-20",
    "sentinel_positive": 1,
    "sentinel_positive_date": "2026-11-20",
}


def test_positive_sentinel_nodes_ask_about_the_others() -> None:
    """The question arises with the result, from the images that are here, and never before; the first answer stands."""
    ward = Ward(scopes=NSLN)
    first = ward.answered()
    for change in ({"axillary_surgery_date": "2026-11-20"}, {**FOUND, "sentinel_positive": 0}):
        ward.know(**change)
        ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE)]
    ward.know(**FOUND)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("nsln", 1, READY)]
    case = ward.case(question="nsln")
    found = ward.findings(case)
    assert ward.uids(case) == ward.uids(first)
    assert (found["facts"]["sentinel_positive"]["value"], found["eligibility"]["facts_cutoff"]) == (1, None)
    assert found["eligibility"]["cutoff"] == "2026-11-20"
    for _ in range(3):
        ward.pass_time(REFRESH)
    assert len(ward.cases()) == 2


def test_a_question_that_arises_needs_a_side() -> None:
    """Nobody could say of which axilla."""
    ward = Ward(scopes=NSLN)
    ward.image()
    ward.know(**FOUND, side=None)
    ward.pass_time()
    assert [question for question, _, _ in ward.cases()] == ["aln"]


def test_a_corrected_sentinel_result_takes_the_answer_back() -> None:
    """Three positive nodes are another matter."""
    ward = Ward(scopes=NSLN)
    ward.answered()
    ward.know(**FOUND)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    ward.answer()
    ward.know(**{**FOUND, "sentinel_positive": 3})
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases()[1:] == [("nsln", 1, DONE), ("nsln", 2, READY)]
    reason = ward.findings(ward.case(question="nsln"))["eligibility"]["reason"]
    assert reason == "The question no longer applies: more than two sentinel nodes are positive."


@pytest.mark.parametrize("away", [False, True])
def test_a_slide_is_answered_whatever_the_clinical_database_says(ward: Ward, away: bool) -> None:
    """It waits for the quiet period alone: neither for facts nor for a mammogram."""
    ward.clinical.away = away
    ward.image(modality="SM", laterality="", acquired_on=None, question="histology")
    ward.pass_time()
    assert ward.cases() == [("histology", 1, READY)]
    assert ward.findings(ward.case(question="histology"))["eligibility"]["reason"] == ""


def test_the_sentinel_nodes_of_another_cancer_ask_again() -> None:
    """Once an episode, not once a patient."""
    ward = Ward(scopes=NSLN)
    ward.answered()
    ward.know(**FOUND)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    ward.answer()
    ward.clock.advance(LATER)
    ward.image(acquired_on=date(2027, 6, 1))
    again = {"axillary_surgery_date": "2027-06-07", "sentinel_positive": 2}
    ward.clinical.know(ALICE, "2027-06-05", **{**CANCER, **again})
    ward.pass_time(timedelta(days=2))
    ward.pass_time(QUIET)
    ward.pass_time(QUIET)
    assert [case for case in ward.cases() if case[0] == "nsln"] == [("nsln", 1, DONE), ("nsln", 1, READY)]
    assert len(ward.uids(ward.case(question="nsln"))) == 1


def test_another_slide_is_another_answer() -> None:
    """Every slide counts; without another one nothing changes."""
    ward = Ward(scopes=(QuestionScope("histology", frozenset({"SM"})),))
    slide: dict[str, Any] = {"modality": "SM", "laterality": "", "question": "histology"}
    ward.image(**slide)
    ward.pass_time()
    ward.answer()
    ward.pass_time(REFRESH)
    assert ward.cases() == [("histology", 1, DONE)]
    ward.image(**slide)
    ward.pass_time()
    assert ward.cases() == [("histology", 1, DONE), ("histology", 2, READY)]
