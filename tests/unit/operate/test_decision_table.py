"""What the last decision on a case rested on, for whoever looks at it on a terminal."""

from datetime import UTC, date, datetime
from io import StringIO
from types import MappingProxyType

from rich.console import Console

from agent.assemble.findings import write_findings
from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.eligibility import AxillaQuestion, Eligibility
from agent.core.prediction import Side
from agent.operate.status import story_tables
from agent.state.stories import CaseLine, Story

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LINE = CaseLine(1, "2.25.1", 1, "aln", "PHANTOM", "P-1", "collecting", AT, None, None, "", 4, {})


def shown(findings: dict[str, object]) -> str:
    """Return the story as it stands on the terminal."""
    screen = StringIO()
    Console(file=screen, width=300).print(*story_tables(Story(LINE, findings, [], [], [])))
    return screen.getvalue()


def test_evidence_and_eligibility_are_told() -> None:
    """Asked or not, each axilla, the cutoff, every sentence, what is missing, and refused facts by name and rule."""
    axillae = (AxillaQuestion(Side.L), AxillaQuestion(Side.R, "an earlier cancer of this breast"))
    found = Eligibility(
        asked=True, reason="", axillae=axillae, cutoff=date(2026, 11, 18), cutoff_by="surgery", flags=("an implant",)
    )
    facts = ClinicalFacts(
        MappingProxyType({"grade": Fact("secret-value", date(2026, 11, 1), "clinical_facts.sql")}),
        (Refusal("ki67_percent", "outside of 0 to 100"),),
    )
    evidence, missing = ("No image arrived.", "The left MLO did not arrive."), ("left MLO",)
    findings = write_findings(found, facts, evidence=evidence, missing=missing, asked_at=AT, day=AT.date())
    text = shown(findings)
    assert "evidence and eligibility" in text
    for said in ("an earlier cancer of this breast", "2026-11-18", "an implant", *evidence, "left MLO"):
        assert said in text
    assert "ki67_percent: outside of 0 to 100" in text
    assert "secret-value" not in text


def test_a_case_that_was_not_decided_on_says_nothing() -> None:
    """No empty table."""
    assert "evidence and eligibility" not in shown({})


def test_a_question_that_is_not_asked_says_why() -> None:
    """With its reason."""
    found = Eligibility(asked=False, reason="no diagnosis")
    findings = write_findings(found, None, asked_at=AT, day=AT.date())
    assert "no diagnosis" in shown(findings)
