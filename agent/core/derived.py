"""Facts that follow from others: receptor status from percentages, and the subtype from receptors."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from agent.core.clinical import ClinicalFacts, Fact

RECEPTOR_POSITIVE_PERCENT: Final = 1.0
"""ER and PR are positive from 1 % of stained nuclei (Allison et al., ASCO/CAP guideline update, J Clin Oncol 2020)."""

PR_HIGH_PERCENT: Final = 20.0
KI67_HIGH_PERCENT: Final = 20.0
"""Both from the St. Gallen consensus of 2013 (Goldhirsch et al., Ann Oncol 2013;24:2206)."""


def derive(facts: ClinicalFacts) -> ClinicalFacts:
    """Add what follows from the facts that are known.

    A derived fact is dated by the newest of its inputs, and its source names them. What the hospital gives itself is
    never replaced, nor what it gave and was refused.
    """
    for receptor in ("er", "pr"):
        facts = _with(facts, receptor, receptor_status(facts, f"{receptor}_percent"), [f"{receptor}_percent"])
    return _with(facts, "subtype", *subtype(facts))


def receptor_status(facts: ClinicalFacts, percent: str) -> str:
    """Return whether a receptor is positive by the share of stained nuclei; empty where it is not known."""
    share = _number(facts, percent)
    return "" if share is None else "positive" if share >= RECEPTOR_POSITIVE_PERCENT else "negative"


def subtype(facts: ClinicalFacts) -> tuple[str, Sequence[str]]:
    """Return the surrogate subtype and the facts that it follows from; empty where they do not say.

    St. Gallen 2013 by immunohistochemistry: luminal A is ER positive, HER2 negative, PR from 20 %, Ki-67 below 20 %;
    luminal B any other ER positive tumour; HER2 is HER2 positive without ER and PR; triple negative none of the
    three. Low HER2 is negative; equivocal HER2 says nothing, and neither does an ER negative, PR positive tumour, which
    the consensus does not name.
    """
    er, pr, her2 = (str(facts.value(name) or "") for name in ("er", "pr", "her2"))
    if her2 not in ("positive", "negative", "low"):
        return "", ()
    if er == "negative":
        kind = "her2" if her2 == "positive" else "triple_negative"
        return (kind, ("er", "pr", "her2")) if pr == "negative" else ("", ())
    if er != "positive":
        return "", ()
    if her2 == "positive":
        return "luminal_b", ("er", "her2")
    return _luminal(facts, pr)


def _luminal(facts: ClinicalFacts, pr: str) -> tuple[str, Sequence[str]]:
    """Part A from B where ER is positive and HER2 negative: either low PR or high Ki-67 makes it B."""
    pr_percent, ki67_percent = _number(facts, "pr_percent"), _number(facts, "ki67_percent")
    if ki67_percent is not None and ki67_percent >= KI67_HIGH_PERCENT:
        return "luminal_b", ("er", "her2", "ki67_percent")
    if pr == "negative":
        return "luminal_b", ("er", "pr", "her2")
    if pr_percent is not None and pr_percent < PR_HIGH_PERCENT:
        return "luminal_b", ("er", "pr_percent", "her2")
    if pr_percent is None or ki67_percent is None:
        return "", ()
    return "luminal_a", ("er", "pr_percent", "her2", "ki67_percent")


def _number(facts: ClinicalFacts, name: str) -> float | None:
    value = facts.value(name)
    return value if isinstance(value, float) else None


def _with(facts: ClinicalFacts, name: str, value: str, inputs: Sequence[str]) -> ClinicalFacts:
    if not value or name in facts.facts or any(refusal.name == name for refusal in facts.refused):
        return facts
    known_on = max(facts.facts[one].known_on for one in inputs)
    fact = Fact(value, known_on, f"derived from {', '.join(inputs)}")
    return replace(facts, facts=MappingProxyType({**facts.facts, name: fact}))
