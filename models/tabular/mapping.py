"""A table that nobody here has seen, as a mapping says what a bundle asks. Every error is named, all at once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from agent.core.errors import Permanent
from agent.core.manifest import BundleManifest, FactSpec, parse_manifest
from models.tables.source import MISSING, read_csv
from models.tables.table import Bools, Floats
from models.tabular.rules import FactRule, LabelRule, MappingError, Rules, parse, plain

UNITS: Final[Mapping[tuple[str, str], float]] = {
    ("mm", "cm"): 10.0,
    ("mm", "m"): 1000.0,
    ("years", "months"): 1 / 12,
    ("years", "days"): 1 / 365.25,
}
"""By (the bundle's unit, the table's): the factor."""
_MOST_OUTSIDE: Final = 0.5  # share of values outside the training range: above it the unit is not what it is said to be
_FAR_BELOW: Final = 5  # times that the middle of a column may be less than the training patients' mean
_MOST_NAMED: Final = 10  # words of one column, or columns; that there are more is said


@dataclass(frozen=True)
class Mapped:
    """A table as a bundle reads it.

    Attributes
    ----------
    values, present : array (N, F)
        Numbers in the bundle's units, or indices of categories; 0 where not known.
    labels : array (N,), optional
        Whether the outcome holds.
    labelled : array (N,)
        Of whom the outcome is known.
    """

    patients: tuple[str, ...]
    values: Floats
    present: Bools
    labels: Bools
    labelled: Bools


def read_manifest(folder: Path) -> BundleManifest:
    """Read a bundle's manifest and compare its files with it.

    Raises
    ------
    Permanent
        If a file is not the one that the manifest lists, or this version cannot read the manifest.
    """
    manifest = parse_manifest(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    for name, digest in manifest.files.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Permanent(f"{folder / name}: its SHA-256 is not the manifest's")
    return manifest


def read(csv: Path, mapping: Path, facts: Sequence[FactSpec], *, labelled: bool) -> Mapped:
    """Read a CSV file as a mapping says.

    Parameters
    ----------
    facts : Sequence[FactSpec]
        Of the bundle, in the order of its input.
    labelled : bool
        Whether the mapping must say where the outcome is.

    Raises
    ------
    MappingError
        With everything that is wrong, a line each.
    """
    rules, errors = parse(mapping.read_text(encoding="utf-8-sig"))
    try:
        raw = read_csv(csv)
    except ValueError as error:
        raise MappingError("\n".join([str(error), *errors])) from None
    reader = _Reader(raw, rules, errors)
    found = reader.all(facts, labelled=labelled)
    if reader.errors:
        raise MappingError("\n".join(reader.errors))
    return found


class _Reader:
    """One pass over a table, which goes on after an error to find the others."""

    def __init__(self, raw: Mapping[str, Sequence[str]], rules: Rules, errors: list[str]) -> None:
        self.raw, self.rules, self.errors = raw, rules, errors
        self.count = len(next(iter(raw.values())))
        self.missing = MISSING | rules.missing

    def all(self, facts: Sequence[FactSpec], *, labelled: bool) -> Mapped:
        wanted = self.rules.facts
        for name in sorted(set(wanted) - {spec.name for spec in facts}):
            self.errors.append(f"facts.{name}: the bundle has no such fact; it has {', '.join(s.name for s in facts)}")
        columns = [self._fact(spec, wanted[spec.name]) if spec.name in wanted else self._nothing() for spec in facts]
        values = np.column_stack(columns)
        labels = self._label(needed=labelled)
        return Mapped(
            patients=self._patients(),
            values=np.nan_to_num(values),
            present=~np.isnan(values),
            labels=labels == 1,
            labelled=~np.isnan(labels),
        )

    def _nothing(self) -> Floats:
        return np.full(self.count, np.nan)

    def _patients(self) -> tuple[str, ...]:
        """Return whose each row is; a row that does not say is a patient of its own."""
        named = self._column(self.rules.patient, "patient") or [""] * self.count
        return tuple(name.strip() or f"row {row}" for row, name in enumerate(named, start=1))

    def _column(self, name: str, where: str) -> Sequence[str] | None:
        if name and name not in self.raw:
            there = [*list(self.raw)[:_MOST_NAMED], *(["and more"] if len(self.raw) > _MOST_NAMED else [])]
            self.errors.append(f"{where}: the file has no column {name}; it has {', '.join(there)}")
        return self.raw.get(name)

    def _fact(self, spec: FactSpec, rule: FactRule) -> Floats:
        where = f"facts.{spec.name}"
        column = self._column(rule.column, where)
        factor = 1.0 if spec.values else self._factor(spec, rule, where)
        if column is None:
            return self._nothing()
        if self.rules.label and rule.column == self.rules.label.column:
            self.errors.append(f"{where}: {rule.column} is the label's column, which no fact may know")
        found = np.array([self._cell(text, spec, rule.words) for text in column], np.float64)
        self._complain(column, found, spec, rule, where)
        found = found if spec.values or rule.words else found * factor
        self._judge_range(found, spec, rule, where)
        return found

    def _cell(self, text: str, spec: FactSpec, words: Mapping[str, str | None]) -> float:
        """Return one value; NaN where nothing is known or nothing can be made of it."""
        key = plain(text)
        said = words.get(key, "" if words or key in self.missing else text.strip()) or ""
        if spec.values:
            return float(spec.values.index(said)) if said in spec.values else np.nan
        return self._number(said if words else said.replace(self.rules.decimal, "."))

    def _number(self, text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            return np.nan
        return found if np.isfinite(found) else np.nan

    def _complain(self, column: Sequence[str], found: Floats, spec: FactSpec, rule: FactRule, where: str) -> None:
        """Name the words that were not understood, and translations into a value that the bundle does not have."""
        strange = {text.strip() for text, value in zip(column, found, strict=True) if np.isnan(value)}
        what = f"one of {', '.join(spec.values)}; translate it under values" if spec.values else "a number"
        self._name(
            [
                f"{where}: {text!r} in column {rule.column} is not {what}"
                for text in sorted(strange)
                if plain(text) not in self.missing and rule.words.get(plain(text), "") is not None
            ],
            where,
        )

    def _name(self, errors: list[str], where: str) -> None:
        """Name errors of one column, the first of them where they are many."""
        self.errors += errors[:_MOST_NAMED]
        if len(errors) > _MOST_NAMED:
            self.errors.append(f"{where}: and {len(errors) - _MOST_NAMED} more like these")

    def _factor(self, spec: FactSpec, rule: FactRule, where: str) -> float:
        if rule.words and (rule.factor is not None or rule.unit not in ("", spec.unit)):
            self.errors.append(
                f"{where}: values are translated into {spec.unit or 'numbers'} already; no unit, no factor"
            )
        if rule.factor is not None:
            return rule.factor
        if not rule.unit and not rule.words and spec.unit in ("mm", "years"):
            self.errors.append(f"{where}: names no unit; the bundle's is {spec.unit}")
        if rule.unit in ("", spec.unit):
            return 1.0
        if (spec.unit, rule.unit) not in UNITS:
            self.errors.append(f"{where}: {rule.unit} is not known to become {spec.unit}; give a factor")
        return UNITS.get((spec.unit, rule.unit), 1.0)

    def _judge_range(self, found: Floats, spec: FactSpec, rule: FactRule, where: str) -> None:
        known = found[~np.isnan(found)]
        if spec.values or not known.size:
            return
        outside = float(((known < spec.low) | (known > spec.high)).mean())
        middle = float(np.median(known))
        if outside > _MOST_OUTSIDE:
            self.errors.append(
                f"{where}: {outside:.0%} of the values lie outside {spec.low:g} to {spec.high:g} {spec.unit}; "
                "is the unit right?"
            )
        elif rule.unit and rule.factor is None and middle < spec.mean / _FAR_BELOW:
            self.errors.append(
                f"{where}: half of the values are below {middle:.3g} {spec.unit}, the mean in training was "
                f"{spec.mean:.3g}; is the unit right? Where it is, give factor: 1"
            )

    def _label(self, *, needed: bool) -> Floats:
        rule = self.rules.label
        if rule is None:
            if needed:
                self.errors.append("label: missing; give column, positive and negative")
            return self._nothing()
        column = self._column(rule.column, "label")
        if column is None or not needed:
            return self._nothing()
        found = np.array([self._outcome(text, rule) for text in column])
        strange = {t.strip() for t, one in zip(column, found, strict=True) if np.isnan(one)}
        why = "no number from 0 on" if rule.least is not None else "neither positive nor negative"
        unread = sorted(word for word in strange if plain(word) not in self.missing)
        self._name([f"label: {word!r} is {why}; list it, or under missing" for word in unread], "label")
        return found

    def _outcome(self, text: str, rule: LabelRule) -> float:
        """Return 1 or 0; NaN where it is not known."""
        if rule.least is not None:
            counted = self._number(text)
            return float(counted >= rule.least) if counted >= 0 else np.nan
        return 1.0 if plain(text) in rule.positive else 0.0 if plain(text) in rule.negative else np.nan
