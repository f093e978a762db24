"""Facts to numbers that a system can add up, with everything that is learnt for it learnt from the rows of `fit`."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from models.tables.table import Fact, Floats

QUANTILES: Final = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
"""Quantiles at which a spline's knots lie, by their number (Harrell, Regression Modeling Strategies, 2.4.6)."""


class Encoder:
    """Numbers standardised, the median where not known; a column for each value of a category.

    Of a number that says so, the logarithm. What is not known has a column of its own wherever the rows of `fit` show
    it. Columns, in this order: each number,
    its spline terms, whether it is missing; each value of each category but the most common, whether it is missing.

    Parameters
    ----------
    facts : Sequence[Fact]
    knots : int
        Of a restricted cubic spline for each number with enough different values; 0 for a straight line.
    """

    def __init__(self, facts: Sequence[Fact], knots: int = 0) -> None:
        self.facts = tuple(facts)
        self.knots = knots

    def fit(self, values: Floats) -> Self:
        """Learn medians, scales, knots and which columns are needed."""
        pairs = list(zip(self.facts, values.T, strict=True))
        self._numbers = [None if fact.is_category else NumberCode(fact, column, self.knots) for fact, column in pairs]
        self._kept = [_common_last(fact, column) if fact.is_category else () for fact, column in pairs]
        self._gaps = [bool(np.isnan(column).any()) for column in values.T]
        encoded = self._columns(values)
        self._varies = np.ptp(encoded, axis=0) > 0
        return self

    def transform(self, values: Floats) -> Floats:
        """Return the columns (N, K) of rows (N, F)."""
        return self._columns(values)[:, self._varies]

    def _columns(self, values: Floats) -> Floats:
        parts: list[Floats] = []
        for column, code, kept, gaps in zip(values.T, self._numbers, self._kept, self._gaps, strict=True):
            parts += [code.columns(column)] if code else [(column == index)[:, None] for index in kept]
            parts += [np.isnan(column)[:, None]] if gaps else []
        return np.hstack(parts).astype(np.float64)


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


def _common_last(fact: Fact, column: Floats) -> tuple[int, ...]:
    """Indices of the values that get a column: all but the most common one, with which they are compared."""
    counts = np.array([(column == index).sum() for index in range(len(fact.values))])
    return tuple(index for index in range(len(fact.values)) if index != counts.argmax())
