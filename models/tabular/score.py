"""A bundle on a table that nobody here has seen: probabilities with intervals, and every figure."""

import csv as csv_files
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.core.manifest import BundleManifest, FactSpec
from models.export import run_onnx
from models.statistics.calibration import sigmoid
from models.statistics.delong import interval
from models.statistics.plots import save
from models.statistics.report import summarise
from models.tables.table import Floats
from models.tabular.mapping import Mapped, read, read_manifest
from models.tabular.rules import MappingError

__all__ = ["MappingError", "Scored", "evaluate", "measure", "predict", "score"]

Z_95: Final = 1.96
_FEWEST_FACTS: Final = 2
_CUTS: Final = MappingProxyType({"years": (50.0, 70.0), "mm": (20.0, 50.0)})
"""By unit, where the bands of subgroups end: ages, and sizes as T1, T2 and T3."""
_MOST_LEVELS: Final = 5  # of a number that is in no bands


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
    tensor = manifest.inputs[0]
    standard = np.clip(np.where(mapped.present, (mapped.values - mean) / sd, 0), tensor.low, tensor.high)
    standard = standard.astype(np.float32)
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
        if known and not spec.values and not spec.low <= value <= spec.high:
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


def measure(bundle: Path, csv: Path, mapping: Path, *, seed: int = 1, draws: int = 1000) -> dict[str, Any]:
    """Measure a bundle on a labelled table, of whom it gives an estimate; what it abstained from is counted.

    Thresholds are those that the bundle's own evaluation set, so that no patient of this table chose them.

    Raises
    ------
    MappingError
        With everything that is wrong with the mapping, or if the outcome is the same for all.
    """
    manifest, scored = score(bundle, csv, mapping, labelled=True)
    answered = np.array([not reason for reason in scored.reasons])
    labelled, labels = scored.mapped.labelled, scored.mapped.labels
    judged = answered & labelled
    if len(np.unique(labels[judged])) < 2:
        raise MappingError(
            f"label: of {judged.sum()} patients with an estimate and a known outcome {labels[judged].sum()} are "
            "positive; figures need both outcomes"
        )
    patients = np.array(scored.mapped.patients)
    figures = summarise(
        labels[judged],
        scored.probability[judged],
        groups=patients[judged],
        seed=seed,
        fixed=_thresholds(manifest, bundle),
        subgroups={name: levels[judged] for name, levels in _subgroups(manifest, scored.mapped).items()},
        uncertainty=(scored.high - scored.low)[judged],
        draws=draws,
    )
    return {
        "bundle": f"{manifest.name}-{manifest.version}",
        "training_prevalence": manifest.training_prevalence,
        "rows": len(patients),
        "without_label": int((~labelled).sum()),
        "no_estimate": dict(Counter(reason for reason in scored.reasons if reason)),
        "auc_without_abstention": asdict(interval(scored.probability[labelled], labels[labelled])),
        "known": {
            spec.name: int(known.sum()) for spec, known in zip(manifest.facts, scored.mapped.present.T, strict=True)
        },
        "figures": figures,
    }


def evaluate(bundle: Path, csv: Path, mapping: Path, out: Path, *, draws: int = 1000) -> dict[str, Any]:
    """Measure, and write `evaluation.json` and `evaluation.png` into a folder."""
    found = measure(bundle, csv, mapping, draws=draws)
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n")
    save(found["figures"], out / "evaluation.png", title=f"{found['bundle']}, {csv.name}")
    return found


def _thresholds(manifest: BundleManifest, bundle: Path) -> dict[str, float]:
    """Return the thresholds that reports state, and one for each goal of the bundle's own evaluation."""
    stated = {point.name: point.threshold for point in manifest.operating_points}
    own = json.loads((bundle / "evaluation.json").read_text(encoding="utf-8"))["operating_points"]
    return stated | {goal: float(np.mean(found["thresholds"])) for goal, found in own.items()}


def _subgroups(manifest: BundleManifest, mapped: Mapped) -> dict[str, NDArray[np.str_]]:
    """Return the level of each patient, by fact: a word, an age or size in bands, any other number as it is."""
    columns = zip(manifest.facts, mapped.values.T, mapped.present.T, strict=True)
    return {
        spec.name: np.where(known, _levels(spec, values), "")
        for spec, values, known in columns
        if known.any() and (spec.values or spec.unit in _CUTS or len(np.unique(values[known])) <= _MOST_LEVELS)
    }


def _levels(spec: FactSpec, values: Floats) -> NDArray[np.str_]:
    if spec.values:
        return np.array([spec.values[int(value)] for value in values])
    if spec.unit not in _CUTS:
        return np.array([f"{value:g}" for value in values])
    low, high = _CUTS[spec.unit]
    named = (f"up to {low:g}", f"over {low:g}, up to {high:g}", f"over {high:g}")
    return np.array([named[band] for band in np.digitize(values, (low, high), right=True)])
