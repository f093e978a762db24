"""How a probability is written: one place, so that SR, text and pictures cannot differ."""

import math
from collections.abc import Iterable
from itertools import product
from typing import Final

from agent.core.prediction import OperatingPoint
from agent.report.catalogue import Language

LEAST: Final = 0.01  # viewers print nothing for a number that is exactly 0
MOST: Final = 99.99  # with one digit more the line beside the region is cut off
CLOSE: Final = 0.05  # by which a stated number, or what it lacks to 100 %, may be off where it is written
MOST_DIGITS: Final = 8  # after the point, in words: two numbers that agree in more are the same number


def percent(share: float) -> float:
    """Return a share as a percentage within [0.01, 99.99], as the NUM items hold it."""
    return min(max(round(100 * share, 4), LEAST), MOST)


def written(share: float, language: Language = Language.ENGLISH, digits: int = 1) -> str:
    """Return an estimated share as words print it, without the unit: "73.1", "< 0.1", "> 99.9"; in German "73,1"."""
    return language.decimal(_bounded(_rounded(share, digits), 100, digits))


def exactly(share: float, language: Language = Language.ENGLISH, digits: int = 1) -> str:
    """Return a share that somebody chose, as a threshold, without the unit: "10.0", "0.03", never a bound."""
    off = CLOSE * min(100 * share, 100 - 100 * share)
    enough = (n for n in range(digits, MOST_DIGITS) if abs(round(100 * share, n) - 100 * share) <= off)
    told = next(enough, MOST_DIGITS)
    return language.decimal(f"{_rounded(share, told):.{told}f}")


def rate(share: float, digits: int) -> str:
    """Return what was counted on patients, as a sensitivity: of no number of them is it 1 or 0 ("> 0.99", "< 0.01")."""
    return _bounded(share, 1, digits)


def digits_between(shares: Iterable[float], thresholds: Iterable[float]) -> int:
    """How many digits after the point tell every share from every threshold that it does not equal; at least one."""
    pairs = [(share, bound) for share, bound in product(shares, thresholds) if share != bound]
    for digits in range(1, MOST_DIGITS):
        if all(f"{_rounded(a, digits):.{digits}f}" != f"{_rounded(b, digits):.{digits}f}" for a, b in pairs):
            return digits
    return MOST_DIGITS


def _rounded(share: float, digits: int) -> float:
    return round(100 * share, max(4, digits))  # four are what the NUM items hold


def _bounded(value: float, whole: float, digits: int) -> str:
    """Write a number; one that would be read as nothing or as the whole by the bound beyond which it lies."""
    step = 10**-digits
    if value < step / 2:
        return f"< {step:.{digits}f}"
    return f"> {whole - step:.{digits}f}" if value >= whole - step / 2 else f"{value:.{digits}f}"


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
