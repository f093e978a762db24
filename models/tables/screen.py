"""Does a fact know the outcome? A screen that looks at names and values, and trusts no table's word for it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import rankdata

from models.statistics.discrimination import auc
from models.tables.table import Bools, Fact, Floats, Table, plain

SUSPECT_AUC: Final = 0.9
SUSPECT_CORRELATION: Final = 0.95
_BINS: Final = 10
_FOLDS: Final = 5
_FEWEST: Final = 20  # patients of whom a fact is known, to judge it


class Leakage(ValueError):
    """A fact tells the outcome far better than anything known before surgery does."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A fact that may leak, and why."""

    fact: str
    reason: str


def refuse_leaks(table: Table) -> None:
    """Let a table through only if the screen flags nothing.

    Raises
    ------
    Leakage
        With every fact flagged, by name.
    """
    flags = screen(table)
    if flags:
        raise Leakage(f"{table.name}: " + "; ".join(f"{flag.fact} {flag.reason}" for flag in flags))


def screen(table: Table) -> tuple[Flag, ...]:
    """Flag facts that carry a forbidden column's name or values, or whose own AUC is above SUSPECT_AUC."""
    found = []
    for fact, column in zip(table.facts, table.values.T, strict=True):
        reason = _named(fact, table) or _copied(fact, column, table) or _telling(fact, column, table.labels)
        if reason:
            found.append(Flag(fact.name, reason))
    return tuple(found)


def single_auc(column: Floats, labels: Bools, *, is_category: bool = False) -> float:
    """Return how well one column tells the outcome, in [0.5, 1] but for noise.

    The best of three readings: its order, in either direction; its value or tenth of range, by the share of positives
    there among other patients (five folds), which also sees what is not monotone; and whether it is known at all.

    Parameters
    ----------
    column : array (N,)
        Numbers, or indices of categories; NaN where not known.
    labels : array (N,)
    """
    known = ~np.isnan(column)
    readings = [] if is_category else [_order_auc(column[known], labels[known])]
    readings.append(_auc(_cross_fitted(_binned(column, is_category), labels), labels))
    readings.append(_order_auc(known.astype(np.float64), labels))
    return max(readings)


def likeness(column: Floats, other: Floats, *, is_category: bool = False) -> float:
    """Return how nearly one column is a function of the other, in [0, 1].

    The larger of Pearson's and Spearman's correlation without their sign; of a category, the correlation ratio of the
    other column's ranks given it.
    """
    both = ~np.isnan(column) & ~np.isnan(other)
    x, y = column[both], other[both]
    if both.sum() < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    if is_category:
        ranks = rankdata(y)
        means = np.array([ranks[x == value].mean() for value in np.unique(x)])
        expected = means[np.searchsorted(np.unique(x), x)]
        return float(np.sqrt(expected.var() / ranks.var()))
    straight, ranked = np.corrcoef(x, y)[0, 1], np.corrcoef(rankdata(x), rankdata(y))[0, 1]
    return float(max(abs(straight), abs(ranked)))


def _named(fact: Fact, table: Table) -> str:
    barred = {plain(column): column for column in table.forbidden}
    return f"has the name of {barred[plain(fact.name)]}" if plain(fact.name) in barred else ""


def _copied(fact: Fact, column: Floats, table: Table) -> str:
    for name, other in table.withheld.items():
        found = likeness(column, other, is_category=fact.is_category)
        if found > SUSPECT_CORRELATION:
            return f"repeats {name} (correlation {found:.2f})"
    return ""


def _telling(fact: Fact, column: Floats, labels: Bools) -> str:
    if (~np.isnan(column)).sum() < _FEWEST:
        return ""
    found = single_auc(column, labels, is_category=fact.is_category)
    return f"alone has an AUC of {found:.2f}" if found > SUSPECT_AUC else ""


def _order_auc(column: Floats, labels: Bools) -> float:
    value = _auc(column, labels)
    return max(value, 1 - value)


def _auc(scores: Floats, labels: Bools) -> float:
    return auc(scores, labels).value if labels.any() and not labels.all() else 0.5


def _binned(column: Floats, is_category: bool) -> Floats:
    """Indices of categories, or of tenths of the known; what is not known is a bin of its own."""
    known = ~np.isnan(column)
    bins = np.full(len(column), -1.0)
    if is_category:
        bins[known] = column[known]
    else:
        bins[known] = np.floor((rankdata(column[known]) - 1) / known.sum() * _BINS)
    return bins


def _cross_fitted(bins: Floats, labels: Bools) -> Floats:
    """Share of positives in each patient's bin among the patients of the other folds, drawn to the share of all."""
    folds = np.arange(len(labels)) % _FOLDS
    scores = np.empty(len(labels))
    for fold in range(_FOLDS):
        inside, outside = folds == fold, folds != fold
        prior = labels[outside].mean()
        for value in np.unique(bins[inside]):
            there = outside & (bins == value)
            scores[inside & (bins == value)] = (labels[there].sum() + prior) / (there.sum() + 1)
    return scores
