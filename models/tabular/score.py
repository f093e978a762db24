"""A bundle on a table that nobody here has seen: probabilities with intervals, and every figure."""

import csv as csv_files
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.core.manifest import BundleManifest
from models.export import run_onnx
from models.statistics.calibration import sigmoid
from models.statistics.report import summarise
from models.tables.table import Floats
from models.tabular.mapping import Mapped, MappingError, read, read_manifest

__all__ = ["MappingError", "Scored", "evaluate", "predict", "score"]

Z_95: Final = 1.96
_FEWEST_FACTS: Final = 2
_MEASURED_IN_YEARS_OR_MM: Final = ("years", "mm")


@dataclass(frozen=True)
class Scored:
    """What a bundle says of each patient: probability with its 95 % interval (N,), and why there is none."""

    mapped: Mapped
    probability: Floats
    low: Floats
    high: Floats
    reasons: tuple[str, ...]  # empty where there is an estimate


def score(bundle: Path, csv: Path, mapping: Path, *, labelled: bool) -> tuple[BundleManifest, Scored]:
    """Let a bundle answer for every row.

    Raises
    ------
    MappingError
        With everything that is wrong with the mapping.
    """
    manifest = read_manifest(bundle)
    if manifest.modalities != ("clinical",):
        raise MappingError(f"{manifest.name} needs {', '.join(manifest.modalities)}; a table has clinical facts alone")
    mapped = read(csv, mapping, manifest.facts, labelled=labelled)
    mean, sd = (np.array([getattr(spec, of) for spec in manifest.facts]) for of in ("mean", "sd"))
    standard = np.where(mapped.present, (mapped.values - mean) / sd, 0).astype(np.float32)
    inputs = {"clinical": standard, "clinical_present": mapped.present.astype(np.float32)}
    found = run_onnx(bundle / "model.onnx", inputs)
    logit, spread = (found[name].astype(np.float64) for name in ("logit", "logit_sd"))
    low, high = sigmoid(logit - Z_95 * spread), sigmoid(logit + Z_95 * spread)
    widest = float(manifest.metrics.get("widest_interval", 1.0))
    reasons = tuple(_reason(manifest, mapped, row, high[row] - low[row], widest) for row in range(len(logit)))
    return manifest, Scored(mapped, sigmoid(logit), low, high, reasons)


def _reason(manifest: BundleManifest, mapped: Mapped, row: int, width: float, widest: float) -> str:
    """Why there is no estimate for a row: too little known, unlike any training patient, or too uncertain."""
    there = mapped.present[row]
    if there.sum() < _FEWEST_FACTS:
        return f"fewer than {_FEWEST_FACTS} facts are known"
    for spec, value, known in zip(manifest.facts, mapped.values[row], there, strict=True):
        if known and spec.unit in _MEASURED_IN_YEARS_OR_MM and not spec.low <= value <= spec.high:
            return f"{spec.name} is outside {spec.low:g} to {spec.high:g} {spec.unit}, unlike any training patient"
    return f"the interval is wider than {widest:.2f}" if width > widest else ""


def predict(bundle: Path, csv: Path, mapping: Path, out: Path) -> Path:
    """Write probabilities with intervals; where there is no estimate, its reason in place of them."""
    _, scored = score(bundle, csv, mapping, labelled=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv_files.writer(file)
        writer.writerow(["patient", "probability", "low", "high", "no_estimate"])
        for row, (patient, reason) in enumerate(zip(scored.mapped.patients, scored.reasons, strict=True)):
            numbers = [f"{of[row]:.4f}" for of in (scored.probability, scored.low, scored.high)]
            writer.writerow([patient, *([""] * 3 if reason else numbers), reason])
    return out


def evaluate(bundle: Path, csv: Path, mapping: Path, *, seed: int = 1, draws: int = 1000) -> dict[str, Any]:
    """Measure a bundle on a labelled table, of whom it gives an estimate; what it abstained from is counted.

    Raises
    ------
    MappingError
        With everything that is wrong with the mapping, or if the outcome is the same for all.
    """
    manifest, scored = score(bundle, csv, mapping, labelled=True)
    answered = np.array([not reason for reason in scored.reasons])
    judged = answered & scored.mapped.labelled
    labels = scored.mapped.labels
    if len(np.unique(labels[judged])) < 2:
        raise MappingError("label: among the patients with an estimate only one outcome is known")
    patients = np.array(scored.mapped.patients)
    figures = summarise(
        labels[judged],
        scored.probability[judged],
        groups=patients[judged],
        seed=seed,
        fixed={point.name: point.threshold for point in manifest.operating_points},
        uncertainty=(scored.high - scored.low)[judged],
        draws=draws,
    )
    return {
        "bundle": f"{manifest.name}-{manifest.version}",
        "rows": len(patients),
        "without_label": int((~scored.mapped.labelled).sum()),
        "no_estimate": dict(Counter(reason for reason in scored.reasons if reason)),
        "known": {
            spec.name: int(known.sum()) for spec, known in zip(manifest.facts, scored.mapped.present.T, strict=True)
        },
        "figures": figures,
    }
