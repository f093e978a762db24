"""Clinical facts: typed values with units, the date on which each became known, and its source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

    `earlier` holds what a fact was before, newest first, where the hospital keeps more than its last value; of a fact
    that is refused, all that could be read. `unread` holds the days on which a value was given that could not be read.
    """

    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    refused: tuple[Refusal, ...] = ()
    earlier: Mapping[str, tuple[Fact, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unread: Mapping[str, tuple[date, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, name: str) -> Value | None:
        """Return the value of a fact, or None where it is not known."""
        fact = self.facts.get(name)
        return fact.value if fact else None

    def day(self, name: str) -> date | None:
        """Return the value of a fact that is a date."""
        value = self.value(name)
        return value if isinstance(value, date) else None

    def before(self, moment: date | None) -> "ClinicalFacts":
        """Return each fact as it was known before `moment`; with None, everything as it is.

        A fact of which the last value before `moment` could not be read was not known then.
        """
        if moment is None:
            return self
        facts: dict[str, Fact] = {}
        earlier: dict[str, tuple[Fact, ...]] = {}
        for name in {**self.facts, **self.earlier}:
            then = [one for one in self._values(name) if one.known_on < moment]
            if name in self.facts and then and not self._unread_between(name, then[0].known_on, moment):
                facts[name] = then.pop(0)
            if then:
                earlier[name] = tuple(then)
        return replace(self, facts=MappingProxyType(facts), earlier=MappingProxyType(earlier))

    def _values(self, name: str) -> tuple[Fact, ...]:
        """Return what a fact is and was, newest first."""
        return (*([self.facts[name]] if name in self.facts else ()), *self.earlier.get(name, ()))

    def _unread_between(self, name: str, after: date, before: date) -> bool:
        return any(after < day < before for day in self.unread.get(name, ()))

    def age(self, on: date) -> int | None:
        """Return the age in whole years on a day, or None without a birth date."""
        born = self.day("birth_date")
        return None if born is None else on.year - born.year - ((on.month, on.day) < (born.month, born.day))
