"""The answer for one axilla: an estimate with its interval, or no estimate with its reason."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias


class Side(StrEnum):
    """Side of the body."""

    L = "L"
    R = "R"

    @property
    def word(self) -> str:
        """As a sentence says it."""
        return "left" if self is Side.L else "right"


class Category(StrEnum):
    """Where the probability lies between the bundle's operating points."""

    LOW = "LOW"
    NOT_LOW = "NOT LOW"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold chosen on validation patients of whom everything is there, and what it achieves (shares in [0, 1]).

    `by_inputs` says what the same threshold achieves where only some inputs are there: sensitivity and specificity by
    their names, as in "clinical+MG", in the manifest's order.
    """

    name: str  # "low" or "high"
    threshold: float
    sensitivity: float
    specificity: float
    by_inputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    inputs: str = ""  # those that sensitivity and specificity hold for; empty: everything

    def given(self, inputs: Collection[str]) -> "OperatingPoint":
        """Return the same threshold with what it achieves given these inputs; unchanged where nobody measured it."""
        for name, (sensitivity, specificity) in self.by_inputs.items():
            if set(name.split("+")) == set(inputs):
                return replace(self, sensitivity=sensitivity, specificity=specificity, inputs=name)
        return self


@dataclass(frozen=True)
class Estimate:
    """Probability of nodal metastasis of one axilla, in [0, 1], with its 95 % interval."""

    side: Side
    probability: float
    low: float
    high: float
    category: Category
    contributions: Mapping[str, float]  # logit by modality ("clinical", "MG", ...) and "prior"; they add up
    points: tuple[OperatingPoint, ...] = ()  # with what they achieve given this axilla's inputs

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
