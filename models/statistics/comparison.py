"""Is one model better than another, and how many such questions were asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from models.statistics.delong import areas
from models.statistics.resampling import bootstrap_all
from models.statistics.values import Z95, Bools, Floats, Interval, Rows, scored


@dataclass(frozen=True, slots=True)
class Difference:
    """How far apart two areas under ROC curves of the same patients lie."""

    difference: Interval  # the first minus the second
    z: float
    p: float  # two-sided


@dataclass(frozen=True, slots=True)
class Equality:
    """A test that several areas are equal."""

    chi_squared: float
    degrees_of_freedom: int
    p: float


def paired_auc_test(first: ArrayLike, second: ArrayLike, labels: ArrayLike) -> Difference:
    """DeLong's test of two scores of the same patients (DeLong 1988).

    Two scores that order all patients alike differ by nothing: z is 0 and p is 1.

    Raises
    ------
    ValueError
        If there is no positive or no negative.
    """
    both = areas([np.asarray(first, np.float64), np.asarray(second, np.float64)], labels)
    contrast = np.array([1.0, -1.0])
    value, variance = float(contrast @ both.values), float(contrast @ both.covariance @ contrast)
    deviation = float(np.sqrt(max(variance, 0.0)))
    z = value / deviation if deviation > 1e-12 else 0.0
    half = Z95 * deviation
    return Difference(Interval(value, value - half, value + half), z, float(2 * stats.norm.sf(abs(z))))


def equal_areas(scores: ArrayLike, labels: ArrayLike) -> Equality:
    """Test that the areas of K >= 2 scores of the same patients are all equal (DeLong 1988, equation 5).

    Parameters
    ----------
    scores : array (K, N)

    Raises
    ------
    ValueError
        If there is no positive or no negative.
    """
    found = areas(scores, labels)
    contrast = np.eye(len(found.values))[1:] - np.eye(len(found.values))[:1]
    apart, covariance = contrast @ found.values, contrast @ found.covariance @ contrast.T
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    chi_squared = float(apart @ np.linalg.pinv(covariance, hermitian=True) @ apart)
    return Equality(chi_squared, rank, float(stats.chi2.sf(chi_squared, rank)) if rank else 1.0)


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that the chance of any false discovery is bounded (Holm 1979).

    Parameters
    ----------
    p : array (K,)
        In [0, 1].

    Returns
    -------
    array (K,)
        In the order given; compare each with the level as it is.
    """
    found = np.asarray(p, np.float64)
    order = np.argsort(found, kind="stable")
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)))
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values so that the expected share of false discoveries is bounded (Benjamini and Hochberg 1995).

    Parameters
    ----------
    p : array (K,)
        In [0, 1].

    Returns
    -------
    array (K,)
        In the order given.
    """
    found = np.asarray(p, np.float64)
    return np.asarray(stats.false_discovery_control(found, method="bh")) if found.size else found


def paired_differences(
    measures: Sequence[Callable[[Floats, Bools], float]],
    first: ArrayLike,
    second: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> list[Interval]:
    """Find how much larger measures are for the first predictions than for the second, by a bootstrap of patients.

    Parameters
    ----------
    measures : sequence of callable
        Of probabilities (N,) and outcomes (N,), such as `scores.brier` or `delong.area`.
    """
    one, positive = scored(first, labels)
    other = scored(second, labels)[0]

    def apart(rows: Rows) -> Floats:
        p, q, y = one[rows], other[rows], positive[rows]
        return np.array([measure(p, y) - measure(q, y) for measure in measures])

    return bootstrap_all(apart, positive, groups=groups, seed=seed, draws=draws)
