"""How a probability is written: one place, so that SR, text and pictures cannot differ."""

from typing import Final

from agent.core.prediction import Estimate, OperatingPoint

LEAST: Final = 0.01  # viewers print nothing for a number that is exactly 0
MOST: Final = 99.99  # with one digit more the line beside the region is cut off


def percent(share: float) -> float:
    """Return a share as a percentage within [0.01, 99.99], as the NUM items hold it."""
    return min(max(round(100 * share, 4), LEAST), MOST)


def written(share: float) -> str:
    """Return a share as words print it, without the unit: "73.1", "< 0.1", "> 99.9"."""
    value = percent(share)
    if value < 0.05:
        return "< 0.1"
    if value >= 99.95:
        return "> 99.9"
    return f"{value:.1f}"


def interval(estimate: Estimate) -> str:
    """Return the 95 % interval as words print it, without the unit."""
    return f"{written(estimate.low)} to {written(estimate.high)}"


def predictive_values(point: OperatingPoint, prevalence: float) -> tuple[float, float]:
    """Return (NPV, PPV) of a threshold at a prevalence, all in [0, 1], by Bayes' theorem."""
    true_negative = point.specificity * (1 - prevalence)
    false_negative = (1 - point.sensitivity) * prevalence
    true_positive = point.sensitivity * prevalence
    false_positive = (1 - point.specificity) * (1 - prevalence)
    return _ratio(true_negative, false_negative), _ratio(true_positive, false_positive)


def _ratio(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong else 0.0
