"""The bootstrap and permutations, always of patients and never of their rows."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.values import Bools, Floats, Interval, Rows, grouped, outcomes

Statistic = Callable[[Rows], float]
Statistics = Callable[[Rows], Floats]


def samples(
    labels: ArrayLike, *, groups: ArrayLike | None = None, seed: int, draws: int = 1000, stratify: bool = False
) -> Iterator[Rows]:
    """Draw patients with replacement, each with all of its rows.

    Parameters
    ----------
    labels : array (N,)
        0 or 1.
    groups : array (N,), optional
        The patient of each row.
    stratify : bool
        Whether patients with a positive row and those without are drawn apart, as many of each in every sample.
        Right for an AUC; wrong for whatever depends on prevalence, whose luck it hides.

    Yields
    ------
    array (M,)
        Rows of one sample.
    """
    positive = outcomes(labels, len(np.asarray(labels)))
    patients = grouped(groups, len(positive))
    order = np.argsort(patients, kind="stable")
    sizes = np.bincount(patients)
    starts = np.cumsum(sizes) - sizes
    strata = _strata(positive, patients, len(sizes), stratify)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        drawn: Rows = np.concatenate([s[rng.integers(0, len(s), len(s))] for s in strata])
        if len(sizes) == len(order):
            yield order[drawn]
            continue
        taken = sizes[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        yield order[np.repeat(starts[drawn], taken) + within]


def bootstrap(
    statistic: Statistic,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
    stratify: bool = False,
) -> Interval:
    """Find the percentile interval of a statistic (Efron and Tibshirani 1993, chapter 13).

    Parameters
    ----------
    statistic : callable
        Of rows; may be NaN where a sample does not define it.
    """
    return bootstrap_all(
        lambda rows: np.array([statistic(rows)]), labels, groups=groups, seed=seed, draws=draws, stratify=stratify
    )[0]


def bootstrap_all(
    statistics: Statistics,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
    stratify: bool = False,
) -> list[Interval]:
    """Find the percentile intervals of several statistics on the same samples.

    A sample that does not define a statistic is left out of its interval; where more than half of them do not, there
    is no interval (NaN).

    Parameters
    ----------
    statistics : callable
        From rows to an array (K,); NaN where undefined.
    """
    resampled = samples(labels, groups=groups, seed=seed, draws=draws, stratify=stratify)
    found = np.array([statistics(rows) for rows in resampled])
    values = statistics(np.arange(len(np.asarray(labels))))
    return [_percentiles(float(value), column) for value, column in zip(values, found.T, strict=True)]


def permuted(labels: ArrayLike, *, groups: ArrayLike | None = None, seed: int) -> Bools:
    """Deal the outcomes to other patients.

    A patient of several rows keeps them together: outcomes move between patients of as many rows.
    """
    positive = outcomes(labels, len(np.asarray(labels)))
    patients = grouped(groups, len(positive))
    sizes = np.bincount(patients)
    order = np.argsort(patients, kind="stable")
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    dealt = np.empty_like(positive)
    for size in np.unique(sizes):
        blocks = order[starts[sizes == size][:, None] + np.arange(size)]
        dealt[blocks] = positive[blocks[rng.permutation(len(blocks))]]
    return dealt


def permutation_p(
    statistic: Callable[[Bools], float],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> float:
    """Share of permutations that reach at least the statistic found, itself counted (Phipson and Smyth 2010)."""
    positive = outcomes(labels, len(np.asarray(labels)))
    seeds = np.random.SeedSequence(seed).generate_state(draws)
    found = statistic(positive)
    reached = sum(statistic(permuted(positive, groups=groups, seed=int(s))) >= found for s in seeds)
    return (1 + reached) / (1 + draws)


def _strata(positive: Bools, patients: Rows, count: int, stratify: bool) -> list[Rows]:
    """Patients of each stratum."""
    everyone = np.arange(count)
    if not stratify:
        return [everyone]
    some = np.zeros(count, bool)
    some[patients[positive]] = True
    return [s for s in (everyone[some], everyone[~some]) if len(s)]


def _percentiles(value: float, found: Floats) -> Interval:
    known = found[~np.isnan(found)]
    if np.isnan(value) or 2 * len(known) <= len(found):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(value, float(low), float(high))
