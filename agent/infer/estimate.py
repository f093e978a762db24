"""What the graph's numbers mean: probability, interval, category, and where each image had its influence."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent
from agent.core.manifest import BundleManifest
from agent.core.prediction import Estimate, OperatingPoint, Side, categorise
from agent.core.result import Influence
from agent.infer.prepare import View
from agent.preprocess.placement import to_source

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


def estimate_axilla(
    side: Side, manifest: BundleManifest, outputs: dict[str, NDArray[Any]], row: int, shift: float
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
    probability = sigmoid(logit)
    return Estimate(
        side=side,
        probability=probability,
        low=sigmoid(logit - Z_95 * spread),
        high=sigmoid(logit + Z_95 * spread),
        category=categorise(probability, shifted_points(manifest.operating_points, shift)),
        contributions=contributions,
    )


def influences(estimate: Estimate, views: Sequence[View], saliency_vhw: NDArray[Any]) -> tuple[Influence, ...]:
    """Map the saliency of each view of an axilla back to the pixels of its source image.

    What the mammograms contributed together is divided among the views by the mass of their saliency.

    Parameters
    ----------
    estimate
        Of the axilla; its contribution of "MG" is divided.
    views
        The images of the axilla, in the order of the tensor.
    saliency_vhw
        (V, h, w), in [0, 1]; rows beyond the views are padding.
    """
    mass = [float(saliency_vhw[n].sum()) for n in range(len(views))]
    total = sum(mass)
    shares = [one / total if total > 0 else 1 / len(views) for one in mass]
    return tuple(
        Influence(
            sop_instance_uid=view.instance.sop_instance_uid,
            modality=view.instance.modality,
            side=estimate.side,
            contribution=share * estimate.contributions[view.instance.modality],
            saliency_hw=_on_display(view, saliency_vhw[n]),
        )
        for n, (view, share) in enumerate(zip(views, shares, strict=True))
    )


def _on_display(view: View, saliency_hw: NDArray[Any]) -> NDArray[np.float32]:
    height, width = view.source.image_hw.shape
    return np.clip(to_source(view.placement, saliency_hw, (height, width)), 0, 1)
