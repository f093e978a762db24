"""What drives a synthetic patient: latent variables, and the probit rule that makes her outcome from them.

Every latent is standard normal, and the higher it is the worse (age apart): what a modality sees of it only helps as
far as the outcome depends on it, or on something that goes with it.
"""

from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

ULTRASOUND_CORRELATION: Final = 0.8  # between the size on ultrasound and the size itself
NODE_CORRELATION: Final = 0.6  # between the node's density on mammograms and its cortex on ultrasound


@dataclass(frozen=True, slots=True)
class Axilla:
    """Latent variables of one diseased side, standard normal; two pairs of them go together (`covariance`)."""

    size: float  # of the mass, on mammograms and MR
    spiculation: float  # of the mass, on mammograms
    node_density: float  # size and density of the axillary node, on MLO views
    ultrasound_size: float  # of the mass as ultrasound measures it: with an error
    cortex: float  # thickness of the node's cortex, on ultrasound
    hilum: float  # how far the node's echogenic hilum is lost, on ultrasound
    washout: float  # of the mass in the late phases of dynamic MR
    uptake: float  # of contrast by the mass in the first phase of dynamic MR


@dataclass(frozen=True, slots=True)
class Biology:
    """Latent variables of the patient. The clinical facts alone know them."""

    proliferation: float  # standard normal; Ki-67 is a function of it, grade and ER follow it with noise
    age: float  # standard normal
    lymphovascular_invasion: bool
    multifocal: bool


SIDED: Final = tuple(f.name for f in fields(Axilla))
NORMALS: Final = (*SIDED, "proliferation", "age")  # all that is normal, in the order of every vector of latents


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rule y = 1[score + N(0, 1) > cutoff]: weights of the latents, and how common the flags are."""

    size: float = 0.45
    spiculation: float = 0.40
    node_density: float = 0.25
    ultrasound_size: float = 0.0
    cortex: float = 0.45
    hilum: float = 0.35
    washout: float = 0.45
    uptake: float = 0.35
    proliferation: float = 0.45
    age: float = -0.25
    lymphovascular_invasion: float = 1.0
    multifocal: float = 0.5
    cutoff: float = 1.0
    lymphovascular_invasion_share: float = 0.25
    multifocal_share: float = 0.20

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of NORMALS (10,)."""
        return np.array([getattr(self, name) for name in NORMALS])

    def flagged(self, invasion: float, multifocal: float) -> float:
        """Part of the score that the yes-or-no facts tell (0 or 1 each)."""
        return self.lymphovascular_invasion * invasion + self.multifocal * multifocal

    def score(self, axilla: Axilla, biology: Biology) -> float:
        """The whole score of one axilla."""
        flags = self.flagged(float(biology.lymphovascular_invasion), float(biology.multifocal))
        return float(self.weights @ normals(axilla, biology)) + flags


OUTCOME: Final = Outcome()


def normals(axilla: Axilla, biology: Biology) -> NDArray[np.float64]:
    """Return the normal latents of one axilla as a vector in the order of NORMALS (10,)."""
    return np.array([*astuple(axilla), biology.proliferation, biology.age])


def covariance() -> NDArray[np.float64]:
    """Return the covariance of NORMALS (10, 10): unit variances, and the two pairs that go together."""
    together = np.eye(len(NORMALS))
    for one, other, rho in (
        ("size", "ultrasound_size", ULTRASOUND_CORRELATION),
        ("cortex", "node_density", NODE_CORRELATION),
    ):
        i, j = NORMALS.index(one), NORMALS.index(other)
        together[i, j] = together[j, i] = rho
    return together


def draw_axilla(rng: np.random.Generator) -> Axilla:
    """Draw one side."""
    sides = len(SIDED)
    return Axilla(*(np.linalg.cholesky(covariance()[:sides, :sides]) @ rng.standard_normal(sides)).tolist())


def draw_biology(rng: np.random.Generator, outcome: Outcome = OUTCOME) -> Biology:
    """Draw what is common to both sides."""
    return Biology(
        proliferation=float(rng.standard_normal()),
        age=float(rng.standard_normal()),
        lymphovascular_invasion=bool(rng.random() < outcome.lymphovascular_invasion_share),
        multifocal=bool(rng.random() < outcome.multifocal_share),
    )
