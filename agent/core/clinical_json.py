"""Clinical facts as JSON, in the form in which they stand in a case's findings."""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.errors import Permanent

_READERS: Final[Mapping[str, Callable[[Any], Value]]] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "date": date.fromisoformat,
}


def facts_to_json(facts: ClinicalFacts) -> dict[str, Any]:
    """Return the keys "facts", "refused" and "earlier" of a case's findings.

    Each fact keeps the name of its type, because JSON cannot tell 1 from 1.0 nor a date from text.
    """
    return {
        "facts": {name: _fact_to_json(fact) for name, fact in facts.facts.items()},
        "refused": [{"name": refusal.name, "reason": refusal.reason} for refusal in facts.refused],
        "earlier": {name: [_fact_to_json(fact) for fact in were] for name, were in facts.earlier.items()},
    }


def facts_from_json(findings: Mapping[str, Any]) -> ClinicalFacts:
    """Read the facts back from findings; other keys are ignored, missing ones mean that nothing is known.

    Raises
    ------
    Permanent
        If an entry is not of the form that `facts_to_json` writes. The message names the fact, never its value.
    """
    facts = {name: _fact_from_json(name, raw) for name, raw in findings.get("facts", {}).items()}
    refused = tuple(Refusal(raw["name"], raw["reason"]) for raw in findings.get("refused", ()))
    earlier = {
        name: tuple(_fact_from_json(name, raw) for raw in were) for name, were in findings.get("earlier", {}).items()
    }
    return ClinicalFacts(MappingProxyType(facts), refused, MappingProxyType(earlier))


def _fact_to_json(fact: Fact) -> dict[str, Any]:
    value = fact.value.isoformat() if isinstance(fact.value, date) else fact.value
    return {
        "value": value,
        "type": type(fact.value).__name__,
        "known_on": fact.known_on.isoformat(),
        "source": fact.source,
    }


def _fact_from_json(name: str, raw: Mapping[str, Any]) -> Fact:
    try:
        return Fact(_READERS[raw["type"]](raw["value"]), date.fromisoformat(raw["known_on"]), raw["source"])
    except (KeyError, TypeError, ValueError):
        raise Permanent(f"findings: the fact {name} is not of the form that was written") from None
