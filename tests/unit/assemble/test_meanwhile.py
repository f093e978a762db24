"""What comes while the clinical database is asked counts, and what it said of one patient is never another's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from agent.assemble.judging import QuestionScope
from agent.assemble.patients import Patients
from agent.assemble.versions import Versions
from agent.core.adt import PatientNews
from agent.core.assessed import DISSECTED
from agent.core.case import CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.conflict import Conflict, ConflictKind
from agent.core.eligibility import APART, NO_IMAGE
from agent.core.evidence import Patience
from agent.core.identities import Retirement
from agent.core.instance import SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from tests.ward import ALICE, BERTA, CANCER, EPISODE, QUIET, REFRESH, Ward

DONE, DORMANT, READY, HELD = CaseState.DONE, CaseState.DORMANT, CaseState.READY, CaseState.HELD
SPLIT_OFF = PatientKey("SPLIT:abc", "P-1")
SLIDES = QuestionScope("histology", frozenset({"SM"}))
ALN = QuestionScope("aln", frozenset({"MG"}), facts=frozenset({"grade"}))
NSLN = QuestionScope("nsln", frozenset({"MG"}), facts=frozenset({"sentinel_positive", "lymphovascular_invasion"}))
FOUND: dict[str, object] = {"axillary_surgery_date": "2026-11-20", "sentinel_removed": 2, "sentinel_positive": 1}


@dataclass
class Meanwhile:
    """A clinical database during whose first answer about ALICE something happens."""

    ward: Ward
    happens: Callable[[Unit], None]
    left: list[int] = field(default_factory=lambda: [1])

    def __post_init__(self) -> None:
        self.ward.assembler._clinical = self

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Answer, and let it happen once."""
        said = self.ward.clinical.facts(patient, as_of)
        if self.left and patient == ALICE:
            self.left.pop()
            with self.ward.store.unit() as unit:
                self.happens(unit)
        return said


def _patients(ward: Ward) -> Patients:
    numbers = count(7000)
    versions = Versions(QUIET, EPISODE, ward.clock, lambda: UUID(int=next(numbers)))
    return Patients(versions, ("aln",), lambda _: frozenset({"aln"}))


def _know(ward: Ward, patient: PatientKey = ALICE, **changes: object) -> None:
    ward.clinical.know(patient, "2026-11-01", **{**CANCER, "grade": 2, **changes})


@pytest.mark.parametrize(("question", "modality"), [("aln", "MG"), ("histology", "SM")])
def test_nothing_is_asked_about_whom_a_person_told_apart(question: str, modality: str) -> None:
    """Her images came under another's Patient ID: not even a slide of hers is answered under it."""
    ward = Ward(Patience(QUIET, wait_for_facts=False), scopes=(ALN, SLIDES))
    _know(ward, SPLIT_OFF)
    case = ward.image(SPLIT_OFF, modality=modality, question=question)
    ward.pass_time()
    assert ward.cases() == [(question, 1, DORMANT)] and ward.clinical.asked == []
    with ward.store.unit() as unit:
        assert unit.case(case.id).reason == APART


@pytest.mark.parametrize("other", [SPLIT_OFF, BERTA])
def test_what_was_said_of_one_patient_is_not_used_for_another(other: PatientKey) -> None:
    """A case that changes hands in an outage has no facts, where the site goes on without the clinical database."""
    ward = Ward(Patience(QUIET, wait_for_facts=False))
    first = ward.answered()
    with ward.store.unit() as unit:
        _patients(ward).versions.hand_over(unit, first, other)
    ward.clinical.away = True
    ward.pass_time()
    assert ward.cases() == [("aln", 1, DONE), ("aln", 2, DORMANT)]
    assert ward.findings(ward.case(other))["facts"] == {}
    assert ALICE.patient_id not in str(ward.findings(first))


def test_a_merge_while_the_database_is_asked_opens_nothing_under_the_retired_key() -> None:
    """The images are the surviving patient's by then, and so is the answer."""
    ward = Ward()
    first = ward.answered()
    _know(ward, BERTA)
    ward.image(BERTA)
    _know(ward, grade=3)
    merge = PatientNews("M", "A40", ward.clock(), BERTA, ALICE)
    Meanwhile(ward, lambda unit: _patients(ward).follow(unit, [merge]))
    ward.pass_time(REFRESH)
    ward.pass_time()
    versions = ward.store.tables.cases.values()
    assert [case.version for case in versions if case.patient == ALICE] == [1]
    assert len(ward.uids(ward.case(BERTA))) == 2 and ward.case(BERTA).case_uuid != first.case_uuid


