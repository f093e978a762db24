"""Evaluation on patients that nothing has seen: every subset against its Bayes AUC, calibration, biopsies avoided."""

import json
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from agent.core.manifest import FactSpec
from agent.preprocess.mammogram import prepare
from models.fusion import data
from models.fusion.calibrate import weigh
from models.fusion.data import Arrays
from models.fusion.network import FusionNetwork
from models.fusion.settings import Settings
from models.fusion.train import Concepts, describe, restore
from models.phantom.bayes import SUBSETS, share_of_excess
from models.phantom.bayes import auc as bayes_auc
from models.phantom.dicom import studies
from models.phantom.mammogram import VIEWS
from models.statistics import discrimination
from models.statistics.calibration import calibration, logistic, logit, sigmoid

Floats = NDArray[np.float64]
SENSITIVITIES: Final = (0.90, 0.95, 0.98)
HIGH_SPECIFICITY: Final = 0.90
EVERYTHING: Final = 3


def evaluate(settings: Settings) -> dict[str, Any]:
    """Evaluate the trained network; writes evaluation.json beside the checkpoint and returns it."""
    torch.set_num_threads(settings.processes)
    network, specs, _ = restore(settings.work / "network.pt", settings)
    validation = data.load(settings.validation, specs, settings)
    test = data.load(settings.test, specs, settings)
    set_on = estimates(network, validation, describe(network.encoder, validation, "validation"))
    concepts = describe(network.encoder, test, "test")
    found = estimates(network, test, concepts)
    report = {
        "patients": {"test": len(test), "positive": int(test.positive.sum())},
        "prevalence": float(set_on[0].probability[0]),  # of the patients on whom the logit was calibrated
        "subsets": {_name(i): subset_report(found[i], test, i) for i in range(len(SUBSETS))},
        "operating_points": points(set_on[EVERYTHING].probability, validation.positive),
        "biopsies_avoided": avoided(set_on[EVERYTHING].probability, validation.positive, found[EVERYTHING], test),
        "missing_views": missing_views(network, test, concepts),
        "pixel_baseline": pixel_baseline(data.load(settings.heads, specs, settings), test),
        "concepts": concept_report(test, concepts),
        "full_size": full_size(network, specs, settings),
    }
    everything = report["subsets"][_name(EVERYTHING)]
    report["summary"] = {k: everything[k] for k in ("auc", "bayes_auc", "share_of_excess", "ece", "coverage")}
    (settings.work / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


class Estimates:
    """Logits of a cohort with their standard deviations."""

    def __init__(self, logits: Floats, deviations: Floats) -> None:
        self.logits, self.deviations = logits, deviations
        self.probability = sigmoid(logits)


def estimates(network: FusionNetwork, cohort: Arrays, concepts: Concepts) -> list[Estimates]:
    """Estimate every patient from each of SUBSETS."""
    return [_estimate(network, cohort, concepts.by_views[0], mask) for mask in range(len(SUBSETS))]


def subset_report(found: Estimates, test: Arrays, mask: int) -> dict[str, Any]:
    """AUC against the best possible, calibration, and how often the interval covers the true posterior."""
    measured = calibration(found.probability, test.positive, np.random.default_rng(0))
    error = np.abs(found.logits - logit(test.posterior[:, mask]))
    report: dict[str, Any] = {
        "coverage": float((error <= 1.96 * found.deviations).mean()),
        "mean_logit_sd": float(found.deviations.mean()),
        **(asdict(measured) if mask else {"ece": measured.ece, "brier": measured.brier}),
    }
    if mask == 0:
        return report
    reached, best = discrimination.auc(found.probability, test.positive), bayes_auc(SUBSETS[mask])
    ideal = discrimination.auc(test.posterior[:, mask], test.positive)
    return report | {
        "auc": asdict(reached),
        "bayes_auc": best,
        "bayes_auc_of_these_patients": ideal.value,
        "share_of_excess": {k: share_of_excess(v, best) for k, v in asdict(reached).items()},
        "share_of_excess_of_these_patients": paired_share(found.probability, test, mask),
    }


def paired_share(probability: Floats, test: Arrays, mask: int, draws: int = 500) -> dict[str, float]:
    """Share of the excess that the true posterior reaches on the same patients, with a bootstrap interval."""
    rng, count = np.random.default_rng(1), len(test)

    def share(rows: NDArray[np.intp]) -> float:
        y = test.positive[rows]
        best = discrimination.auc(test.posterior[rows, mask], y).value
        return share_of_excess(discrimination.auc(probability[rows], y).value, best)

    low, high = np.percentile([share(rng.integers(0, count, count)) for _ in range(draws)], [2.5, 97.5])
    return {"value": share(np.arange(count)), "low": float(low), "high": float(high)}


def points(probability: Floats, positive: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The bundle's operating points: "low" at sensitivity 0.95, "high" at specificity 0.90."""
    low = discrimination.threshold_for_sensitivity(probability, positive, 0.95)
    high = discrimination.threshold_for_specificity(probability, positive, HIGH_SPECIFICITY)
    at = {name: discrimination.at_threshold(probability, positive, t) for name, t in (("low", low), ("high", high))}
    return [
        {"name": name, "threshold": x.threshold, "sensitivity": x.sensitivity, "specificity": x.specificity}
        for name, x in at.items()
    ]


def avoided(set_on: Floats, known: NDArray[np.bool_], found: Estimates, test: Arrays) -> dict[str, Any]:
    """What thresholds set on validation patients spare, and miss, among the test patients."""
    report = {}
    for sensitivity in SENSITIVITIES:
        threshold = discrimination.threshold_for_sensitivity(set_on, known, sensitivity)
        spared = discrimination.biopsies_avoided(found.probability, test.positive, threshold, np.random.default_rng(2))
        at = discrimination.at_threshold(found.probability, test.positive, threshold)
        report[f"{sensitivity:.2f}"] = asdict(at) | {"biopsies_avoided": asdict(spared)}
    return report


def missing_views(network: FusionNetwork, test: Arrays, concepts: Concepts) -> dict[str, float]:
    """AUC with everything when one of the two views is not there."""
    return {
        name: discrimination.auc(
            _estimate(network, test, concepts.by_views[i], EVERYTHING).probability, test.positive
        ).value
        for i, name in enumerate(("CC and MLO", "CC", "MLO"))
    }


def pixel_baseline(train: Arrays, test: Arrays) -> dict[str, float]:
    """A logistic model on mean and deviation of each view's pixels: what a phantom must not give away."""
    beta = logistic(pixel_moments(train.images), train.positive, ridge=1e-3)
    scores = pixel_moments(test.images) @ beta[:-1]
    reached = discrimination.auc(scores, test.positive).value
    return {"auc": reached, "share_of_excess": share_of_excess(reached, bayes_auc(SUBSETS[2]))}


def pixel_moments(images: NDArray[np.uint8]) -> Floats:
    """Mean and standard deviation of each view (N, 2 V)."""
    flat = images.reshape(*images.shape[:2], -1)
    moments = [[(v.mean(), v.std()) for v in views] for views in flat]
    return np.asarray(moments, np.float64).reshape(len(images), -1) / 255


def concept_report(test: Arrays, concepts: Concepts) -> dict[str, float]:
    """Squared correlation of each concept with what was drawn."""
    found = concepts.by_views[0].numpy()
    pairs = zip(data.CONCEPTS, found.T, test.concepts.T, strict=True)
    return {name: float(np.corrcoef(a, b)[0, 1] ** 2) for name, a, b in pairs}


def full_size(network: FusionNetwork, specs: tuple[FactSpec, ...], settings: Settings) -> dict[str, float]:
    """How far logits move when patients come as full-size DICOM, as in serving, and not as rendered for training."""
    patients = data.draw(settings.test, 0, settings.full_size)
    small = data.to_arrays(patients, specs, settings)
    images = []
    for someone in patients:
        pixels = [ds.pixel_array for ds in studies(someone, views=[(someone.side, view) for view in VIEWS])]
        images.append([prepare(p, inverted=False, **settings.preprocessing)[0] for p in pixels])  # type: ignore[arg-type]
    logits = [_logits(network, small.values, x) for x in (small.images / np.float32(255), np.array(images))]
    change = np.abs(logits[0] - logits[1])
    return {
        "patients": len(patients),
        "mean_absolute_logit_change": float(change.mean()),
        "largest_logit_change": float(change.max()),
        "correlation": float(np.corrcoef(*logits)[0, 1]),
    }


def _logits(network: FusionNetwork, values: NDArray[np.float32], images: NDArray[np.float32]) -> Floats:
    mammogram = torch.from_numpy(images)[:, :, None]
    clinical = torch.from_numpy(values)
    with torch.no_grad():
        logit_n = network(clinical, torch.ones_like(clinical), mammogram, torch.ones(mammogram.shape[:2]))[0]
    return np.asarray(logit_n.double().numpy())


def _estimate(network: FusionNetwork, cohort: Arrays, concepts: torch.Tensor, mask: int) -> Estimates:
    with torch.no_grad():
        pieces, features, one_hot = weigh(network, cohort, concepts, mask)
        pieces, deviation = network.recalibration(pieces, features, one_hot)
    return Estimates(pieces.sum(1).double().numpy(), deviation.double().numpy())


def _name(mask: int) -> str:
    return "+".join(sorted(SUBSETS[mask])) or "nothing"
