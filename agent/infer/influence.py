"""Where each image had its influence, in the image's own pixels, and how much of its modality's contribution."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.core.prediction import Estimate
from agent.core.result import Influence
from agent.infer.inputs import IMAGE_INPUTS
from agent.infer.view import View
from agent.preprocess.placement import to_source

KEY_IMAGE_ALONE: Final = frozenset({"MR"})
"""Modalities of which one image stands for all: nobody reads fifty slices."""


def influences(
    estimate: Estimate, views: Sequence[View], outputs: Mapping[str, NDArray[Any]], row: int
) -> tuple[Influence, ...]:
    """Map the saliency of each view of an axilla back to the pixels of its source image.

    What a modality contributed is divided among its views by the mass of their saliency; all that MR contributed is
    said of its key slice, the one with the greatest mass.

    Parameters
    ----------
    estimate
        Of the axilla; its contributions are divided.
    views
        The views of the axilla, those of one modality in the order of its tensor.
    outputs
        "<input>_saliency" (N, K, h, w) of each image modality, in [0, 1]; what is beyond the views is padding.
    row
        Index within N.
    """
    found: list[Influence] = []
    for modality, name in IMAGE_INPUTS.items():
        of_modality = [view for view in views if view.instance.modality == modality]
        if of_modality:
            saliency_khw = outputs[f"{name}_saliency"][row]
            shares = _shares(saliency_khw[: len(of_modality)], modality in KEY_IMAGE_ALONE)
            found += [_influence(estimate, of_modality[n], share, saliency_khw[n]) for n, share in shares.items()]
    return tuple(found)


def _shares(saliency_khw: NDArray[Any], key_image_alone: bool) -> dict[int, float]:
    """Which views are shown, and the share of each in what the modality contributed."""
    count = len(saliency_khw)
    mass = [float(one.sum()) for one in saliency_khw]
    if key_image_alone:
        return {max(range(count), key=lambda n: (mass[n], -abs(2 * n - count + 1))): 1.0}  # of equals the middle one
    total = sum(mass)
    return {n: one / total if total > 0 else 1 / count for n, one in enumerate(mass)}


def _influence(estimate: Estimate, view: View, share: float, saliency_hw: NDArray[Any]) -> Influence:
    instance = view.instance
    height, width = view.source.image_hw.shape
    return Influence(
        sop_instance_uid=instance.sop_instance_uid,
        modality=instance.modality,
        side=estimate.side,
        contribution=share * estimate.contributions[instance.modality],
        saliency_hw=np.clip(to_source(view.placement, saliency_hw, (height, width)), 0, 1),
    )
