"""MAPPING.yaml as it is written: its keys and their forms, before any table is looked at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

_KEYS: Final = ("patient", "label", "facts", "missing", "decimal")
_OF_A_FACT: Final = ("column", "factor", "unit", "values")
_OF_A_LABEL: Final = ("column", "at_least", "positive", "negative")
_NOTHING: Final = frozenset({"", "null", "~"})


class MappingError(ValueError):
    """What is wrong with a mapping or its table, a line each."""


@dataclass(frozen=True, slots=True)
class FactRule:
    """Where a fact is: a column, its unit or factor, and what its words stand for (None: nothing is known)."""

    column: str = ""
    unit: str = ""
    factor: float | None = None
    words: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Where the outcome is: a column, and the least number that is positive or the words of either side."""

    column: str = ""
    least: float | None = None
    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """A mapping; `label` is None where it names none."""

    patient: str
    label: LabelRule | None
    facts: Mapping[str, FactRule]
    missing: frozenset[str]
    decimal: str


def plain(word: str) -> str:
    """Return a word as words are compared."""
    return word.strip().casefold()


def parse(text: str) -> tuple[Rules, list[str]]:
    """Read a mapping as far as it can be read, and name everything in its form that is wrong.

    Raises
    ------
    MappingError
        If it is no YAML, or no names and values.
    """
    loader = yaml.BaseLoader(text)  # every scalar stays the text that it is: `yes` is a word of a table, not True
    try:
        said = loader.get_single_data()
    except yaml.YAMLError as error:
        raise MappingError(f"the mapping is no YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()
    if not isinstance(said, dict):
        raise MappingError("the mapping is not a list of names and values")
    return _Parser().rules(said)


class _Parser:
    """One pass over a mapping, which goes on after an error to find the others."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def rules(self, said: dict[str, Any]) -> tuple[Rules, list[str]]:
        self._known(said, _KEYS, "")
        facts = self._names(said.get("facts", {}), "facts", ())
        if not facts:
            self.errors.append("facts: none is mapped")
        decimal = self._text(said.get("decimal", "."), "decimal")
        if decimal not in (".", ","):
            self.errors.append(f"decimal: {decimal!r} is neither . nor ,")
        found = Rules(
            patient=self._text(said.get("patient", ""), "patient"),
            label=self._label(said["label"]) if "label" in said else None,
            facts={name: self._fact(rule, f"facts.{name}") for name, rule in facts.items()},
            missing=frozenset(map(plain, self._list(said.get("missing", []), "missing"))),
            decimal=decimal,
        )
        return found, self.errors

    def _fact(self, given: Any, where: str) -> FactRule:
        rule = self._names({"column": given} if isinstance(given, str) else given, where, _OF_A_FACT)
        words = self._names(rule.get("values", {}), f"{where}.values", ())
        stands = {plain(word): self._text(value, f"{where}.values.{word}").strip() for word, value in words.items()}
        return FactRule(
            column=self._column(rule, where),
            unit=self._text(rule.get("unit", ""), f"{where}.unit"),
            factor=self._number(rule["factor"], f"{where}.factor") if "factor" in rule else None,
            words={word: None if value.casefold() in _NOTHING else value for word, value in stands.items()},
        )

    def _label(self, given: Any) -> LabelRule:
        rule = self._names(given, "label", _OF_A_LABEL)
        sides = [frozenset(map(plain, self._list(rule.get(s, []), f"label.{s}"))) for s in ("positive", "negative")]
        if ("at_least" in rule) == any(sides):
            self.errors.append("label: give either at_least, or positive and negative")
        elif "at_least" not in rule and not all(sides):
            self.errors.append("label: give positive and negative, both")
        for word in sorted(sides[0] & sides[1]):
            self.errors.append(f"label: {word!r} is both positive and negative")
        least = self._number(rule["at_least"], "label.at_least") if "at_least" in rule else None
        return LabelRule(self._column(rule, "label"), least, *sides)

    def _column(self, rule: Mapping[str, Any], where: str) -> str:
        if "column" not in rule:
            self.errors.append(f"{where}: names no column")
        return self._text(rule.get("column", ""), f"{where}.column")

    def _names(self, given: Any, where: str, keys: Collection[str]) -> dict[str, Any]:
        """Take names and values; without `keys` any name is taken."""
        if not isinstance(given, dict):
            self.errors.append(f"{where}: holds {', '.join(keys) or 'names and values'}, not {given!r}")
            return {}
        if keys:
            self._known(given, keys, f"{where}.")
        return given

    def _known(self, given: Mapping[str, Any], keys: Collection[str], where: str) -> None:
        for key in sorted(set(given) - set(keys)):
            self.errors.append(f"{where}{key}: unknown; there are {', '.join(keys)}")

    def _text(self, given: Any, where: str) -> str:
        if isinstance(given, str):
            return given
        self.errors.append(f"{where}: is one word, not {given!r}")
        return ""

    def _list(self, given: Any, where: str) -> list[str]:
        """Take words; one alone is a list too."""
        return [self._text(one, where) for one in (given if isinstance(given, list) else [given])]

    def _number(self, given: Any, where: str) -> float | None:
        try:
            return float(given)
        except (TypeError, ValueError):
            self.errors.append(f"{where}: {given!r} is no number")
            return None
