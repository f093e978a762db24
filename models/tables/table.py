"""A table of patients: typed facts with what is missing left missing, a label, and what may never be an input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLINICAL: Final = "clinical"
SIZE: Final = "size"  # pathological size or T: stands for the size on imaging
IMAGING: Final = "imaging"
NODE_READING: Final = "node_reading"  # a reading of the nodes themselves: report with and without


class ForbiddenColumn(ValueError):
    """A column that knows the outcome, or is only known after it, was asked for as an input."""


class UnknownColumn(ValueError):
    """A table has no fact of this name."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One input: a number with unit and range, or a category with its allowed values."""

    name: str  # of FACTS where the agent knows it
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    values: tuple[str, ...] = ()  # of a category, in their order; empty for a number
    log: bool = False  # effects go with its logarithm: a size, a concentration
    group: str = CLINICAL

    @property
    def is_category(self) -> bool:
        """Whether it is one of some values instead of a number."""
        return bool(self.values)


@dataclass(frozen=True)
class Table:
    """Patients of one source, those without a label left out.

    Attributes
    ----------
    values : array (N, F)
        A number in its fact's unit, or the index of a category's value; NaN where not known. Nothing is imputed.
    labels : array (N,)
        Whether the outcome that `label` defines holds.
    site, time : array (N,), optional
        Where and when (year) the patient was treated; for splits, never an input.
    outside_training : bool
        Whether its licence, or the lack of one, allows evaluations only: no served model may learn from it.
    forbidden : Mapping
        By column of the source, why it is no input.
    withheld : Mapping
        The forbidden columns as numbers (N,), NaN where not known: only the leakage screen reads them.
    refused : Mapping
        By fact, how many values lay outside range or set and were left out.
    expression : array (N, G), optional
        Of `genes`, as the source normalised them.
    """

    name: str
    patients: tuple[str, ...]
    facts: tuple[Fact, ...]
    values: Floats
    labels: Bools
    label: str
    licence: str
    outside_training: bool
    forbidden: Mapping[str, str]
    withheld: Mapping[str, Floats] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    site: NDArray[np.str_] | None = None
    time: Floats | None = None
    genes: tuple[str, ...] = ()
    expression: Floats | None = None

    def select(self, names: Sequence[str]) -> "Table":
        """Return the table with these facts only, in this order.

        Raises
        ------
        ForbiddenColumn
            If a name is a forbidden column of the source, whatever its case and punctuation.
        UnknownColumn
            If the table has no such fact.
        """
        known = {fact.name: i for i, fact in enumerate(self.facts)}
        barred = {plain(column): column for column in self.forbidden}
        for name in names:
            if plain(name) in barred:
                column = barred[plain(name)]
                raise ForbiddenColumn(f"{self.name}: {column} is no input: {self.forbidden[column]}")
            if name not in known:
                raise UnknownColumn(f"{self.name} has no {name}; it has {', '.join(known)}")
        chosen = [known[name] for name in names]
        return replace(self, facts=tuple(self.facts[i] for i in chosen), values=self.values[:, chosen])

    def without(self, *groups: str) -> "Table":
        """Return the table without the facts of some groups."""
        return self.select([fact.name for fact in self.facts if fact.group not in groups])

    def rows(self, chosen: NDArray[np.intp] | Bools) -> "Table":
        """Return some of the patients, by index or by mask."""
        kept = np.arange(len(self.patients))[chosen]
        return replace(
            self,
            patients=tuple(self.patients[i] for i in kept),
            values=self.values[kept],
            labels=self.labels[kept],
            withheld={name: column[kept] for name, column in self.withheld.items()},
            site=None if self.site is None else self.site[kept],
            time=None if self.time is None else self.time[kept],
            expression=None if self.expression is None else self.expression[kept],
        )

    def with_fact(self, fact: Fact, column: Floats) -> "Table":
        """Return the table with one more fact, such as one that somebody joined to it.

        Raises
        ------
        ForbiddenColumn
            If its name is that of a forbidden column.
        """
        grown = replace(self, facts=(*self.facts, fact), values=np.column_stack((self.values, column)))
        return grown.select([one.name for one in grown.facts])


def plain(name: str) -> str:
    """Return a column's name without case and punctuation, by which two spellings are the same."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
