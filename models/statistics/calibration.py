"""Calibration: do probabilities mean what they say, too high or low as a whole, too bold or too shy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.reliability import calibration_error, expected_calibration_error
from models.statistics.scores import brier
from models.statistics.values import Z95, Bools, Floats, Interval, predicted

__all__ = [
    "Bools",
    "Calibration",
    "Floats",
    "Line",
    "calibration",
    "calibration_in_the_large",
    "calibration_line",
    "expected_calibration_error",
    "logistic",
    "logistic_towards",
    "logit",
    "sigmoid",
]

FAR = 4.0  # change of a logit at which a step of Newton's method is checked


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of a set of predictions."""

    ece: float
    ece_by_luck: float  # 95th percentile of the ECE when outcomes are drawn from the predictions themselves
    brier: float
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Line:
    """Logistic calibration line, logit P(positive) = intercept + slope · logit(prediction) (Cox 1958)."""

    intercept: Interval
    slope: Interval  # below 1: predictions too extreme; covers 1 where the model is calibrated


def calibration(probability: Floats, positive: Bools, rng: np.random.Generator, draws: int = 1000) -> Calibration:
    """Measure calibration; an ECE is bad only where it exceeds `ece_by_luck`."""
    error = calibration_error(probability, positive, rng, draws=draws)
    slope, intercept = logistic(logit(probability)[:, None], positive)
    return Calibration(error.value, error.by_luck, brier(probability, positive), float(slope), float(intercept))


def calibration_line(probabilities: ArrayLike, labels: ArrayLike) -> Line:
    """Fit the calibration line with Wald's 95 % intervals; NaN where all predictions or all outcomes are the same."""
    found, positive = predicted(probabilities, labels)
    x = logit(found)
    if np.ptp(x) < 1e-12 or positive.all() or not positive.any():
        unknown = Interval(float("nan"), float("nan"), float("nan"))
        return Line(unknown, unknown)
    beta = logistic(x[:, None], positive)
    design = np.column_stack((x, np.ones(len(x))))
    p = sigmoid(design @ beta)
    deviation = np.sqrt(np.diag(np.linalg.pinv((design * (p * (1 - p))[:, None]).T @ design)))
    slope, intercept = (
        Interval(float(b), float(b - Z95 * d), float(b + Z95 * d)) for b, d in zip(beta, deviation, strict=True)
    )
    return Line(intercept, slope)


def calibration_in_the_large(probabilities: ArrayLike, labels: ArrayLike) -> Interval:
    """Intercept of the calibration line of slope 1: 0 where as many are positive as predicted (Steyerberg 2019, 15.3).

    The interval is Wald's; NaN where all outcomes are the same.
    """
    found, positive = predicted(probabilities, labels)
    if positive.all() or not positive.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    offset = logit(found)
    value = float(logistic_towards(np.empty((len(found), 0)), positive, np.zeros(1), 1e-9, offset=offset)[0])
    p = sigmoid(offset + value)
    half = Z95 / float(np.sqrt((p * (1 - p)).sum()))
    return Interval(value, value - half, value + half)


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


def logistic_towards(
    features: Floats,
    positive: Bools,
    expected: Floats,
    precision: float,
    steps: int = 50,
    *,
    offset: Floats | float = 0.0,
) -> Floats:
    """Fit a logistic regression whose coefficients are expected at certain values.

    Parameters
    ----------
    expected : array (K + 1,)
        Where the coefficients, the intercept last, are drawn to.
    precision : float
        Weight of the penalty on the squared distance from there.
    offset : array (N,) or float
        What is added to every logit as it is.

    Returns
    -------
    array (K + 1,)
    """
    x = np.column_stack((features, np.ones(len(features))))
    beta = np.asarray(expected, np.float64)

    def loss(at: Floats) -> float:
        z = x @ at + offset
        return float((np.logaddexp(0, z) - positive * z).sum() + precision / 2 * ((at - expected) ** 2).sum())

    for _ in range(steps):
        p = sigmoid(x @ beta + offset)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + precision * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, x.T @ (positive - p) - precision * (beta - expected))
        if np.abs(x @ step).max() > FAR:  # a full step may overshoot
            before = loss(beta)
            while loss(beta + step) > before and np.abs(step).max() >= 1e-9:
                step = step / 2
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
