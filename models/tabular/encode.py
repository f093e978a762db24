"""Facts to numbers that a system can add up, with everything that is learnt for it learnt from the rows of `fit`."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.tables.table import SIZE, Bools, Fact, Floats

QUANTILES: Final = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
"""Quantiles at which a spline's knots lie, by their number (Harrell, Regression Modeling Strategies, 2.4.6)."""

CROSSED: Final = 0.5
"""Scale of a product of two columns: a smaller column is drawn to 0 more strongly, as products should be."""


class Encoder:
    """Numbers standardised, with spline terms; a column for each value of a category but the most common.

    Of a number that says so, the logarithm. Every column is centred on what is known and 0 where a fact is not: the
    middle of the rows of `fit`. Beside them stands whether a fact is missing, wherever those rows show that. Columns
    keep the order of the facts.

    Parameters
    ----------
    facts : Sequence[Fact]
    knots : int
        Of a restricted cubic spline for each number with enough different values; 0 for a straight line.
    crossed : bool
        Whether age and size also multiply every column: what a receptor means may differ with age.
    gaps : bool
        Whether that a fact is missing may tell anything.
    """

    def __init__(self, facts: Sequence[Fact], knots: int = 0, *, crossed: bool = False, gaps: bool = True) -> None:
        self.facts = tuple(facts)
        self.knots = knots
        self.crossed = crossed
        self.gaps = gaps

    def fit(self, values: Floats) -> Self:
        """Learn scales, knots, centres and which columns are needed."""
        self.codes: list[CategoryCode | NumberCode] = [
            CategoryCode(fact, column) if fact.is_category else NumberCode(fact, column, self.knots)
            for fact, column in zip(self.facts, values.T, strict=True)
        ]
        self.shows_gaps = [self.gaps and bool(np.isnan(column).any()) for column in values.T]
        self.centres = [
            _centres(code.columns(column), ~np.isnan(column)) for code, column in zip(self.codes, values.T, strict=True)
        ]
        self.varies = np.ptp(self._columns(values), axis=0) > 0
        return self

    def transform(self, values: Floats) -> Floats:
        """Return the columns (N, K) of rows (N, F)."""
        return self._columns(values)[:, self.varies]

    def multiplies(self, index: int) -> bool:
        """Whether a fact multiplies every column."""
        fact = self.facts[index]
        return self.crossed and not fact.is_category and (fact.name == "age" or fact.group == SIZE)

    def _columns(self, values: Floats) -> Floats:
        parts: list[Floats] = []
        multipliers: list[Floats] = []
        for index, column in enumerate(values.T):
            known = ~np.isnan(column)
            centred = np.where(known[:, None], self.codes[index].columns(column) - self.centres[index], 0)
            parts += [centred] + ([~known[:, None]] if self.shows_gaps[index] else [])
            multipliers += [centred[:, :1]] if self.multiplies(index) else []
        plain = np.hstack(parts).astype(np.float64)
        return np.hstack((plain, *(CROSSED * plain * by for by in multipliers)))


class CategoryCode:
    """One category: which of its values have a column, all but the most common one.

    The columns of a code mean nothing for rows where the fact is not known.
    """

    def __init__(self, fact: Fact, column: Floats) -> None:
        counts = np.array([(column == index).sum() for index in range(len(fact.values))])
        self.kept: NDArray[np.intp] = np.array([i for i in range(len(fact.values)) if i != counts.argmax()], np.intp)

    def columns(self, column: Floats) -> Floats:
        """Return 0 or 1 for each value kept (N, values - 1)."""
        is_value: Bools = column[:, None] == self.kept
        return is_value.astype(np.float64)


class NumberCode:
    """One number: its median, scale and knots, learnt from what is known of it."""

    def __init__(self, fact: Fact, column: Floats, knots: int) -> None:
        self.log = fact.log
        known = self.straight(column[~np.isnan(column)])
        known = known if known.size else np.zeros(1)
        self.median, self.mean = float(np.median(known)), float(known.mean())
        self.sd = float(known.std()) or 1.0
        placed = np.unique(np.quantile((known - self.mean) / self.sd, QUANTILES[knots])) if knots else np.empty(0)
        self.knots = placed if len(placed) == knots and len(np.unique(known)) > 2 * knots else np.empty(0)

    def straight(self, column: Floats) -> Floats:
        """Return the scale on which effects are taken to be straight."""
        return np.log1p(column) if self.log else column

    def columns(self, column: Floats) -> Floats:
        """Return the standardised number and its spline terms (N, 1 + knots - 2)."""
        filled = np.where(np.isnan(column), self.median, self.straight(column))
        z = (filled - self.mean) / self.sd
        return np.column_stack((z, *spline_terms(z, self.knots)))


def spline_terms(z: Floats, knots: Floats) -> list[Floats]:
    """Return the curved terms of a restricted cubic spline: straight outside the outer knots.

    Source: Harrell, Regression Modeling Strategies, 2nd edition, section 2.4.5, equation 2.25, divided by the square of
    the knots' range.
    """
    if len(knots) < 3:
        return []
    *inner, before, last = knots

    def cube(at: float) -> Floats:
        return np.maximum(z - at, 0) ** 3

    return [
        (cube(k) - cube(before) * (last - k) / (last - before) + cube(last) * (before - k) / (last - before))
        / (last - knots[0]) ** 2
        for k in inner
    ]


def _centres(columns: Floats, known: Bools) -> Floats:
    return columns[known].mean(0) if known.any() else np.zeros(columns.shape[1])
