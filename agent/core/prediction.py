"""The answer for one axilla: an estimate with its interval, or no estimate with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Side(StrEnum):
    """Side of the body."""

    L = "L"
    R = "R"


class Category(StrEnum):
    """Where the probability lies between the bundle's operating points."""

    LOW = "LOW"
    NOT_LOW = "NOT LOW"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold chosen on validation patients, with what it achieved there (shares in [0, 1])."""

    name: str  # "low" or "high"
    threshold: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Estimate:
    """Probability of nodal metastasis of one axilla, in [0, 1], with its 95 % interval."""

    side: Side
    probability: float
    low: float
    high: float
    category: Category
    contributions: Mapping[str, float]  # logit by modality ("clinical", "MG", ...) and "prior"; they add up

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.probability <= self.high <= 1:
            raise ValueError(f"{self.low} <= {self.probability} <= {self.high} does not hold within [0, 1]")


@dataclass(frozen=True, slots=True)
class NoEstimate:
    """Why there is no number for one axilla (or for the patient, where the side is unknown)."""

    side: Side | None
    reason: str


Answer: TypeAlias = Estimate | NoEstimate


def categorise(probability: float, points: tuple[OperatingPoint, ...]) -> Category:
    """LOW below the point named "low", HIGH at or above the one named "high", else NOT LOW."""
    thresholds = {p.name: p.threshold for p in points}
    if probability < thresholds["low"]:
        return Category.LOW
    return Category.HIGH if probability >= thresholds.get("high", 2.0) else Category.NOT_LOW
