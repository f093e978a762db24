"""The best that anyone can do on the phantom: posterior and AUC of each subset of modalities, in closed form.

The latents are jointly normal, so given those that a subset of modalities sees the score is known but for a normal
remainder (and, without the clinical facts, two flags): P(y = 1) is a probit of the known part. The AUC is then one
integral over the known part's density.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.phantom.latents import NORMALS, OUTCOME, Axilla, Biology, Outcome, covariance, normals

Floats = NDArray[np.float64]
CLINICAL: Final = "clinical"
MODALITIES: Final = (CLINICAL, "MG", "US", "MR")
SEES: Final = {
    CLINICAL: ("ultrasound_size", "proliferation", "age"),  # and the two flags
    "MG": ("size", "spiculation", "node_density"),
    "US": ("ultrasound_size", "cortex", "hilum"),
    "MR": ("size", "washout", "uptake"),
}
SUBSETS: Final = tuple(
    frozenset(m for bit, m in enumerate(MODALITIES) if mask >> bit & 1) for mask in range(1 << len(MODALITIES))
)


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


@lru_cache(maxsize=64)
def expectation(subset: frozenset[str], outcome: Outcome = OUTCOME) -> Floats:
    """Coefficients (10,) that make of NORMALS the expected score given those that a subset sees, the flags apart."""
    seen = [i for i, name in enumerate(NORMALS) if any(name in SEES[m] for m in subset)]
    together, found = covariance(), np.zeros(len(NORMALS))
    found[seen] = np.linalg.solve(together[np.ix_(seen, seen)], together[seen] @ outcome.weights)
    found.flags.writeable = False
    return found


def known_and_rest(subset: frozenset[str], outcome: Outcome = OUTCOME) -> tuple[Mixture, Mixture]:
    """Split score + N(0, 1) into the part that a subset knows and the independent remainder."""
    none, flags = (np.ones(1), np.zeros(1)), _flags(outcome)
    coefficients, together = expectation(subset, outcome), covariance()
    known = float(coefficients @ together @ coefficients)
    rest = 1 + float(outcome.weights @ together @ outcome.weights) - known
    told, untold = (flags, none) if CLINICAL in subset else (none, flags)
    return Mixture(*told, known), Mixture(*untold, rest)


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


def posterior(subset: frozenset[str], axilla: Axilla, biology: Biology, outcome: Outcome = OUTCOME) -> float:
    """P(metastasis) of one axilla given what a subset observes of it.

    The clinical facts tell the size on ultrasound of a patient's first side alone: of the second side of a bilateral
    cancer they know less than this says.
    """
    known = float(expectation(subset, outcome) @ normals(axilla, biology))
    if CLINICAL in subset:
        known += outcome.flagged(float(biology.lymphovascular_invasion), float(biology.multifocal))
    _, rest = known_and_rest(subset, outcome)
    return float(1 - rest.cdf(np.array([outcome.cutoff - known]))[0])


def posteriors(axilla: Axilla, biology: Biology, outcome: Outcome = OUTCOME) -> Floats:
    """P(metastasis) of one axilla given each of SUBSETS (16,)."""
    return np.array([posterior(subset, axilla, biology, outcome) for subset in SUBSETS])


def share_of_excess(reached: float, best: float) -> float:
    """Share of the excess over chance, (AUC - 1/2) / (Bayes AUC - 1/2)."""
    return (reached - 0.5) / (best - 0.5)


def _flags(outcome: Outcome) -> tuple[Floats, Floats]:
    """Weights and means of the four combinations of the two flags."""
    shares = (outcome.lymphovascular_invasion_share, outcome.multifocal_share)
    pairs = list(product((0.0, 1.0), repeat=2))
    weights = [math.prod(p if on else 1 - p for p, on in zip(shares, pair, strict=True)) for pair in pairs]
    return np.array(weights), np.array([outcome.flagged(*pair) for pair in pairs])
