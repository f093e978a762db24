"""From a file of somebody's columns to a `Table`, as a declaration of each column says."""

import csv
import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from models.tables.table import CLINICAL, Bools, Fact, Floats, Table

Raw: TypeAlias = Mapping[str, Sequence[str]]
MISSING: Final = frozenset({"", "na", "nan", "n/a", "nc", "np", "x", "unknown", "undef", "not available"})
_SHARE_OF_NUMBERS: Final = 0.9  # of what is known: above it a forbidden column is read as numbers


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers: `factor` times what it says is in `unit`; outside [low, high] a value is refused."""

    name: str
    column: str
    unit: str
    low: float
    high: float
    factor: float = 1.0
    log: bool = False
    group: str = CLINICAL

    @property
    def fact(self) -> Fact:
        """What it becomes."""
        return Fact(self.name, self.unit, self.low, self.high, log=self.log, group=self.group)

    def read(self, raw: Sequence[str]) -> tuple[Floats, int]:
        """Return the numbers (N,), NaN where missing or refused, and how many were refused."""
        found = np.array([_number(text) for text in raw]) * self.factor
        bad = (found < self.low) | (found > self.high)
        illegible = sum(not is_missing(text) for text in raw) - int((~np.isnan(found)).sum())
        return np.where(bad, np.nan, found), int(bad.sum()) + illegible


@dataclass(frozen=True, slots=True)
class Category:
    """A column of words: `words` says which value each stands for; any other known word is `rest`, or refused."""

    name: str
    column: str
    words: Mapping[str, str]
    rest: str = ""
    group: str = CLINICAL

    @property
    def fact(self) -> Fact:
        """What it becomes."""
        ordered = dict.fromkeys([*self.words.values(), *([self.rest] if self.rest else [])])
        return Fact(self.name, values=tuple(ordered), group=self.group)

    def read(self, raw: Sequence[str]) -> tuple[Floats, int]:
        """Return indices of the values (N,), NaN where missing or refused, and how many were refused."""
        values, words = self.fact.values, {word.casefold(): value for word, value in self.words.items()}
        chosen = [words.get(text.strip().casefold(), "" if is_missing(text) else self.rest) for text in raw]
        found = np.array([values.index(value) if value else np.nan for value in chosen])
        return found, int(np.isnan(found).sum()) - sum(
            is_missing(text) and text.strip().casefold() not in words for text in raw
        )


@dataclass(frozen=True, slots=True)
class Label:
    """What counts as positive: of one column, True, False, or None for a patient who is not asked about."""

    definition: str
    column: str
    positive: Callable[[str], bool | None]


@dataclass(frozen=True)
class Source:
    """Everything that is known of a file. The first label is the table's own; the others are asked for by name."""

    name: str
    path: str  # below the data folder
    patient: str
    columns: tuple[Number | Category, ...]
    labels: Mapping[str, Label]
    forbidden: Mapping[str, str]
    licence: str
    outside_training: bool
    site: Callable[[Raw], Sequence[str]] | None = None
    time: str | None = None
    genes: Callable[[Sequence[str]], Mapping[str, str]] = field(default=lambda _: {})  # gene -> its column


def is_missing(text: str) -> bool:
    """Whether a cell says that nothing is known."""
    return text.strip().casefold() in MISSING


def read_csv(path: Path) -> dict[str, list[str]]:
    """Read a CSV file, gzipped or not, to its columns by name; between cells stand commas, semicolons or tabs.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is not UTF-8, has no row, two columns share a name or a row has another number of cells.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    between = max(",;\t", key=text.partition("\n")[0].count)
    lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=between) if row]
    if len(lines) < 2:
        raise ValueError(f"{path.name}: holds no row of values")
    header, *rows = lines
    if len(set(header)) != len(header):
        raise ValueError(f"{path.name}: two columns share a name")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"{path.name}: row {number} has {len(row)} cells; there are {len(header)} columns")
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def to_table(source: Source, raw: Raw, label: str | None = None) -> Table:
    """Make the table of a source's columns, for one of its labels.

    Raises
    ------
    ValueError
        If the source has no such label, or a column is not there.
    """
    chosen = next(iter(source.labels)) if label is None else label
    if chosen not in source.labels:
        raise ValueError(f"{source.name} has no label {chosen}; it has {', '.join(source.labels)}")
    rule = source.labels[chosen]
    wanted = [source.patient, rule.column, *(one.column for one in source.columns)]
    lacking = [name for name in wanted if name not in raw]
    if lacking:
        raise ValueError(f"{source.name}: the file lacks {', '.join(lacking)}")
    outcome = [rule.positive(text) for text in raw[rule.column]]
    read = [one.read(raw[one.column]) for one in source.columns]
    genes = source.genes(list(raw))
    table = Table(
        name=source.name,
        patients=tuple(raw[source.patient]),
        facts=tuple(one.fact for one in source.columns),
        values=np.column_stack([found for found, _ in read]),
        labels=np.array([bool(one) for one in outcome]),
        label=rule.definition,
        licence=source.licence,
        outside_training=source.outside_training,
        forbidden=source.forbidden,
        withheld={name: as_numbers(raw[name]) for name in source.forbidden if name in raw},
        refused={one.name: count for one, (_, count) in zip(source.columns, read, strict=True) if count},
        site=None if source.site is None else np.array(source.site(raw)),
        time=None if source.time is None else np.array([_number(text) for text in raw[source.time]]),
        genes=tuple(genes),
        expression=_matrix([raw[column] for column in genes.values()]),
    )
    known: Bools = np.array([one is not None for one in outcome])
    return table.rows(known)


def as_numbers(raw: Sequence[str]) -> Floats:
    """Return any column as numbers (N,): itself where it is mostly numbers, else the rank of each word."""
    numbers = np.array([_number(text) for text in raw])
    known = sum(not is_missing(text) for text in raw)
    if known and (~np.isnan(numbers)).sum() >= _SHARE_OF_NUMBERS * known:
        return numbers
    order = {word: float(i) for i, word in enumerate(sorted({text for text in raw if not is_missing(text)}))}
    return np.array([order.get(text, np.nan) for text in raw])


def at_least(count: float, among: float = 0) -> Callable[[str], bool | None]:
    """Return the rule "`count` nodes or more", asked of patients with `among` or more."""

    def positive(text: str) -> bool | None:
        nodes = _number(text)
        return None if not nodes >= among else nodes >= count

    return positive


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return np.nan
    return found if np.isfinite(found) else np.nan


def _matrix(columns: Sequence[Sequence[str]]) -> Floats | None:
    if not columns:
        return None
    return np.column_stack([[_number(text) for text in column] for column in columns])