def test_an_image_that_leaves_while_the_database_is_asked_is_in_no_case_that_arises() -> None:
    """Only images that are the patient's when the case opens are in it."""
    ward = Ward(scopes=(ALN, NSLN))
    first = ward.answered()
    ward.image()
    ward.pass_time()
    second = ward.answer()
    _know(ward, **FOUND)
    with ward.store.unit() as unit:
        gone = unit.instances(second.id)[0]
    Meanwhile(ward, lambda unit: unit.unlink(second, gone))
    ward.pass_time(REFRESH)
    assert ward.uids(first) == ["1.2.1"]
    assert ward.uids(ward.case(question="nsln")) == ["1.2.2"]


def test_a_case_that_arises_leaves_the_images_where_they_are() -> None:
    """The bytes came again, or were corrected, while the database was asked: nothing is put back."""
    ward = Ward(scopes=(ALN, NSLN))
    first = ward.answered()
    _know(ward, **FOUND)
    with ward.store.unit() as unit:
        (stored,) = unit.instances(first.id)
    Meanwhile(ward, lambda unit: unit.place(stored, SpoolRef(9, 9, 9)))
    ward.pass_time(REFRESH)
    case = ward.case(question="nsln")
    with ward.store.unit() as unit:
        assert [one.ref for one in unit.instances(case.id)] == [SpoolRef(9, 9, 9)]
        assert next(change.event for change in unit.history(case.id)) is CaseEvent.FACTS_CHANGED


def test_the_case_of_a_retired_key_is_left_to_whoever_follows_the_merge() -> None:
    """Neither answered nor put to sleep under a key that is another patient's."""
    ward = Ward()
    _know(ward)
    case = ward.image()
    with ward.store.unit() as unit:
        unit.retire(Retirement(ward.clock(), "M", ALICE, BERTA))
    ward.pass_time()
    with ward.store.unit() as unit:
        found = unit.case(case.id)
    assert (found.state, found.due_at) == (CaseState.COLLECTING, ward.clock() + REFRESH)


def test_a_hold_that_comes_meanwhile_is_kept() -> None:
    """The side is settled, the patient's identity is not."""
    ward = Ward(Patience(QUIET))
    _know(ward)
    ward.image(laterality="R")
    ward.pass_time()
    other = Conflict(ConflictKind.DEMOGRAPHICS, ("a", "b"), "Two birth dates.")
    case = ward.image(laterality="L")
    with ward.store.unit() as unit:
        unit.hold(case, [other, *unit.conflicts(case.id)], ward.clock())
    ward.pass_time(REFRESH)
    with ward.store.unit() as unit:
        assert unit.conflicts(case.id) == [other]
    assert (ward.case().state, ward.case().reason) == (HELD, "Two birth dates.")


def test_a_held_case_keeps_the_newest_contradiction_about_its_side_beside_others() -> None:
    """More images of the other breast replace what was said of them, and nothing else."""
    ward = Ward(Patience(QUIET))
    _know(ward)
    ward.image(laterality="R")
    ward.pass_time()
    case = ward.image(laterality="R")
    other = Conflict(ConflictKind.DEMOGRAPHICS, ("a", "b"), "Two birth dates.")
    with ward.store.unit() as unit:
        before = list(unit.conflicts(case.id))
        unit.hold(case, [other, *before], ward.clock())
    ward.pass_time(REFRESH)
    with ward.store.unit() as unit:
        first, second = unit.conflicts(case.id)
    assert first == other and second.kind is ConflictKind.LATERALITY and second not in before


def test_news_while_the_database_is_asked_is_not_slept_through() -> None:
    """The answer that was on its way is from before the news: the patient is asked about again at once."""
    ward = Ward()
    ward.answered()
    ward.pass_time(QUIET)

    def news(unit: Unit) -> None:
        _know(ward, grade=3)
        _patients(ward).follow(unit, [PatientNews("M", "A08", ward.clock(), ALICE)])

    Meanwhile(ward, news)
    ward.pass_time(REFRESH)
    assert ward.case().due_at == ward.clock()
    ward.assembler.tick()
    assert ward.case().version == 2


def test_news_about_a_case_that_sleeps_is_not_slept_through() -> None:
    """The same where several cases are decided on together."""
    ward = Ward()
    _know(ward, diagnosis="unknown")
    ward.image()
    ward.pass_time()

    def news(unit: Unit) -> None:
        _know(ward)
        unit.wake(ALICE, ward.clock())

    Meanwhile(ward, news)
    ward.pass_time(REFRESH)
    assert (ward.case().state, ward.case().due_at) == (DORMANT, ward.clock())
    ward.assembler.tick()
    ward.pass_time()
    assert ward.case().state is READY


