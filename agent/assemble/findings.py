"""What a decision on a case rested on, as the JSON that is kept with its version."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.clinical_json import facts_to_json
from agent.core.eligibility import TREATMENTS, Eligibility


def write_findings(
    eligibility: Eligibility,
    facts: ClinicalFacts | None,
    *,
    evidence: Sequence[str] = (),
    missing: Sequence[str] = (),
    asked_at: datetime,
) -> dict[str, Any]:
    """Return the findings of one decision.

    Facts that became known on or after the cutoff stand among the refused. Dates of treatment always stay: they are
    no model's input, and without them the cutoff could not be found again.
    """
    return {
        "eligibility": _eligibility(eligibility),
        **facts_to_json(_pre_operative(facts or ClinicalFacts(), eligibility)),
        "evidence": list(evidence),
        "missing": list(missing),
        "asked_at": asked_at.isoformat(),
    }


def _eligibility(eligibility: Eligibility) -> Mapping[str, Any]:
    return {
        "asked": eligibility.asked,
        "reason": eligibility.reason,
        "cutoff": eligibility.cutoff.isoformat() if eligibility.cutoff else None,
        "earliest": eligibility.earliest.isoformat() if eligibility.earliest else None,
        "axillae": [{"side": axilla.side.value, "reason": axilla.reason} for axilla in eligibility.axillae],
        "flags": list(eligibility.flags),
    }


def _pre_operative(facts: ClinicalFacts, eligibility: Eligibility) -> ClinicalFacts:
    early = facts.before(eligibility.cutoff).facts
    kept = {**{name: fact for name, fact in facts.facts.items() if name in TREATMENTS}, **early}
    reason = f"became known on or after {eligibility.cutoff_by}"
    late = tuple(Refusal(name, reason) for name in facts.facts if name not in kept)
    return ClinicalFacts(MappingProxyType(kept), facts.refused + late)
