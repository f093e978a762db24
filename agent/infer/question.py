"""What was decided when the case was found complete: which axillae are asked about, and what was known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_from_json
from agent.core.eligibility import known_until
from agent.core.errors import Permanent
from agent.core.facts import about_patient, in_time
from agent.core.prediction import Side
from agent.core.usable import Window
from agent.core.withdrawal import is_withdrawal


@dataclass(frozen=True)
class Asked:
    """One version's question. An axilla with a reason, or the patient with one, gets no estimate."""

    reason: str
    axillae: Mapping[Side, str]  # side -> why there is no estimate of it; empty: it is asked about
    window: Window  # days whose images count
    facts: ClinicalFacts  # known in time for the question; where both sides are diseased, about the patient alone
    evidence: tuple[str, ...]
    asked_on: date  # at the hospital; age is counted on it
    withdrawn: bool = False  # nothing is asked: what was sent before is rejected

    @property
    def open_sides(self) -> tuple[Side, ...]:
        """The axillae of which an estimate is wanted."""
        return () if self.reason else tuple(side for side, reason in self.axillae.items() if not reason)


def read_findings(findings: Mapping[str, Any]) -> Asked:
    """Read what was saved with the version when it became READY.

    Raises
    ------
    Permanent
        If there are no findings, or they are not of the form that is written.
    """
    try:
        eligibility = findings["eligibility"]
        cutoff = _day(eligibility["cutoff"])
        axillae = {Side(axilla["side"]): str(axilla["reason"]) for axilla in eligibility["axillae"]}
        day = _day(findings.get("day")) or datetime.fromisoformat(findings["asked_at"]).date()
        known = known_until(facts_from_json(findings), day)
        facts_cutoff = _day(eligibility.get("facts_cutoff", eligibility["cutoff"]))
        facts = in_time(known, facts_cutoff, after_surgery=eligibility.get("after_surgery", False))
        reason = str(eligibility["reason"]) or ("" if axillae else "the side of the cancer is not known")
        return Asked(
            reason=reason,
            axillae=axillae,
            window=Window(_day(eligibility.get("earliest")), cutoff, _day(eligibility.get("latest"))),
            facts=about_patient(facts) if len(axillae) > 1 else facts,
            evidence=tuple(findings.get("evidence", ())),
            asked_on=day,
            withdrawn=is_withdrawal(findings),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise Permanent(f"the findings of this version cannot be read ({type(exc).__name__})") from None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
