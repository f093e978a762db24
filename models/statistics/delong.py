"""Areas under ROC curves and their covariance by DeLong's method."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.values import Z95, Bools, Floats, Interval, outcomes, scored


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas under the ROC curves of K scores of the same patients.

    Attributes
    ----------
    values : array (K,)
    covariance : array (K, K)
        Of their estimates.
    """

    values: Floats
    covariance: Floats


def areas(scores: ArrayLike, labels: ArrayLike) -> Areas:
    """Estimate the areas under correlated ROC curves (DeLong 1988; midranks as Sun and Xu 2014).

    Parameters
    ----------
    scores : array (K, N)
        Any scale; more means positive.
    labels : array (N,)
        0 or 1.

    Raises
    ------
    ValueError
        If there is no positive or no negative.
    """
    found = np.atleast_2d(np.asarray(scores, np.float64))
    if not np.isfinite(found).all():
        raise ValueError("scores are finite")
    positive = outcomes(labels, found.shape[1])
    if positive.all() or not positive.any():
        raise ValueError("an AUC needs positives and negatives")
    parts = [components(row, positive) for row in found]
    above, below = np.array([a for a, _ in parts]), np.array([b for _, b in parts])
    return Areas(above.mean(1), _covariance(above) + _covariance(below))


def components(scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Structural components: the share of negatives below each positive, and of positives above each negative."""
    cases, controls = scores[positive], scores[~positive]
    ranks = midranks(np.concatenate((cases, controls)))
    above = (ranks[: cases.size] - midranks(cases)) / controls.size
    return above, 1 - (ranks[cases.size :] - midranks(controls)) / cases.size


def interval(scores: ArrayLike, labels: ArrayLike, *, logit: bool = False) -> Interval:
    """Area under one ROC curve with DeLong's 95 % interval.

    Where every pair is in order (or none is) the variance is estimated as 0, which nobody should believe: the interval
    is then the exact one of as many successes as there are patients of the rarer outcome.

    Parameters
    ----------
    logit : bool
        Whether the interval is symmetric on the logit scale (Pepe 2003, section 5.2.5), which never leaves [0, 1].

    Raises
    ------
    ValueError
        If there is no positive or no negative.
    """
    found, positive = scored(scores, labels)
    both = areas(found, positive)
    value, deviation = float(both.values[0]), float(np.sqrt(both.covariance[0, 0]))
    if value in (0.0, 1.0):
        bound = 0.025 ** (1 / min(positive.sum(), (~positive).sum()))
        return Interval(value, bound, 1.0) if value else Interval(value, 0.0, 1 - bound)
    if logit:
        centre, half = np.log(value / (1 - value)), Z95 * deviation / (value * (1 - value))
        return Interval(value, float(1 / (1 + np.exp(half - centre))), float(1 / (1 + np.exp(-half - centre))))
    return Interval(value, max(0.0, value - Z95 * deviation), min(1.0, value + Z95 * deviation))


def area(scores: Floats, positive: Bools) -> float:
    """Area alone, for resampling; NaN without positives or without negatives."""
    cases, controls = scores[positive], np.sort(scores[~positive])
    if not cases.size or not controls.size:
        return float("nan")
    below, not_above = (np.searchsorted(controls, cases, side).mean() for side in ("left", "right"))
    return float(below + not_above) / (2 * controls.size)


def midranks(values: Floats) -> Floats:
    """Ranks from 1; what is equal shares the mean of its ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def _covariance(parts: Floats) -> Floats:
    """Covariance of the means of rows; a single column says nothing of it and counts as 0."""
    count = parts.shape[1]
    return np.atleast_2d(np.cov(parts)) / count if count > 1 else np.zeros((len(parts), len(parts)))
