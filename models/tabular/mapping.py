"""MAPPING.yaml: how a table that nobody here has seen says what a bundle asks. Every error is named, all at once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from agent.core.manifest import BundleManifest, FactSpec, parse_manifest
from models.tables.source import MISSING, read_csv
from models.tables.table import Bools, Floats

UNITS: Final[Mapping[tuple[str, str], float]] = {
    ("mm", "cm"): 10.0,
    ("mm", "m"): 1000.0,
    ("years", "months"): 1 / 12,
    ("years", "days"): 1 / 365.25,
}
"""By (the bundle's unit, the table's): the factor."""
_KEYS: Final = {"column", "unit", "factor", "values"}
_MOST_OUTSIDE: Final = 0.5  # share of values outside the training range: above it the unit is not what it is said to be


class MappingError(ValueError):
    """What is wrong with a mapping, a line each."""


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
    ValueError
        If a file is not the one that the manifest lists.
    """
    manifest = parse_manifest(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    for name, digest in manifest.files.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{folder / name}: its SHA-256 is not the manifest's")
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
    raw, said = read_csv(csv), yaml.safe_load(mapping.read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise MappingError("the mapping is not a list of names and values")
    reader = _Reader(raw, said)
    found = reader.all(facts, labelled=labelled)
    if reader.errors:
        raise MappingError("\n".join(reader.errors))
    return found


class _Reader:
    """One pass over a table, which goes on after an error to find the others."""

    def __init__(self, raw: Mapping[str, Sequence[str]], said: Mapping[str, Any]) -> None:
        self.raw, self.said, self.errors = raw, said, list[str]()
        self.count = len(next(iter(raw.values()), ()))
        self.missing = MISSING | {str(word).strip().casefold() for word in said.get("missing") or ()}

    def all(self, facts: Sequence[FactSpec], *, labelled: bool) -> Mapped:
        for key in sorted(set(self.said) - {"patient", "label", "facts", "missing"}):
            self.errors.append(f"{key}: unknown; a mapping holds patient, label, facts and missing")
        wanted = self.said.get("facts") or {}
        for name in sorted(set(wanted) - {spec.name for spec in facts}):
            self.errors.append(f"facts.{name}: the bundle has no such fact; it has {', '.join(s.name for s in facts)}")
        if not wanted:
            self.errors.append("facts: none is mapped")
        columns = [self._fact(spec, wanted[spec.name]) if spec.name in wanted else self._nothing() for spec in facts]
        values = np.column_stack(columns)
        labels = self._label(self.said.get("label"), needed=labelled)
        return Mapped(
            patients=tuple(self._column(self.said.get("patient"), "patient") or map(str, range(1, self.count + 1))),
            values=np.nan_to_num(values),
            present=~np.isnan(values),
            labels=labels == 1,
            labelled=~np.isnan(labels),
        )

    def _nothing(self) -> Floats:
        return np.full(self.count, np.nan)

    def _column(self, name: Any, where: str) -> Sequence[str] | None:
        if name is None:
            return None
        if str(name) not in self.raw:
            self.errors.append(f"{where}: the file has no column {name}")
            return None
        return self.raw[str(name)]

    def _fact(self, spec: FactSpec, given: Any) -> Floats:
        where, rule = f"facts.{spec.name}", given if isinstance(given, dict) else {"column": given}
        for key in sorted(set(rule) - _KEYS):
            self.errors.append(f"{where}.{key}: unknown; a fact has {', '.join(sorted(_KEYS))}")
        if "column" not in rule:
            self.errors.append(f"{where}: names no column")
        column = self._column(rule.get("column"), where)
        factor = 1.0 if spec.values else self._factor(spec, rule, where)
        if column is None:
            return self._nothing()
        words = {str(word).strip().casefold(): value for word, value in (rule.get("values") or {}).items()}
        found = np.array([self._cell(text, spec, words) for text in column], np.float64)
        self._complain(column, found, spec, words, where)
        found = found if spec.values or words else found * factor
        self._judge_range(found, spec, where)
        return found

    def _cell(self, text: str, spec: FactSpec, words: Mapping[str, Any]) -> float:
        """Return one value; NaN where nothing is known or nothing can be made of it."""
        key = text.strip().casefold()
        said = str(words.get(key, "" if words or key in self.missing else text.strip()))
        if spec.values:
            return float(spec.values.index(said)) if said in spec.values else np.nan
        try:
            return float(said)
        except ValueError:
            return np.nan

    def _complain(
        self, column: Sequence[str], found: Floats, spec: FactSpec, words: Mapping[str, Any], where: str
    ) -> None:
        """Name each word that was not understood, and each translation into a value that the bundle does not have."""
        strange = {text.strip() for text, value in zip(column, found, strict=True) if np.isnan(value)}
        for text in sorted(word for word in strange if word.casefold() not in self.missing):
            if words.get(text.casefold(), "") is None:  # `values: {word: null}` says that it means nothing known
                continue
            what = f"one of {', '.join(spec.values)}" if spec.values else "a number"
            self.errors.append(f"{where}: {text!r} in column is not {what}; translate it under values")

    def _factor(self, spec: FactSpec, rule: Mapping[str, Any], where: str) -> float:
        if "factor" in rule:
            return float(rule["factor"])
        unit = str(rule.get("unit", ""))
        if not unit and spec.unit in ("mm", "years"):
            self.errors.append(f"{where}: names no unit; the bundle's is {spec.unit}")
        if unit in ("", spec.unit):
            return 1.0
        if (spec.unit, unit) not in UNITS:
            self.errors.append(f"{where}: {unit} is not known to become {spec.unit}; give a factor")
        return UNITS.get((spec.unit, unit), 1.0)

    def _judge_range(self, found: Floats, spec: FactSpec, where: str) -> None:
        known = found[~np.isnan(found)]
        if spec.values or not known.size:
            return
        outside = float(((known < spec.low) | (known > spec.high)).mean())
        if outside > _MOST_OUTSIDE:
            self.errors.append(
                f"{where}: {outside:.0%} of the values lie outside {spec.low:g} to {spec.high:g} {spec.unit}; "
                "is the unit right?"
            )

    def _label(self, rule: Any, *, needed: bool) -> Floats:
        if rule is None:
            if needed:
                self.errors.append("label: missing; give column, positive and negative")
            return self._nothing()
        column = self._column(rule.get("column"), "label")
        if column is None or not needed:
            return self._nothing()
        if "at_least" in rule:
            return np.array([self._counted(text, float(rule["at_least"])) for text in column])
        sides = {str(word).strip().casefold(): 0.0 for word in rule.get("negative") or ()}
        sides |= {str(word).strip().casefold(): 1.0 for word in rule.get("positive") or ()}
        for word in sorted({t.strip() for t in column if t.strip().casefold() not in self.missing | set(sides)}):
            self.errors.append(f"label: {word!r} is neither positive nor negative; list it, or under missing")
        return np.array([sides.get(text.strip().casefold(), np.nan) for text in column])

    def _counted(self, text: str, least: float) -> float:
        if text.strip().casefold() in self.missing:
            return np.nan
        try:
            return float(float(text) >= least)
        except ValueError:
            self.errors.append(f"label: {text!r} is no number to compare with {least:g}")
            return np.nan
