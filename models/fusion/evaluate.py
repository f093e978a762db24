"""Evaluation on patients that nothing has seen: every subset against its Bayes AUC, calibration, biopsies avoided."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agent.core.manifest import FactSpec
from models.fusion import data, images
from models.fusion.calibrate import estimate
from models.fusion.data import Pictures, Table
from models.fusion.describe import Concepts, describe
from models.fusion.network import FusionNetwork
from models.fusion.report import EVERYTHING, NOTHING, name_of, subset_report, summarise
from models.fusion.settings import Imaging, Settings
from models.fusion.train import restore
from models.fusion.train_encoder import explained
from models.phantom import mammogram, mri, ultrasound
from models.phantom.bayes import SUBSETS, share_of_excess
from models.phantom.bayes import auc as bayes_auc
from models.phantom.patient import Patient
from models.statistics import discrimination
from models.statistics.calibration import Bools, Floats, logistic, sigmoid

SENSITIVITIES: Final = (0.90, 0.95, 0.98)
HIGH_SPECIFICITY: Final = 0.90
NATIVE: Final = {  # rows and columns of the images that the phantom's DICOM holds
    "MG": (mammogram.ROWS, mammogram.COLUMNS),
    "US": (ultrasound.ROWS, ultrasound.COLUMNS),
    "MR": (mri.ROWS, mri.COLUMNS),
}


def evaluate(settings: Settings) -> dict[str, Any]:
    """Evaluate the trained network; writes evaluation.json beside the checkpoint and returns it."""
    network, specs, _ = restore(settings.work / "network.pt", settings)
    validation, test = (data.load_table(c, specs) for c in (settings.validation, settings.test))
    seen, concepts = (describe(network.encoders, c, settings) for c in (settings.validation, settings.test))
    torch.set_num_threads(settings.processes)
    known = [sigmoid(estimate(network, validation, seen.full, mask)[0]) for mask in range(len(SUBSETS))]
    set_on = known[EVERYTHING]
    found = [estimate(network, test, concepts.full, mask) for mask in range(len(SUBSETS))]
    subsets = {name_of(i): subset_report(*found[i], test.posterior[:, i], test.positive, i) for i in range(len(found))}
    report = {
        "summary": summarise(subsets),
        "patients": {"test": len(test), "positive": int(test.positive.sum())},
        # of the patients on whom the logit was calibrated
        "prevalence": float(known[NOTHING][0]),
        "subsets": subsets,
        "operating_points": points(known, validation.positive),
        "biopsies_avoided": avoided(set_on, validation.positive, sigmoid(found[EVERYTHING][0]), test.positive),
        "missing_images": missing_images(network, test, concepts, settings),
        "concepts": concept_report(concepts, settings),
        "pixel_baseline": {one.name: pixel_baseline(one, settings) for one in settings.imaging},
        "full_size": full_size(network, specs, settings),
    }
    (settings.work / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def points(known: Sequence[Floats], positive: Bools) -> list[dict[str, Any]]:
    """The bundle's operating points: with everything "low" at sensitivity 0.95, "high" at specificity 0.90.

    Beside them stands what the same thresholds achieve given each subset; `known` holds the probabilities by subset.
    """
    probability = known[EVERYTHING]
    low = discrimination.threshold_for_sensitivity(probability, positive, 0.95)
    high = discrimination.threshold_for_specificity(probability, positive, HIGH_SPECIFICITY)
    at = {name: discrimination.at_threshold(probability, positive, t) for name, t in (("low", low), ("high", high))}
    return [
        {
            "name": name,
            "threshold": x.threshold,
            "sensitivity": x.sensitivity,
            "specificity": x.specificity,
            "by_inputs": {name_of(m): achieved(known[m], positive, x.threshold) for m in range(1, len(known))},
        }
        for name, x in at.items()
    ]


def achieved(probability: Floats, positive: Bools, threshold: float) -> tuple[float, float]:
    """Sensitivity and specificity of a threshold."""
    found = discrimination.at_threshold(probability, positive, threshold)
    return found.sensitivity, found.specificity


def avoided(set_on: Floats, known: Bools, found: Floats, positive: Bools) -> dict[str, Any]:
    """What thresholds set on validation patients spare, and miss, among the test patients."""
    report = {}
    for sensitivity in SENSITIVITIES:
        threshold = discrimination.threshold_for_sensitivity(set_on, known, sensitivity)
        spared = discrimination.biopsies_avoided(found, positive, threshold, np.random.default_rng(2))
        at = discrimination.at_threshold(found, positive, threshold)
        report[f"{sensitivity:.2f}"] = asdict(at) | {"biopsies_avoided": asdict(spared)}
    return report


def missing_images(network: FusionNetwork, test: Table, concepts: Concepts, settings: Settings) -> dict[str, float]:
    """AUC with every modality when some images of one of them are not there."""

    def reached(shown: Tensor) -> float:
        return discrimination.auc(estimate(network, test, shown, EVERYTHING)[0], test.positive).value

    named = {"MG": ("CC alone", "MLO alone"), "US": ("tumour alone", "node alone"), "MR": ("every other slice",)}
    return {"none": reached(concepts.full)} | {
        f"{one.name} {name}": reached(concepts.without(i, choice))
        for i, one in enumerate(settings.imaging)
        for choice, name in enumerate(named[one.name], start=1)
    }


def pixel_baseline(imaging: Imaging, settings: Settings) -> dict[str, float]:
    """A logistic model on mean and deviation of each image's pixels: what a phantom must not give away."""
    moments, positive = [], []
    for cohort in (settings.heads, settings.test):
        moments.append(np.concatenate([pixel_moments(data.read(p)) for p in data.shards(cohort, imaging, settings)]))
        positive.append(np.array([p.outcomes[p.side] for p in data.draw(cohort, 0, cohort.patients)]))
    centre, spread = moments[0].mean(0), moments[0].std(0) + 1e-6
    train, test = ((m - centre) / spread for m in moments)
    beta = logistic(train, positive[0], ridge=1.0)
    reached = discrimination.auc(test @ beta[:-1], positive[1]).value
    return {"auc": reached, "share_of_excess": share_of_excess(reached, bayes_auc(frozenset({imaging.name})))}


