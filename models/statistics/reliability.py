"""Reliability curves and the expected calibration error, judged against what luck alone would show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.delong import midranks
from models.statistics.values import Floats, Rows, predicted

CHUNK = 64  # outcome sets drawn at a time


@dataclass(frozen=True, slots=True)
class Bin:
    """Patients of similar predictions: how many, and the mean of what was predicted and of what happened."""

    count: int
    positives: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error and what it would be if every probability were true.

    ECE is biased upwards: with few patients a bin's share is off by luck. `by_luck_mean` is that bias for a perfect
    model of these predictions; only above `by_luck` is there something to explain.
    """

    value: float
    by_luck_mean: float
    by_luck: float  # 95th percentile over outcome sets drawn from the predictions themselves

    @property
    def within_range(self) -> bool:
        """Whether luck explains the error."""
        return self.value <= self.by_luck


def equal_count(probability: Floats, bins: int = 10) -> Rows:
    """Number bins of equal count; equal predictions share one, whatever the order of rows."""
    return np.asarray((midranks(probability) - 0.5) * bins // len(probability), np.intp)


def equal_width(probability: Floats, bins: int = 10) -> Rows:
    """Number bins of equal width, each with its lower bound, the last with both."""
    return np.minimum((probability * bins).astype(np.intp), bins - 1)


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, *, width: bool = False
) -> float:
    """Mean distance between predicted and observed share over bins, weighted by count (Naeini 2015).

    Parameters
    ----------
    width : bool
        Whether bins are of equal width; otherwise of equal count.
    """
    found, positive = predicted(probabilities, labels)
    into = equal_width(found, bins) if width else equal_count(found, bins)
    return float(np.abs(np.bincount(into, found - positive)).sum() / len(found))


def calibration_error(
    probabilities: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    bins: int = 10,
    width: bool = False,
    draws: int = 1000,
) -> CalibrationError:
    """Measure the ECE, and simulate it for outcomes drawn from the predictions."""
    found, positive = predicted(probabilities, labels)
    into = equal_width(found, bins) if width else equal_count(found, bins)
    belongs = (into[:, None] == np.arange(bins)).astype(float)
    lucky = []
    for start in range(0, draws, CHUNK):
        drawn = rng.random((min(CHUNK, draws - start), len(found))) < found
        lucky.append(np.abs((found - drawn) @ belongs).sum(1) / len(found))
    simulated = np.concatenate(lucky)
    value = float(np.abs((found - positive) @ belongs).sum() / len(found))
    return CalibrationError(value, float(simulated.mean()), float(np.percentile(simulated, 95)))


def curve(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, *, width: bool = False) -> list[Bin]:
    """Find the points of a reliability plot; empty bins are left out."""
    found, positive = predicted(probabilities, labels)
    into = equal_width(found, bins) if width else equal_count(found, bins)
    members = [into == k for k in np.unique(into)]
    return [
        Bin(int(m.sum()), int(positive[m].sum()), float(found[m].mean()), float(positive[m].mean())) for m in members
    ]
