"""An answer is looked at again while its episode lasts, and corrected exactly when it would be another."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from agent.assemble.complete import MOST_PER_TICK
from agent.core.case import UNCHANGED, CaseEvent, CaseState
from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from tests.ward import ALICE, CANCER, EPISODE, HOUR, QUIET, REFRESH, Ward

DONE, READY, CLOSED, FAILED = CaseState.DONE, CaseState.READY, CaseState.CLOSED, CaseState.FAILED


@pytest.fixture
def ward() -> Ward:
    """Give a ward that expects a mammogram."""
    return Ward()


UNCHANGING: list[dict[str, object]] = [
    {},
    {"family_history": "none"},
    {"surgery_date": "2026-12-24"},
    {"surgery_date": "2026-11-20", "size_pathology_mm": 12, "size_pathology_mm_date": "2026-11-20"},
    {"grade_source": "another laboratory", "grade_date": "2026-10-30"},
    {"nodes_positive": 4, "nodes_positive_date": "2026-11-20"},
]


@pytest.mark.parametrize("change", UNCHANGING)
def test_what_would_not_change_the_answer_opens_nothing(ward: Ward, change: dict[str, object]) -> None:
    """Facts that no model reads, a later date of surgery, what surgery found: the answer stands, and is watched on."""
    ward.answered()
    ward.know(**change)
    for _ in range(3):
        ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE)]
    assert ward.case().due_at == ward.clock() + REFRESH


CHANGING: list[tuple[dict[str, object], str]] = [
    ({"grade": 3}, ""),
    ({"grade": None}, ""),
    ({"side": "B"}, ""),
    ({"node_biopsy": "positive"}, "A node biopsy has already proven metastasis."),
    ({"clinical_t": "cT3"}, "The tumour is cT3 or cT4; the model covers cT1 and cT2."),
    ({"surgery_date": "2026-11-18"}, "All images were taken on or after surgery."),
]


@pytest.mark.parametrize(("change", "reason"), CHANGING)
def test_a_fact_that_changes_the_answer_opens_the_next_version(
    ward: Ward, change: dict[str, object], reason: str
) -> None:
    """Once, with the images that are here; the first version stays what it was."""
    first = ward.answered()
    ward.know(**change)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, READY)]
    assert ward.events() == [CaseEvent.FACTS_CHANGED, CaseEvent.COMPLETE]
    assert ward.findings()["eligibility"]["axillae"][0]["reason"] == reason
    assert ward.uids(ward.case()) == ward.uids(first)
    ward.answer()
    for _ in range(3):
        ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, DONE)]


@pytest.mark.parametrize(
    ("diagnosis", "because"),
    [
        ("benign", "the diagnosis is benign"),
        ("dcis", "ductal carcinoma in situ without invasion"),
        (None, "no diagnosis is known"),
    ],
)
def test_a_diagnosis_that_is_withdrawn_takes_the_answer_back(ward: Ward, diagnosis: str | None, because: str) -> None:
    """The estimate must not stand: the next version says why there is none, and says it once."""
    ward.answered()
    ward.know(diagnosis=diagnosis)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.case().state is READY and ward.case().version == 2
    found = ward.findings()["eligibility"]
    assert (found["reason"], found["axillae"]) == (f"An invasive cancer is no longer confirmed: {because}.", [])
    ward.answer()
    ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, DONE)]


def test_a_diagnosis_withdrawn_before_any_answer_only_sleeps(ward: Ward) -> None:
    """Nothing was said that would have to be corrected."""
    ward.image()
    ward.know(diagnosis="benign")
    ward.pass_time()
    assert ward.cases() == [("aln", 1, CaseState.DORMANT)]


def test_what_nobody_says_takes_nothing_back(ward: Ward) -> None:
    """Neither an outage nor a patient who vanished from the database corrects an answer."""
    ward.answered()
    ward.clinical.away = True
    ward.pass_time(REFRESH)
    ward.clinical.away, ward.clinical.rows = False, []
    ward.pass_time(REFRESH)
    ward.clinical.wrong = True
    ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE)] and ward.case().due_at == ward.clock() + REFRESH
    assert ward.case().reason == ""


def test_the_correction_waits_for_no_modality_again() -> None:
    """What the first version waited for in vain does not hold the second."""
    ward = Ward(Patience(QUIET, ("MG", "US"), {"US": 4 * HOUR}))
    ward.know()
    ward.image()
    ward.pass_time(4 * HOUR)
    ward.answer()
    ward.know(node_biopsy="positive")
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert (ward.case().version, ward.case().state) == (2, READY)


def test_a_failed_version_is_watched_and_keeps_its_reason(ward: Ward) -> None:
    """Facts may make of it what it could not be."""
    ward.know()
    ward.image()
    ward.pass_time()
    with ward.store.unit() as unit:
        claimed = unit.claim(ward.clock(), ward.clock() + HOUR, "worker")
        assert claimed is not None
        unit.apply(claimed, CaseEvent.GAVE_UP, ward.clock(), reason="broken pixels")
    ward.clinical.wrong = True
    ward.pass_time(REFRESH)
    ward.clinical.wrong = False
    ward.pass_time(REFRESH)
    assert (ward.case().state, ward.case().reason) == (FAILED, "broken pixels")
    ward.know(grade=3)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, FAILED), ("aln", 2, READY)]


def test_a_diagnosis_withdrawn_after_a_failure_has_nothing_to_take_back(ward: Ward) -> None:
    """Nobody got anything: the next version sleeps."""
    test_a_failed_version_is_watched_and_keeps_its_reason(ward)
    with ward.store.unit() as unit:
        claimed = unit.claim(ward.clock(), ward.clock() + HOUR, "worker")
        assert claimed is not None
        unit.apply(claimed, CaseEvent.GAVE_UP, ward.clock(), reason="broken pixels")
    ward.know(diagnosis="benign")
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, FAILED), ("aln", 2, FAILED), ("aln", 3, CaseState.DORMANT)]


def test_when_the_episode_is_over_nobody_looks_any_more(ward: Ward) -> None:
    """An answer of last year costs nothing, and is not corrected."""
    ward.answered()
    asked = len(ward.clinical.asked)
    ward.know(diagnosis="benign")
    ward.pass_time(EPISODE + HOUR)
    assert (ward.case().state, ward.case().due_at, len(ward.clinical.asked)) == (DONE, None, asked)


def test_only_the_newest_version_is_looked_at(ward: Ward) -> None:
    """The first one is what it is."""
    first = ward.answered()
    ward.image()
    ward.pass_time()
    ward.answer()
    ward.know(grade=3)
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, DONE), ("aln", 3, READY)]
    with ward.store.unit() as unit:
        assert unit.case(first.id).due_at is None


USELESS: list[dict[str, Any]] = [
    {"laterality": "R"},
    {"laterality": ""},
    {"acquired_on": date(2024, 1, 1)},
    {"acquired_on": date(2027, 11, 1)},
    {"acquired_on": None},
    {"intent": "FOR PROCESSING"},
]


@pytest.mark.parametrize("useless", USELESS)
def test_an_image_that_changes_nothing_makes_no_result(ward: Ward, useless: dict[str, Any]) -> None:
    """Its version is withdrawn; the answer stands, is watched on, and the next image that counts makes version 3."""
    ward.answered()
    ward.image(**useless)
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]
    assert ward.case().reason == UNCHANGED
    ward.image()
    ward.pass_time()
    assert ward.cases()[2:] == [("aln", 3, READY)] and len(ward.uids(ward.case())) == 3


def test_after_a_version_that_changed_nothing_the_answer_is_still_corrected(ward: Ward) -> None:
    """The next version after it holds everything that came."""
    ward.answered()
    ward.image(laterality="R")
    ward.pass_time()
    ward.know(node_biopsy="positive")
    ward.pass_time(REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED), ("aln", 3, READY)]
    assert len(ward.uids(ward.case())) == 2


def test_while_the_version_before_is_being_answered_nobody_knows_whether_anything_changes(ward: Ward) -> None:
    """The next one waits for it, then sees that it would say the same."""
    ward.know()
    ward.image()
    ward.pass_time()
    with ward.store.unit() as unit:
        claimed = unit.claim(ward.clock(), ward.clock() + HOUR, "worker")
    assert claimed is not None
    ward.image(laterality="R")
    ward.pass_time()
    assert ward.case().state is CaseState.COLLECTING and ward.case().reason == "the version before is being answered"
    with ward.store.unit() as unit:
        unit.apply(claimed, CaseEvent.RELEASED, ward.clock())
    ward.answer()
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]


def test_facts_that_change_back_before_the_answer_change_nothing() -> None:
    """The version that they opened is withdrawn."""
    ward = Ward(Patience(HOUR, ("MG",)))
    ward.know()
    ward.image()
    ward.pass_time(HOUR)
    ward.answer()
    ward.know(grade=3)
    ward.pass_time(REFRESH)
    ward.know()
    ward.pass_time(HOUR)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]


def test_an_outage_answers_a_later_image_with_what_was_last_known() -> None:
    """A site that goes on without the database uses what it said when the version before was answered."""
    ward = Ward(Patience(QUIET, ("MG",), wait_for_facts=False))
    ward.answered()
    ward.clinical.away = True
    ward.image()
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, READY)]
    assert ward.findings()["evidence"][-1] == "The clinical database could not be asked."
    assert ward.findings()["eligibility"]["axillae"] == [{"side": "L", "reason": ""}]


def test_a_question_that_is_no_longer_asked_here_is_left_alone() -> None:
    """Without a model nobody could answer the next version."""
    ward = Ward(scopes=())
    ward.answered()
    ward.know(node_biopsy="positive")
    ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE)]


def test_a_tick_asks_so_many_and_no_more(ward: Ward) -> None:
    """A clinical database is not flooded; those that collect do not crowd out those that wait."""
    for n in range(MOST_PER_TICK):
        ward.image(PatientKey("PHANTOM", f"S-{n}"))
    for _ in range(2):
        ward.pass_time(QUIET)
    for n in range(MOST_PER_TICK):
        ward.image(PatientKey("PHANTOM", f"C-{n}"))
    ward.clinical.asked.clear()
    ward.pass_time(REFRESH * 2)
    asked = [patient.patient_id[0] for patient in ward.clinical.asked]
    assert (len(asked), asked.count("C") > asked.count("S") > 0) == (MOST_PER_TICK, True)


def test_a_patient_is_asked_about_once_a_tick() -> None:
    """However many questions are open."""
    ward = Ward()
    ward.image()
    ward.image(question="nsln")
    ward.pass_time()
    assert ward.clinical.asked == [ALICE]
    assert ward.cases() == [("aln", 1, CaseState.DORMANT), ("nsln", 1, CaseState.DORMANT)]


LATER = timedelta(days=200)


def test_another_cancer_is_another_case() -> None:
    """A diagnosis long after the one that was answered opens a case of its own with the images of its own episode."""
    ward = Ward()
    first = ward.answered()
    ward.clock.advance(LATER)
    ward.image(acquired_on=date(2027, 6, 1))
    ward.know(diagnosis_date="2027-06-05")
    ward.pass_time()
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED), ("aln", 1, READY)]
    second = ward.case()
    assert second.case_uuid != first.case_uuid and len(ward.uids(second)) == 1
    assert ward.findings()["eligibility"]["diagnosed_on"] == "2027-06-05"


def test_another_cancer_is_seen_while_an_answer_is_watched(ward: Ward) -> None:
    """The images of its episode came before its diagnosis: the old answer stands, the new case is asked about."""
    ward.answered()
    ward.image(acquired_on=date(2027, 3, 10))
    ward.pass_time()
    ward.know(diagnosis_date="2027-03-20", side_date="2027-03-20")
    ward.clock.advance(EPISODE - HOUR)
    ward.assembler.tick()
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED), ("aln", 1, READY)]
    assert len(ward.uids(ward.case())) == 1


def test_another_cancer_without_an_image_waits_for_one(ward: Ward) -> None:
    """Nothing can be asked yet; an old image that comes then changes nothing."""
    ward.answered()
    ward.know(diagnosis_date="2027-03-20", side_date="2027-03-20")
    ward.clock.advance(EPISODE - HOUR)
    ward.assembler.tick()
    assert ward.cases() == [("aln", 1, DONE)]
    ward.image(laterality="R")
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)] and ward.case().reason == UNCHANGED


def test_an_answer_is_watched_again_when_the_next_version_was_withdrawn(ward: Ward) -> None:
    """While the next version was open the answer was not looked at: news after that is still seen."""
    first = ward.answered()
    ward.image(laterality="R")
    ward.clock.advance(QUIET / 2)
    ward.assembler.tick()  # the answer is looked at while the next version waits
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]
    ward.know(grade=3)
    ward.pass_time(2 * REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases()[2:] == [("aln", 3, READY)]
    assert ward.case().case_uuid == first.case_uuid


def test_an_answer_that_changed_there_and_back_is_still_watched(ward: Ward) -> None:
    """A fact that was entered by mistake and taken back leaves an answer that later news corrects."""
    ward.answered()
    ward.know(grade=3)
    ward.assembler.tick()  # the next version is open
    ward.know(grade=2)
    ward.pass_time(REFRESH)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]
    ward.know(grade=1)
    ward.pass_time(2 * REFRESH)
    ward.pass_time(REFRESH)
    assert ward.cases()[2:] == [("aln", 3, READY)]


def test_an_absorbed_answer_is_watched_no_more(ward: Ward) -> None:
    """It is part of another case: nothing is answered under its patient's key again."""
    first = ward.answered()
    with ward.store.unit() as unit:
        unit.absorb(unit.case(first.id), UUID(int=99))
    ward.know(grade=3)
    ward.pass_time(2 * REFRESH)
    assert ward.cases() == [("aln", 1, DONE)]


def test_an_answer_under_a_retired_key_is_said_again(ward: Ward) -> None:
    """The same answer under the surviving key is another result: it supersedes the one that went out."""
    first = ward.answered()
    berta = PatientKey("PHANTOM", "P-2")
    ward.clinical.know(berta, "2026-11-01", **{**CANCER, "grade": 2})
    with ward.store.unit() as unit:
        unit.open_version_for(unit.case(first.id), berta, ward.clock())
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, READY)]
    assert ward.case(berta).case_uuid == first.case_uuid


def test_an_answer_is_watched_again_when_its_key_survives_again(ward: Ward) -> None:
    """Another message takes the merge back: the answer stands, and news after that is seen."""
    first = ward.answered()
    with ward.store.unit() as unit:
        away = unit.open_version_for(unit.case(first.id), PatientKey("PHANTOM", "P-2"), ward.clock())
    ward.assembler.tick()
    with ward.store.unit() as unit:
        unit.rekey(unit.case(away.id), ALICE, ward.clock(), "")
    ward.pass_time(QUIET)
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, CLOSED)]
    ward.know(grade=3)
    ward.pass_time(2 * REFRESH)
    ward.pass_time(QUIET)
    assert ward.cases()[2:] == [("aln", 3, READY)]
