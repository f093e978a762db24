"""Operating points: what a threshold achieves, above all one that was chosen on other patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from models.statistics.discrimination import threshold_for_sensitivity, threshold_for_specificity
from models.statistics.resampling import bootstrap_all
from models.statistics.values import Bools, Floats, Interval, Rows, predicted

MEASURES = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value", "biopsies_avoided")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a threshold is chosen for: at least this sensitivity, or this specificity.

    Raises
    ------
    ValueError
        If the level is not in (0, 1].
    """

    measure: str  # "sensitivity" or "specificity"
    level: float

    def __post_init__(self) -> None:
        if self.measure not in MEASURES[:2] or not 0 < self.level <= 1:
            raise ValueError("a goal is a sensitivity or a specificity in (0, 1]")

    def __str__(self) -> str:
        return f"{self.measure} >= {self.level:.2f}"

    def threshold(self, probability: Floats, positive: Bools) -> float:
        """Choose the threshold that reaches the goal on these patients and calls as few (as many) as it can.

        Returns
        -------
        float
            NaN where there is no patient to tell.
        """
        if not (positive if self.measure == "sensitivity" else ~positive).any():
            return float("nan")
        choose = threshold_for_sensitivity if self.measure == "sensitivity" else threshold_for_specificity
        return choose(probability, positive, self.level)


@dataclass(frozen=True, slots=True)
class Counts:
    """Patients by what was said and what was true."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    def measures(self) -> dict[str, tuple[int, int]]:
        """Successes and trials of each of `MEASURES`; a biopsy is avoided by every negative call, (TN + FN) / N."""
        tp, fp, tn, fn = self.true_positive, self.false_positive, self.true_negative, self.false_negative
        pairs = ((tp, tp + fn), (tn, tn + fp), (tp, tp + fp), (tn, tn + fn), (tn + fn, tp + fp + tn + fn))
        return dict(zip(MEASURES, pairs, strict=True))

    def shares(self) -> Floats:
        """Values of `MEASURES`; NaN without trials."""
        return np.array([s / n if n else np.nan for s, n in self.measures().values()])


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What was achieved, twice: given the thresholds, and with the luck of choosing them.

    Attributes
    ----------
    exact : dict of str to Interval
        Clopper-Pearson intervals of `MEASURES`, which take thresholds as given and rows as patients.
    chosen_again : dict of str to Interval
        Bootstrap intervals that draw patients and choose the threshold on each sample again; empty where it was fixed.
    thresholds : tuple of float
        One for each fold that was scored.
    """

    counts: Counts
    thresholds: tuple[float, ...]
    exact: dict[str, Interval]
    chosen_again: dict[str, Interval]


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Find the exact interval of a share (Clopper and Pearson 1934); without trials the share is NaN, in 0 to 1."""
    if not trials:
        return Interval(float("nan"), 0.0, 1.0)
    tail, failures = (1 - confidence) / 2, trials - successes
    low = float(stats.beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(stats.beta.isf(tail, successes + 1, failures)) if failures else 1.0
    return Interval(successes / trials, low, high)


def count(probability: Floats, positive: Bools, threshold: float | Floats) -> Counts:
    """Count what calling everything at or above a threshold (or each row's own) positive achieves."""
    called = probability >= threshold
    hits, calls, cases = int((called & positive).sum()), int(called.sum()), int(positive.sum())
    return Counts(hits, calls - hits, len(positive) - calls - cases + hits, cases - hits)


def at_fixed(probabilities: ArrayLike, labels: ArrayLike, threshold: float) -> OperatingPoint:
    """Judge a threshold that was set without these patients, such as one that a bundle states."""
    found = count(*predicted(probabilities, labels), threshold)
    return OperatingPoint(found, (threshold,), _exact(found), {})


def transported(
    set_on: ArrayLike,
    set_labels: ArrayLike,
    probabilities: ArrayLike,
    labels: ArrayLike,
    goals: Sequence[Goal],
    *,
    set_groups: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> list[OperatingPoint]:
    """Choose thresholds on some patients and judge them on others, a point a goal; the bootstrap draws both anew.

    Parameters
    ----------
    set_on, set_labels : array (M,)
        The patients who set the threshold.
    probabilities, labels : array (N,)
        The patients who are scored.
    """
    before, after = predicted(set_on, set_labels), predicted(probabilities, labels)
    joined = [np.concatenate((a, b)) for a, b in zip(before, after, strict=True)]
    folds = np.repeat([0, 1], [len(before[0]), len(after[0])])
    whose = [
        np.arange(len(p)) if g is None else np.asarray(g) for p, g in ((before[0], set_groups), (after[0], groups))
    ]
    named = np.unique([f"{part} {g}" for part in (0, 1) for g in whose[part]], return_inverse=True)[1]
    return _judge(joined[0], joined[1], folds, (1,), goals, named, seed, draws)


def cross_fitted(
    probabilities: ArrayLike,
    labels: ArrayLike,
    folds: ArrayLike,
    goals: Sequence[Goal],
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> list[OperatingPoint]:
    """Judge each fold by the thresholds that the held-out predictions of the other folds choose, a point a goal.

    Parameters
    ----------
    folds : array (N,)
        The fold in which each row was held out; no patient is in two.

    Raises
    ------
    ValueError
        If there is only one fold, or a patient is in two.
    """
    found, positive = predicted(probabilities, labels)
    part = np.unique(np.asarray(folds), return_inverse=True)[1]
    if part.max() == 0:
        raise ValueError("a threshold chosen on other patients needs at least two folds")
    if groups is not None:
        parted = np.unique(np.column_stack((np.unique(groups, return_inverse=True)[1], part)), axis=0)
        if len(parted) > len(np.unique(groups)):
            raise ValueError("a patient is in two folds")
    return _judge(found, positive, part, tuple(range(part.max() + 1)), goals, groups, seed, draws)


def _judge(
    probability: Floats,
    positive: Bools,
    folds: Rows,
    judged: tuple[int, ...],
    goals: Sequence[Goal],
    groups: ArrayLike | None,
    seed: int,
    draws: int,
) -> list[OperatingPoint]:
    """Pool what the folds judged achieve, each by the thresholds of all others."""

    def achieved(rows: Rows) -> list[tuple[Counts, Floats]]:
        p, y, part = probability[rows], positive[rows], folds[rows]
        others = [part != k for k in judged]
        outside = [(p[o], y[o]) for o in others]
        mine = ~np.logical_and.reduce(others)
        own = part[mine] - judged[0]
        chosen = [np.array([g.threshold(*o) for o in outside]) for g in goals]
        return [(count(p[mine], y[mine], c[own]), c) for c in chosen]

    def shares(rows: Rows) -> Floats:
        known = [(f.shares(), np.isfinite(c).all()) for f, c in achieved(rows)]
        return np.concatenate([s if told else np.full(len(MEASURES), np.nan) for s, told in known])

    again = bootstrap_all(shares, positive, groups=groups, seed=seed, draws=draws)
    by_goal = [again[i : i + len(MEASURES)] for i in range(0, len(again), len(MEASURES))]
    return [
        OperatingPoint(f, tuple(c.tolist()), _exact(f), dict(zip(MEASURES, a, strict=True)))
        for (f, c), a in zip(achieved(np.arange(len(probability))), by_goal, strict=True)
    ]


def _exact(found: Counts) -> dict[str, Interval]:
    return {name: clopper_pearson(*pair) for name, pair in found.measures().items()}
