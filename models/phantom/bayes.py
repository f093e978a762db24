"""The best that anyone can do on the phantom: posterior and AUC of each subset of modalities, in closed form.

Given a subset of what is observed, the score is known but for a normal remainder (and, without the clinical facts,
two flags), so P(y = 1) is a probit of the known part. The AUC is then one integral over the known part's density.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.phantom.latents import OUTCOME, Axilla, Biology, Outcome

Floats = NDArray[np.float64]
CLINICAL: Final = "clinical"
MG: Final = "MG"
SUBSETS: Final = (frozenset[str](), frozenset({CLINICAL}), frozenset({MG}), frozenset({CLINICAL, MG}))


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of normals of equal width: weights, means, variance."""

    weights: Floats
    means: Floats
    variance: float

    def cdf(self, x: Floats) -> Floats:
        """Distribution function at `x` (n,)."""
        return normal_cdf((x[:, None] - self.means) / math.sqrt(self.variance)) @ self.weights


def normal_cdf(x: Floats) -> Floats:
    """Standard normal distribution function, elementwise."""
    return 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


def known_and_rest(subset: frozenset[str], outcome: Outcome = OUTCOME) -> tuple[Mixture, Mixture]:
    """Split score + N(0, 1) into the part that a subset knows and the independent remainder."""
    flags = _flags(outcome)
    none = Mixture(np.ones(1), np.zeros(1), 0.0)
    from_images = outcome.size**2 + outcome.spiculation**2 + outcome.node**2
    told = outcome.told(1.0, 0.0) ** 2 + outcome.told(0.0, 1.0) ** 2
    by_ultrasound = (outcome.size * outcome.ultrasound_correlation) ** 2
    images = MG in subset
    if CLINICAL not in subset:
        known = Mixture(none.weights, none.means, from_images if images else 0.0)
        return known, Mixture(flags.weights, flags.means, 1 + told + from_images - known.variance)
    variance = told + (from_images if images else by_ultrasound)
    return Mixture(flags.weights, flags.means, variance), Mixture(
        none.weights, none.means, 1 + told + from_images - variance
    )


def prevalence(outcome: Outcome = OUTCOME) -> float:
    """Share of axillae with metastasis."""
    _, rest = known_and_rest(frozenset(), outcome)
    return float(1 - rest.cdf(np.array([outcome.cutoff]))[0])


def auc(subset: frozenset[str], outcome: Outcome = OUTCOME, points: int = 4001) -> float:
    """Area under the ROC curve of the posterior probability given a subset; 0.5 for the empty one."""
    known, rest = known_and_rest(subset, outcome)
    if known.variance == 0:
        return 0.5
    sd = math.sqrt(known.variance)
    x = np.linspace(known.means.min() - 8 * sd, known.means.max() + 8 * sd, points)
    density = np.exp(-(((x[:, None] - known.means) / sd) ** 2) / 2) @ known.weights
    positive = 1 - rest.cdf(outcome.cutoff - x)
    cases, controls = density * positive, density * (1 - positive)
    below = np.cumsum(controls) - controls / 2
    return float((cases * below).sum() / (cases.sum() * controls.sum()))


def posterior(
    subset: frozenset[str], axilla: Axilla, biology: Biology, ultrasound: float, outcome: Outcome = OUTCOME
) -> float:
    """P(metastasis) of one axilla given what a subset observes of it.

    Parameters
    ----------
    ultrasound : float
        The standardised logarithm of the size that ultrasound measured.
    """
    known = 0.0
    if CLINICAL in subset:
        flags = float(biology.lymphovascular_invasion), float(biology.multifocal)
        known += outcome.told(biology.proliferation, biology.age) + outcome.flagged(*flags)
        if MG not in subset:
            known += outcome.size * outcome.ultrasound_correlation * ultrasound
    if MG in subset:
        known += outcome.visible(axilla.size, axilla.spiculation, axilla.node)
    _, rest = known_and_rest(subset, outcome)
    return float(1 - rest.cdf(np.array([outcome.cutoff - known]))[0])


def share_of_excess(reached: float, best: float) -> float:
    """Share of the excess over chance, (AUC - 1/2) / (Bayes AUC - 1/2)."""
    return (reached - 0.5) / (best - 0.5)


def _flags(outcome: Outcome) -> Mixture:
    shares = (outcome.lymphovascular_invasion_share, outcome.multifocal_share)
    pairs = list(product((0.0, 1.0), repeat=2))
    weights = [math.prod(p if on else 1 - p for p, on in zip(shares, pair, strict=True)) for pair in pairs]
    return Mixture(np.array(weights), np.array([outcome.flagged(*pair) for pair in pairs]), 0.0)