def test_a_case_without_an_image_is_never_answered() -> None:
    """It was opened to hold something; the first image makes it one like any other."""
    ward = Ward(Patience(QUIET))
    _know(ward)
    with ward.store.unit() as unit:
        case = unit.open_case("aln", ALICE, ward.clock(), UUID(int=1))
        unit.postpone(case, ward.clock(), "")
    ward.pass_time()
    assert (ward.case().state, ward.case().reason) == (DORMANT, NO_IMAGE)
    ward.image()
    ward.pass_time()
    assert ward.case().state is READY


LATER_ON: list[dict[str, Any]] = [
    {"systemic_therapy_date": "2026-12-01"},
    {"radiotherapy_date": "2026-12-01"},
]


def _arisen(ward: Ward, **more: object) -> None:
    """Let the sentinel result be known, and more."""
    ward.clinical.know(ALICE, "2026-11-01", **{**CANCER, "lymphovascular_invasion": 0})
    ward.image()
    ward.pass_time()
    dates = {f"{name}_date": "2026-11-20" for name in ("sentinel_removed", "sentinel_positive")}
    ward.clinical.know(ALICE, "2026-11-01", **{**CANCER, **FOUND, **dates, **more})


@pytest.mark.parametrize("therapy", LATER_ON)
def test_what_surgery_asks_uses_nothing_of_after_the_next_treatment(therapy: dict[str, Any]) -> None:
    """What became known on the day of adjuvant therapy or later may tell the outcome: it is no input."""
    ward = Ward(Patience(QUIET), scopes=(ALN, NSLN))
    ward.clock.advance(EPISODE / 4)
    planted = {"lymphovascular_invasion": 1, "lymphovascular_invasion_date": "2026-12-05"}
    _arisen(ward)
    ward.clinical.know(
        ALICE,
        "2026-11-01",
        **{**CANCER, **FOUND, **therapy, **planted},
        sentinel_removed_date="2026-11-20",
        sentinel_positive_date="2026-11-20",
    )
    ward.answer()
    ward.pass_time(REFRESH)
    ward.pass_time()
    found = ward.findings(ward.case(question="nsln"))
    assert found["eligibility"]["facts_cutoff"] == "2026-12-01"
    assert "sentinel_positive" in found["facts"] and "lymphovascular_invasion" not in found["facts"]
    (refused,) = [one["reason"] for one in found["refused"] if one["name"] == "lymphovascular_invasion"]
    assert refused.startswith("became known on or after the start of")


def test_after_the_completion_dissection_nobody_is_asked() -> None:
    """The answer is known: there is no estimate, in an outage neither."""
    ward = Ward(Patience(QUIET, wait_for_facts=False), scopes=(ALN, NSLN))
    ward.clock.advance(EPISODE / 40)
    _arisen(ward, nodes_removed=14, nodes_removed_date="2026-11-22")
    ward.answer()
    ward.pass_time(REFRESH)
    ward.pass_time()
    case = ward.case(question="nsln")
    assert ward.findings(case)["eligibility"]["axillae"] == [{"side": "L", "reason": DISSECTED}]
    ward.clinical.away = True
    ward.image(question="nsln")
    ward.pass_time()
    assert ward.findings(ward.case(question="nsln"))["eligibility"]["axillae"][0]["reason"] == DISSECTED


def test_an_estimate_stands_when_its_outcome_becomes_known() -> None:
    """It was made before: no version takes it back, and a dissection entered by mistake changes as little."""
    ward = Ward(Patience(QUIET), scopes=(ALN, NSLN))
    _arisen(ward)
    ward.answer()
    ward.pass_time(REFRESH)
    ward.pass_time()
    estimated = ward.answer()
    assert ward.findings(estimated)["eligibility"]["axillae"] == [{"side": "L", "reason": ""}]
    known = {"nodes_removed": 14, "nodes_removed_date": "2026-11-21"}
    dates = {f"{name}_date": "2026-11-20" for name in ("sentinel_removed", "sentinel_positive")}
    ward.clock.advance(EPISODE / 40)
    ward.clinical.know(ALICE, "2026-11-01", **{**CANCER, **FOUND, **dates, **known})
    for _ in range(3):
        ward.pass_time(REFRESH)
    assert [case for case in ward.cases() if case[0] == "nsln"] == [("nsln", 1, DONE)]
    ward.image(question="nsln", laterality="R")
    ward.pass_time()
    assert [case for case in ward.cases() if case[0] == "nsln"] == [("nsln", 1, DONE), ("nsln", 2, CaseState.CLOSED)]
