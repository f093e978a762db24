"""How a probability is written: one place, so that SR, text and pictures cannot differ."""

import math
from typing import Final

from agent.core.prediction import OperatingPoint
from agent.report.catalogue import Language

LEAST: Final = 0.01  # viewers print nothing for a number that is exactly 0
MOST: Final = 99.99  # with one digit more the line beside the region is cut off


def percent(share: float) -> float:
    """Return a share as a percentage within [0.01, 99.99], as the NUM items hold it."""
    return min(max(round(100 * share, 4), LEAST), MOST)


def written(share: float, language: Language = Language.ENGLISH) -> str:
    """Return a share as words print it, without the unit: "73.1", "< 0.1", "> 99.9"; in German "73,1"."""
    value = percent(share)
    bound = "< 0.1" if value < 0.05 else "> 99.9" if value >= 99.95 else ""
    return language.decimal(bound or f"{value:.1f}")


def log_odds(share: float) -> float:
    """Return the logit of a share in (0, 1)."""
    return math.log(share / (1 - share))


def factor(shift: float) -> str:
    """Return by what a shift of the log-odds multiplies the odds, in English: "3.3", "0.45", "> 100"."""
    times = math.exp(max(min(shift, 30.0), -30.0))
    if times >= 100:
        return "> 100"
    if times < 0.01:
        return "< 0.01"
    return f"{times:.2f}" if times < 0.995 else f"{times:.1f}" if times < 9.95 else f"{times:.0f}"


def predictive_values(point: OperatingPoint, prevalence: float) -> tuple[float, float]:
    """Return (NPV, PPV) of a threshold at a prevalence, all in [0, 1], by Bayes' theorem."""
    true_negative = point.specificity * (1 - prevalence)
    false_negative = (1 - point.sensitivity) * prevalence
    true_positive = point.sensitivity * prevalence
    false_positive = (1 - point.specificity) * (1 - prevalence)
    return _ratio(true_negative, false_negative), _ratio(true_positive, false_positive)


def _ratio(right: float, wrong: float) -> float:
    return right / (right + wrong) if right + wrong else 0.0