def pixel_moments(pictures: Pictures) -> Floats:
    """Mean and standard deviation of each channel of each image (N, 2 I C)."""
    flat = pictures.images.reshape(len(pictures), -1, pictures.images.shape[-2] * pictures.images.shape[-1])
    moments = [np.concatenate((one.mean(1), one.std(1))) for one in flat]
    return np.asarray(moments, np.float64) / 255


def concept_report(concepts: Concepts, settings: Settings) -> dict[str, dict[str, float]]:
    """Squared correlation of each concept with what was drawn."""
    patients = data.draw(settings.test, 0, settings.test.patients)
    return {
        one.name: dict(zip(one.concepts, explained(found[0].numpy(), _drawn(patients, one)), strict=True))
        for one, found in zip(settings.imaging, concepts.by_choice, strict=True)
    }


def _drawn(patients: Sequence[Patient], imaging: Imaging) -> NDArray[np.float64]:
    return np.array([[getattr(p.axillae[p.side], c) for c in imaging.concepts] for p in patients])


def full_size(network: FusionNetwork, specs: Sequence[FactSpec], settings: Settings) -> dict[str, float]:
    """How far logits move when patients come as large as in DICOM, and not as rendered for training."""
    patients = data.draw(settings.test, 0, settings.full_size)
    values = torch.from_numpy(data.table(patients, specs).values)
    logits = []
    for sizes in ({one.name: one.render for one in settings.imaging}, NATIVE):
        shown: list[Tensor] = [values, torch.ones_like(values)]
        for one in settings.imaging:
            pixels = np.stack([images.prepare(p, p.side, one, sizes[one.name])[0] for p in patients])
            shown += [torch.from_numpy(pixels), torch.ones(pixels.shape[:2])]
        with torch.no_grad():
            logits.append(network(*shown)[0].double().numpy())
    change = np.abs(logits[0] - logits[1])
    return {
        "patients": len(patients),
        "mean_absolute_logit_change": float(change.mean()),
        "largest_logit_change": float(change.max()),
        "correlation": float(np.corrcoef(*logits)[0, 1]),
    }
