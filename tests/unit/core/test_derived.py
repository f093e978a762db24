"""Receptor status follows from percentages, the subtype from receptors, and only where the hospital says neither."""

from datetime import date

import pytest

from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.derived import derive

EARLY, LATE = date(2026, 10, 1), date(2026, 11, 1)


def _derived(*refused: str, **values: Value) -> ClinicalFacts:
    facts = {name: Fact(value, EARLY, "biopsy") for name, value in values.items()}
    return derive(ClinicalFacts(facts, tuple(Refusal(name, "why") for name in refused)))


@pytest.mark.parametrize(
    ("percent", "status"), [(0.0, "negative"), (0.9, "negative"), (1.0, "positive"), (90.0, "positive")]
)
@pytest.mark.parametrize("receptor", ["er", "pr"])
def test_a_receptor_is_positive_from_one_percent(receptor: str, percent: float, status: str) -> None:
    """ASCO/CAP; the fact says what it was derived from, and is as old."""
    facts = _derived(**{f"{receptor}_percent": percent})
    assert facts.facts[receptor] == Fact(status, EARLY, f"derived from {receptor}_percent")


def test_what_the_hospital_says_is_never_replaced() -> None:
    """Nor derived where what it said was refused."""
    assert _derived(er="negative", er_percent=90.0).facts["er"] == Fact("negative", EARLY, "biopsy")
    assert "er" not in _derived("er", er_percent=90.0).facts
    told = _derived(er="negative", pr="negative", her2="negative", subtype="luminal_a")
    assert told.value("subtype") == "luminal_a"


SUBTYPES: list[tuple[dict[str, Value], str]] = [
    ({"er_percent": 90.0, "pr_percent": 20.0, "her2": "negative", "ki67_percent": 19.9}, "luminal_a"),
    ({"er": "positive", "pr_percent": 80.0, "her2": "low", "ki67_percent": 5.0}, "luminal_a"),
    ({"er_percent": 90.0, "pr_percent": 20.0, "her2": "negative", "ki67_percent": 20.0}, "luminal_b"),
    ({"er_percent": 90.0, "pr_percent": 19.0, "her2": "negative", "ki67_percent": 5.0}, "luminal_b"),
    ({"er": "positive", "pr": "negative", "her2": "negative"}, "luminal_b"),
    ({"er": "positive", "her2": "negative", "ki67_percent": 40.0}, "luminal_b"),
    ({"er": "positive", "her2": "positive"}, "luminal_b"),
    ({"er_percent": 0.0, "pr_percent": 0.0, "her2": "positive"}, "her2"),
    ({"er": "negative", "pr": "negative", "her2": "negative"}, "triple_negative"),
    ({"er": "negative", "pr": "negative", "her2": "low"}, "triple_negative"),
    ({"er": "negative", "pr": "positive", "her2": "negative"}, ""),
    ({"er": "negative", "her2": "positive"}, ""),
    ({"er": "positive", "pr": "positive", "her2": "equivocal", "ki67_percent": 5.0}, ""),
    ({"er": "positive", "pr": "positive", "ki67_percent": 5.0}, ""),
    ({"pr": "positive", "her2": "negative"}, ""),
    ({"er": "positive", "pr": "positive", "her2": "negative", "ki67_percent": 5.0}, ""),
    ({"er": "positive", "pr_percent": 80.0, "her2": "negative"}, ""),
]


@pytest.mark.parametrize(("known", "kind"), SUBTYPES)
def test_the_subtype_follows_from_the_receptors(known: dict[str, Value], kind: str) -> None:
    """St. Gallen 2013; where the receptors do not say, nothing is guessed."""
    assert (_derived(**known).value("subtype") or "") == kind


def test_a_derived_fact_is_as_new_as_the_newest_of_what_it_follows_from() -> None:
    """So what follows from a fact of the surgery is not known before it."""
    early = {name: Fact("negative", EARLY) for name in ("er", "pr")}
    facts = derive(ClinicalFacts({**early, "her2": Fact("positive", LATE)}))
    assert facts.facts["subtype"] == Fact("her2", LATE, "derived from er, pr, her2")
    assert facts.before(LATE).value("subtype") is None
