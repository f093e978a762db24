"""What drives a synthetic patient: latent variables, and the probit rule that makes her outcome from them."""

from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Axilla:
    """Latent variables of one diseased side, standard normal and independent. All three show on mammograms."""

    size: float  # of the mass; ultrasound measures it with an error
    spiculation: float  # of the mass
    node: float  # size and density of the axillary node; on MLO views alone


@dataclass(frozen=True, slots=True)
class Biology:
    """Latent variables of the patient. The clinical facts alone know them."""

    proliferation: float  # standard normal; Ki-67 is a function of it, grade and ER follow it with noise
    age: float  # standard normal
    lymphovascular_invasion: bool
    multifocal: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rule y = 1[score + N(0, 1) > cutoff], and how well ultrasound knows the size."""

    size: float = 0.55
    spiculation: float = 0.45
    node: float = 0.50
    proliferation: float = 0.50
    age: float = -0.25
    lymphovascular_invasion: float = 1.0
    multifocal: float = 0.5
    cutoff: float = 0.85
    lymphovascular_invasion_share: float = 0.25
    multifocal_share: float = 0.20
    ultrasound_correlation: float = 0.80  # between the size on ultrasound and the size itself

    def visible(self, size: Number, spiculation: Number, node: Number) -> Number:
        """Part of the score that mammograms show."""
        return self.size * size + self.spiculation * spiculation + self.node * node

    def told(self, proliferation: Number, age: Number) -> Number:
        """Part of the score that numbers in the clinical facts tell, the size apart."""
        return self.proliferation * proliferation + self.age * age

    def flagged(self, invasion: Number, multifocal: Number) -> Number:
        """Part of the score that the yes-or-no facts tell (0 or 1 each)."""
        return self.lymphovascular_invasion * invasion + self.multifocal * multifocal

    def score(self, axilla: Axilla, biology: Biology) -> float:
        """The whole score of one axilla."""
        return (
            self.visible(axilla.size, axilla.spiculation, axilla.node)
            + self.told(biology.proliferation, biology.age)
            + self.flagged(float(biology.lymphovascular_invasion), float(biology.multifocal))
        )


OUTCOME: Final = Outcome()


def draw_axilla(rng: np.random.Generator) -> Axilla:
    """Draw one side."""
    return Axilla(*(float(rng.standard_normal()) for _ in fields(Axilla)))


def draw_biology(rng: np.random.Generator, outcome: Outcome = OUTCOME) -> Biology:
    """Draw what is common to both sides."""
    return Biology(
        proliferation=float(rng.standard_normal()),
        age=float(rng.standard_normal()),
        lymphovascular_invasion=bool(rng.random() < outcome.lymphovascular_invasion_share),
        multifocal=bool(rng.random() < outcome.multifocal_share),
    )
