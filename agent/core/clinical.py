"""Clinical facts: typed values with units, the date on which each became known, and its source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | date


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its value, when it became known, and where it is from (free text)."""

    value: Value
    known_on: date
    source: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fact that was not taken, and why. The reason names the rule, never the value."""

    name: str
    reason: str


@dataclass(frozen=True)
class ClinicalFacts:
    """What is known of a patient. Missing facts are absent, never guessed.

    `earlier` holds what a fact was before, newest first, where the hospital keeps more than its last value.
    """

    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    refused: tuple[Refusal, ...] = ()
    earlier: Mapping[str, tuple[Fact, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, name: str) -> Value | None:
        """Return the value of a fact, or None where it is not known."""
        fact = self.facts.get(name)
        return fact.value if fact else None

    def day(self, name: str) -> date | None:
        """Return the value of a fact that is a date."""
        value = self.value(name)
        return value if isinstance(value, date) else None

    def before(self, moment: date | None) -> "ClinicalFacts":
        """Return each fact as it was known before `moment`; with None, everything as it is."""
        if moment is None:
            return self
        known: dict[str, tuple[Fact, ...]] = {}
        for name, fact in self.facts.items():
            if then := tuple(one for one in (fact, *self.earlier.get(name, ())) if one.known_on < moment):
                known[name] = then
        return ClinicalFacts(
            MappingProxyType({name: then[0] for name, then in known.items()}),
            self.refused,
            MappingProxyType({name: then[1:] for name, then in known.items() if then[1:]}),
        )

    def age(self, on: date) -> int | None:
        """Return the age in whole years on a day, or None without a birth date."""
        born = self.day("birth_date")
        return None if born is None else on.year - born.year - ((on.month, on.day) < (born.month, born.day))
