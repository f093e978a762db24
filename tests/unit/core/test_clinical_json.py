"""Facts survive the way through JSON."""

import json
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.clinical_json import facts_from_json, facts_to_json
from agent.core.errors import Permanent

VALUES = st.one_of(
    st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.dates()
)
FACTS = st.builds(
    lambda facts, refused, earlier: ClinicalFacts(MappingProxyType(facts), tuple(refused), MappingProxyType(earlier)),
    st.dictionaries(st.text(), st.builds(Fact, VALUES, st.dates(), st.text())),
    st.lists(st.builds(Refusal, st.text(), st.text())),
    st.dictionaries(st.text(), st.lists(st.builds(Fact, VALUES, st.dates(), st.text()), max_size=2).map(tuple)),
)


@given(FACTS)
def test_facts_survive_the_way_through_json(facts: ClinicalFacts) -> None:
    """What is read back equals what was written, in value and in type."""
    read = facts_from_json(json.loads(json.dumps(facts_to_json(facts), allow_nan=False)))
    assert read == facts
    assert {n: type(f.value) for n, f in read.facts.items()} == {n: type(f.value) for n, f in facts.facts.items()}


def test_findings_without_facts_say_that_nothing_is_known() -> None:
    """Missing keys are no facts, and other keys are ignored."""
    assert facts_from_json({"evidence": ["quiet"]}) == ClinicalFacts()


@pytest.mark.parametrize(
    "broken",
    [
        {"value": "1984-05-06", "type": "date", "known_on": "soon", "source": ""},
        {"value": "CANARY", "type": "date", "known_on": "2026-01-01", "source": ""},
        {"value": "CANARY", "type": "complex", "known_on": "2026-01-01", "source": ""},
        {"value": None, "type": "int", "known_on": "2026-01-01", "source": ""},
        {"value": 3, "type": "int", "known_on": "2026-01-01"},
    ],
)
def test_a_damaged_fact_is_refused_by_name_without_its_value(broken: dict[str, object]) -> None:
    """The message names the fact and never quotes what stood there."""
    with pytest.raises(Permanent, match="birth_date") as caught:
        facts_from_json({"facts": {"birth_date": broken}})
    assert "CANARY" not in str(caught.value) and "1984" not in str(caught.value)


def test_a_fact_keeps_the_day_on_which_it_became_known() -> None:
    """The date is written as ISO 8601."""
    facts = ClinicalFacts(MappingProxyType({"grade": Fact(2, date(2026, 3, 4), "pathology")}))
    assert facts_to_json(facts)["facts"]["grade"] == {
        "value": 2,
        "type": "int",
        "known_on": "2026-03-04",
        "source": "pathology",
    }
