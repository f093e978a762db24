"""What a set of estimates is worth, subset by subset; needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from models.phantom.bayes import MODALITIES, SUBSETS, share_of_excess
from models.phantom.bayes import auc as bayes_auc
from models.statistics import discrimination
from models.statistics.calibration import Bools, Floats, calibration, logit, sigmoid
from models.statistics.excess import paired_share

NOTHING, EVERYTHING = 0, len(SUBSETS) - 1


def name_of(mask: int) -> str:
    """Name a subset by its modalities in the order of the manifest."""
    return "+".join(m for m in MODALITIES if m in SUBSETS[mask]) or "nothing"


def subset_report(
    logits: Floats, deviations: Floats, posterior: Floats, positive: Bools, mask: int, *, draws: int = 500
) -> dict[str, Any]:
    """AUC against the best possible, calibration, and how often the interval covers the true posterior.

    Parameters
    ----------
    logits, deviations, posterior : array (N,)
        Estimate, its standard deviation, and the true P(positive) given the subset.
    positive : array (N,)
    mask : int
        Index of the subset in `phantom.bayes.SUBSETS`.
    draws : int
        Of the bootstrap.
    """
    probability = sigmoid(logits)
    measured = calibration(probability, positive, np.random.default_rng(0))
    report: dict[str, Any] = {
        "coverage": float((np.abs(logits - logit(posterior)) <= 1.96 * deviations).mean()),
        "mean_logit_sd": float(deviations.mean()),
        "ece_within_range": measured.ece <= measured.ece_by_luck,
        **(asdict(measured) if mask else {"ece": measured.ece, "brier": measured.brier}),
    }
    if mask == NOTHING:
        return report
    reached, best = discrimination.auc(probability, positive), bayes_auc(SUBSETS[mask])
    return report | {
        "auc": asdict(reached),
        "bayes_auc": best,
        "bayes_auc_of_these_patients": discrimination.auc(posterior, positive).value,
        "share_of_excess": {k: share_of_excess(v, best) for k, v in asdict(reached).items()},
        "share_of_excess_of_these_patients": asdict(
            paired_share(probability, posterior, positive, np.random.default_rng(1), draws)
        ),
    }


def summarise(subsets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put the reports of all subsets into the figures that are asked for."""
    known = [s for s in subsets.values() if "auc" in s]
    paired = [s["share_of_excess_of_these_patients"]["value"] for s in known]
    closed = [s["share_of_excess"]["value"] for s in known]
    everything = subsets[name_of(EVERYTHING)]
    return {
        "share_of_excess_all": everything["share_of_excess_of_these_patients"]["value"],
        "share_of_excess_mean": float(np.mean(paired)),
        "share_of_excess_least": min(paired),
        "share_of_excess_all_closed_form": everything["share_of_excess"]["value"],
        "share_of_excess_mean_closed_form": float(np.mean(closed)),
        "ece_within_range": bool(everything["ece_within_range"]),
        "subsets_within_range": sum(bool(s["ece_within_range"]) for s in known),
        "subsets": len(known),
    }


def rows(subsets: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Lines of a Markdown table, a subset each."""
    return [
        f"| {name} | {span(s['auc'])} | {s['bayes_auc_of_these_patients']:.3f} | {s['bayes_auc']:.3f} |"
        f" {span(s['share_of_excess_of_these_patients'])} |"
        f" {s['ece']:.3f} (by luck up to {s['ece_by_luck']:.3f}) | {s['slope']:.2f} | {s['coverage']:.3f} |"
        for name, s in subsets.items()
        if "auc" in s
    ]


def span(x: Mapping[str, float]) -> str:
    """Value and interval."""
    return f"{x['value']:.3f} ({x['low']:.3f}–{x['high']:.3f})"
