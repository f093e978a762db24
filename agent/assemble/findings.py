"""What a decision on a case rested on, as the JSON that is kept with its version."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from agent.core.assessed import TREATMENTS
from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.clinical_json import facts_to_json
from agent.core.eligibility import Eligibility
from agent.core.eligibility_rules import SPEAK_AGAINST
from agent.core.facts import OUTCOMES

DAYS: Final = ("cutoff", "facts_cutoff", "earliest", "latest", "diagnosed_on")


def write_findings(
    eligibility: Eligibility,
    facts: ClinicalFacts | None,
    *,
    evidence: Sequence[str] = (),
    missing: Sequence[str] = (),
    basis: str = "",
    about: str = "",
    asked_at: datetime,
    day: date,
) -> dict[str, Any]:
    """Return the findings of one decision.

    Facts that became known on or after their cutoff stand among the refused. Dates of treatment always stay, and for
    what is asked after surgery its outcome: they are no model's input, and without them the cutoff could not be found
    again.

    Parameters
    ----------
    basis
        Digest of what the answer rests on.
    about
        Digest of the key that the clinical database was asked about: what it said is nobody else's.
    asked_at
        When the clinical database was asked.
    day
        The day of the question at the hospital: what became known later is not used.
    """
    return {
        "eligibility": _eligibility(eligibility),
        **facts_to_json(_pre_operative(facts or ClinicalFacts(), eligibility)),
        "evidence": list(evidence),
        "missing": list(missing),
        "basis": basis,
        "about": about,
        "asked_at": asked_at.isoformat(),
        "day": day.isoformat(),
    }


def _eligibility(eligibility: Eligibility) -> Mapping[str, Any]:
    return {
        "asked": eligibility.asked,
        "after_surgery": eligibility.after_surgery,
        "reason": eligibility.reason,
        **{name: day.isoformat() if (day := getattr(eligibility, name)) else None for name in DAYS},
        "axillae": [{"side": axilla.side.value, "reason": axilla.reason} for axilla in eligibility.axillae],
        "flags": list(eligibility.flags),
    }


def _pre_operative(facts: ClinicalFacts, eligibility: Eligibility) -> ClinicalFacts:
    early = facts.before(eligibility.facts_cutoff).facts
    always = {*TREATMENTS, *(OUTCOMES if eligibility.after_surgery else ())}
    kept = {**{name: fact for name, fact in facts.facts.items() if name in always}, **early}
    reason = f"became known on or after {eligibility.facts_cutoff_by}"
    late = tuple(Refusal(name, reason) for name in facts.facts if name not in kept)
    return ClinicalFacts(MappingProxyType(kept), facts.refused + late, _were(facts, kept))


def _were(facts: ClinicalFacts, kept: Mapping[str, Fact]) -> Mapping[str, tuple[Fact, ...]]:
    """Keep beside the facts what else they are and were: it may speak against an estimate, and no model is given it."""
    were: dict[str, tuple[Fact, ...]] = {}
    for name in sorted(SPEAK_AGAINST):
        now = (facts.facts[name],) if name in facts.facts else ()
        if old := tuple(fact for fact in (*now, *facts.earlier.get(name, ())) if fact != kept.get(name)):
            were[name] = old
    return MappingProxyType(were)
