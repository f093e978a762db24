"""Discrimination: AUC with its DeLong interval, operating points, and biopsies avoided."""

import math
from dataclasses import dataclass

import numpy as np

from models.statistics import delong
from models.statistics.values import Bools, Floats, Interval


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What calling everything at or above a threshold positive achieves; shares in [0, 1]."""

    threshold: float
    sensitivity: float
    specificity: float
    negative_predictive_value: float
    biopsies_avoided: float  # (TN + FN) / N


def auc(scores: Floats, positive: Bools) -> Interval:
    """Area under the ROC curve with DeLong's interval (DeLong 1988; midranks as Sun and Xu 2014).

    Raises
    ------
    ValueError
        If there is no positive or no negative.
    """
    return delong.interval(scores, positive)


def at_threshold(probability: Floats, positive: Bools, threshold: float) -> AtThreshold:
    """Count what a threshold achieves; a predictive value without any negative call is 1."""
    called = probability >= threshold
    negatives = int((~called).sum())
    return AtThreshold(
        threshold=threshold,
        sensitivity=float(called[positive].mean()),
        specificity=float((~called[~positive]).mean()),
        negative_predictive_value=float((~called & ~positive).sum() / negatives) if negatives else 1.0,
        biopsies_avoided=negatives / len(called),
    )


def threshold_for_sensitivity(probability: Floats, positive: Bools, sensitivity: float) -> float:
    """Return the highest threshold at which at least this share of the positives is called."""
    cases = np.sort(probability[positive])
    return float(cases[math.floor((1 - sensitivity) * cases.size + 1e-9)])


def threshold_for_specificity(probability: Floats, positive: Bools, specificity: float) -> float:
    """Return the lowest threshold at which at least this share of the negatives is not called."""
    controls = np.sort(probability[~positive])
    return float(np.nextafter(controls[math.ceil(specificity * controls.size - 1e-9) - 1], np.inf))


def biopsies_avoided(
    probability: Floats, positive: Bools, threshold: float, rng: np.random.Generator, draws: int = 1000
) -> Interval:
    """Share of all biopsies that a threshold spares, with a bootstrap interval over patients."""
    spared = probability < threshold
    means = spared[rng.integers(0, len(spared), (draws, len(spared)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(at_threshold(probability, positive, threshold).biopsies_avoided, float(low), float(high))
