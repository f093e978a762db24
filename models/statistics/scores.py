"""Proper scores: Brier's, with its parts, and the logarithmic one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.reliability import equal_count
from models.statistics.values import predicted

SMALLEST = 1e-15  # what a probability of 0 counts as in the logarithm


@dataclass(frozen=True, slots=True)
class BrierParts:
    """Brier score as `miscalibration - resolution + uncertainty + within` (Murphy 1973; Stephenson 2008).

    Attributes
    ----------
    within : float
        What is lost and won by differences inside bins; 0 where each bin holds one prediction.
    """

    miscalibration: float
    resolution: float
    uncertainty: float
    within: float


def brier(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared distance of probability and outcome (Brier 1950), in [0, 1]."""
    found, positive = predicted(probabilities, labels)
    return float(((found - positive) ** 2).mean())


def brier_parts(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> BrierParts:
    """Split the Brier score by bins of equal count; the parts add up exactly."""
    found, positive = predicted(probabilities, labels)
    into = np.unique(equal_count(found, bins), return_inverse=True)[1]
    counts = np.bincount(into)
    said, happened = np.bincount(into, found) / counts, np.bincount(into, positive) / counts
    weight, prevalence = counts / len(found), float(positive.mean())
    inside, outcome = found - said[into], positive - happened[into]
    return BrierParts(
        miscalibration=float(weight @ (said - happened) ** 2),
        resolution=float(weight @ (happened - prevalence) ** 2),
        uncertainty=prevalence * (1 - prevalence),
        within=float((inside**2 - 2 * inside * outcome).mean()),
    )


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative logarithm of what was given to the outcome; 0 and 1 are taken as 1e-15 and 1 - 1e-15."""
    found, positive = predicted(probabilities, labels)
    given = np.clip(np.where(positive, found, 1 - found), SMALLEST, 1)
    return float(-np.log(given).mean())
