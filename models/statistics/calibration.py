"""Calibration: do probabilities mean what they say, judged against what luck alone would show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of a set of predictions."""

    ece: float
    ece_by_luck: float  # 95th percentile of the ECE when outcomes are drawn from the predictions themselves
    brier: float
    slope: float
    intercept: float


def calibration(probability: Floats, positive: Bools, rng: np.random.Generator, draws: int = 1000) -> Calibration:
    """Measure calibration; an ECE is bad only where it exceeds `ece_by_luck`."""
    simulated = rng.random((draws, len(probability))) < probability
    slope, intercept = logistic(logit(probability)[:, None], positive)
    return Calibration(
        ece=expected_calibration_error(probability, positive),
        ece_by_luck=float(np.percentile([expected_calibration_error(probability, y) for y in simulated], 95)),
        brier=float(((probability - positive) ** 2).mean()),
        slope=float(slope),
        intercept=float(intercept),
    )


def expected_calibration_error(probability: Floats, positive: Bools, bins: int = 10) -> float:
    """Mean distance between predicted and observed share over bins of equal count, weighted by count."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, bins)
    gaps = [abs(float(probability[p].mean() - positive[p].mean())) * len(p) for p in parts if len(p)]
    return sum(gaps) / len(probability)


def logistic(features: Floats, positive: Bools, ridge: float = 1e-6, steps: int = 50) -> Floats:
    """Fit a logistic regression by Newton's method.

    Parameters
    ----------
    features : array (N, K)
    positive : array (N,)
    ridge : float
        Weight of the penalty on squared coefficients, the intercept's too.

    Returns
    -------
    array (K + 1,)
        Coefficients, the intercept last.
    """
    return logistic_towards(features, positive, np.zeros(features.shape[1] + 1), ridge, steps)


def logistic_towards(features: Floats, positive: Bools, expected: Floats, precision: float, steps: int = 50) -> Floats:
    """Fit a logistic regression whose coefficients are expected at certain values.

    Parameters
    ----------
    expected : array (K + 1,)
        Where the coefficients, the intercept last, are drawn to.
    precision : float
        Weight of the penalty on the squared distance from there.

    Returns
    -------
    array (K + 1,)
    """
    x = np.column_stack((features, np.ones(len(features))))
    beta = np.asarray(expected, np.float64)
    for _ in range(steps):
        p = sigmoid(x @ beta)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + precision * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, x.T @ (positive - p) - precision * (beta - expected))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    return beta


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def logit(p: Floats) -> Floats:
    """Inverse of the logistic function; 0 and 1 become finite."""
    inside = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))
