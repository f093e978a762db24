"""The findings of a version are read as they were written, or the version is given up."""

from datetime import date
from typing import Any

import pytest

from agent.core.errors import Permanent
from agent.core.prediction import Side
from agent.core.usable import Window
from agent.infer.question import read_findings
from tests.infer_scene import BOTH_SIDES, LEFT, facts, findings


def test_what_was_asked_is_read() -> None:
    """Sides with their reasons, the day, and the evidence."""
    axillae = ({"side": "L", "reason": ""}, {"side": "R", "reason": "earlier surgery"})
    asked = read_findings(findings(axillae=axillae))
    assert asked.axillae == {Side.L: "", Side.R: "earlier surgery"}
    assert asked.open_sides == (Side.L,)
    assert asked.asked_on == date(2026, 1, 6)
    assert asked.evidence == ("quiet for 60 s",)
    assert asked.window == Window()


def test_a_reason_for_the_patient_closes_every_axilla() -> None:
    """Whatever the axillae say."""
    assert read_findings(findings(axillae=BOTH_SIDES, reason="M1")).open_sides == ()


def test_no_axilla_and_no_reason_means_that_the_side_is_not_known() -> None:
    """There is always a reason where there is no side."""
    assert "side" in read_findings(findings(axillae=())).reason


def test_facts_of_the_cutoff_or_later_are_not_used() -> None:
    """They may know of the surgery."""
    known = facts(grade=2)  # on 1 January
    assert read_findings(findings(known, cutoff="2026-01-02")).facts.value("grade") == 2
    assert read_findings(findings(known, cutoff="2026-01-01")).facts.value("grade") is None


def test_a_question_after_surgery_uses_what_surgery_found() -> None:
    """Its facts have a cutoff of their own, or none; images have theirs all the same."""
    written = findings(facts(sentinel_positive=1, nodes_positive=3), cutoff="2026-01-01")
    written["eligibility"] |= {
        "facts_cutoff": None,
        "after_surgery": True,
        "earliest": "2025-09-01",
        "latest": "2026-04-30",
    }
    asked = read_findings(written)
    assert set(asked.facts.facts) == {"sentinel_positive"}
    assert asked.window == Window(date(2025, 9, 1), date(2026, 1, 1), date(2026, 4, 30))


@pytest.mark.parametrize(("day", "grade"), [("2025-12-31", None), ("2026-01-01", 2)])
def test_what_became_known_after_the_day_of_the_question_is_not_used(day: str, grade: int | None) -> None:
    """Even if it stands in the findings; that day is the hospital's, and age is counted on it."""
    asked = read_findings(findings(facts(grade=2)) | {"day": day})
    assert asked.facts.value("grade") == grade
    assert asked.asked_on == date.fromisoformat(day)


def test_what_only_surgery_tells_is_not_used() -> None:
    """Even if it is dated before the surgery, or the surgery is not known."""
    asked = read_findings(findings(facts(grade=2, size_pathology_mm=9.0, nodes_positive=3)))
    assert set(asked.facts.facts) == {"grade"}
    assert {refusal.name for refusal in asked.facts.refused} == {"size_pathology_mm", "nodes_positive"}


@pytest.mark.parametrize("right", ["", "earlier surgery"])
def test_of_two_diseased_sides_facts_about_the_patient_alone_are_used(right: str) -> None:
    """Even if one of the axillae gets no estimate: nobody knows whose tumour the others describe."""
    axillae = ({"side": "L", "reason": ""}, {"side": "R", "reason": right})
    known = facts(grade=2, birth_date=date(1956, 1, 1))
    asked = read_findings(findings(known, axillae=axillae)).facts
    assert set(asked.facts) == {"birth_date"}
    assert [refusal.name for refusal in asked.refused] == ["grade"]
    assert set(read_findings(findings(known, axillae=LEFT)).facts.facts) == {"grade", "birth_date"}


@pytest.mark.parametrize(
    "change",
    [
        {"eligibility": None},
        {"eligibility": {}},
        {"eligibility": {"reason": "", "cutoff": "soon", "axillae": []}},
        {"eligibility": {"reason": "", "cutoff": None, "axillae": [{"side": "X", "reason": ""}]}},
        {"eligibility": {"reason": "", "cutoff": None, "axillae": [{"side": "L"}]}},
        {"asked_at": None},
        {"asked_at": "yesterday"},
    ],
)
def test_damaged_findings_are_a_permanent_error(change: dict[str, Any]) -> None:
    """The words name the kind of error and no value."""
    with pytest.raises(Permanent, match=r"findings of this version cannot be read \(\w+\)"):
        read_findings(findings(axillae=LEFT) | change)


def test_missing_findings_are_a_permanent_error() -> None:
    """As where a version was never assembled."""
    with pytest.raises(Permanent):
        read_findings({})
