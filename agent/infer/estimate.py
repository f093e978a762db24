"""What the graph's numbers mean: probability, interval and category."""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from numpy.typing import NDArray

from agent.core.errors import Permanent
from agent.core.manifest import BundleManifest
from agent.core.prediction import Estimate, OperatingPoint, Side, categorise

Z_95: Final = 1.96
PRIOR: Final = "prior"


def sigmoid(logit: float) -> float:
    """Return the probability, in [0, 1], of a logit of any size."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def log_odds(probability: float) -> float:
    """Return the logit of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))


def prior_shift(site_prevalence: float | None, training_prevalence: float) -> float:
    """By how much a site's own prevalence moves every logit; 0 where none is configured.

    Raises
    ------
    Permanent
        If a prevalence is not within (0, 1).
    """
    if site_prevalence is None:
        return 0.0
    for share in (site_prevalence, training_prevalence):
        if not 0 < share < 1:
            raise Permanent(f"a prevalence of {share} cannot be: it lies between 0 and 1")
    return log_odds(site_prevalence) - log_odds(training_prevalence)


def shifted_points(points: Sequence[OperatingPoint], shift: float) -> tuple[OperatingPoint, ...]:
    """Move thresholds along with the probabilities: who lies below one, and so its sensitivity, stays the same."""
    if not shift:
        return tuple(points)
    return tuple(replace(point, threshold=sigmoid(log_odds(point.threshold) + shift)) for point in points)


def is_certain(manifest: BundleManifest, outputs: dict[str, NDArray[Any]], row: int) -> bool:
    """Whether the interval is no wider than the bundle allows (`widest_interval` of its metrics), before any shift.

    A bundle that states none always answers.
    """
    logit, half = float(outputs["logit"][row]), Z_95 * float(outputs["logit_sd"][row])
    return sigmoid(logit + half) - sigmoid(logit - half) <= float(manifest.metrics.get("widest_interval", 1.0))


def estimate_axilla(
    side: Side,
    manifest: BundleManifest,
    outputs: dict[str, NDArray[Any]],
    row: int,
    *,
    present: Collection[str],
    shift: float,
) -> Estimate:
    """Read one row of the graph's answer.

    Parameters
    ----------
    side
        The axilla of this row.
    manifest
        Its modalities name the contributions, its operating points the category.
    outputs
        logit, logit_sd (N,); contributions (N, 1 + M).
    row
        Index within N.
    present
        The modalities that are there for this axilla.
    shift
        What the site's prevalence adds to the logit; it counts as part of the prior's contribution.

    Raises
    ------
    Permanent
        If a number is not finite or the spread is negative.
    """
    logit, spread = float(outputs["logit"][row]) + shift, float(outputs["logit_sd"][row])
    parts = [float(part) for part in outputs["contributions"][row]]
    if not all(math.isfinite(number) for number in (logit, spread, *parts)) or spread < 0:
        raise Permanent(f"{manifest.name}: the model answered with a number that is none")
    contributions = dict(zip((PRIOR, *manifest.modalities), parts, strict=True))
    contributions[PRIOR] += shift
    probability, points = sigmoid(logit), shifted_points(manifest.operating_points, shift)
    return Estimate(
        side=side,
        probability=probability,
        low=sigmoid(logit - Z_95 * spread),
        high=sigmoid(logit + Z_95 * spread),
        category=categorise(probability, points),
        contributions=contributions,
        points=tuple(point.given(present) for point in points),
    )
