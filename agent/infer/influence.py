"""Where each image had its influence, in the image's own pixels, and what it contributed."""

import math
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
    """Say what each view of an axilla contributed, and map its saliency back to the pixels of its source image.

    All that MR contributed is said of its key slice, the one with the most saliency. An image whose map or part holds a
    number that is none has neither: the answer does not rest on them.

    Parameters
    ----------
    estimate
        Of the axilla.
    views
        The views of the axilla, those of one modality in the order of its tensor.
    outputs
        Of each image modality "<input>_saliency" (N, K, h, w), in [0, 1], and "<input>_evidence" (N, K), logit; what is
        beyond the views is padding.
    row
        Index within N.
    """
    found: list[Influence] = []
    for modality, name in IMAGE_INPUTS.items():
        of_modality = [view for view in views if view.instance.modality == modality]
        if not of_modality:
            continue
        saliency_khw, evidence_k = outputs[f"{name}_saliency"][row], outputs[f"{name}_evidence"][row]
        if modality in KEY_IMAGE_ALONE:
            n = _key_image(saliency_khw[: len(of_modality)])
            found.append(_influence(estimate, of_modality[n], estimate.contributions[modality], saliency_khw[n]))
        else:
            found += [
                _influence(estimate, view, float(part), map_hw)
                for view, part, map_hw in zip(of_modality, evidence_k, saliency_khw, strict=False)
            ]
    return tuple(found)


def _key_image(saliency_khw: NDArray[Any]) -> int:
    """Index of the image with the most saliency, of those whose map can be used; of equals the middle one."""
    count = len(saliency_khw)
    mass = [float(one.sum()) if np.isfinite(one).all() else -1.0 for one in saliency_khw]
    return max(range(count), key=lambda n: (mass[n], -abs(2 * n - count + 1)))


def _influence(estimate: Estimate, view: View, contribution: float, saliency_hw: NDArray[Any]) -> Influence:
    instance, source = view.instance, view.source
    height, width = source.image_hw.shape
    is_mapped = bool(np.isfinite(saliency_hw).all()) and math.isfinite(contribution)
    if not is_mapped:
        saliency_hw = np.zeros_like(saliency_hw)
    return Influence(
        sop_instance_uid=instance.sop_instance_uid,
        modality=instance.modality,
        side=estimate.side,
        contribution=contribution if math.isfinite(contribution) else 0.0,
        saliency_hw=np.clip(to_source(view.placement, saliency_hw, (height, width), source.reduction), 0, 1),
        frame=source.frame,
        is_mapped=is_mapped,
    )
