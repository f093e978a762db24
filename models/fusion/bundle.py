"""The fusion network as a bundle: graph, golden values, model card and manifest."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np

from agent.core.manifest import SCHEMA, BundleManifest, FactSpec, Tensor, parse_manifest
from models import export as exporting
from models.export import Arrays
from models.fusion import data, images
from models.fusion.network import FusionNetwork
from models.fusion.report import EVERYTHING, name_of, rows, span
from models.fusion.settings import Settings
from models.fusion.train import restore

CARD: Final = Path(__file__).with_name("MODEL_CARD.md")
MOST_BYTES: Final = 8_000_000
GOLDEN: Final = "two patients"
COUNTS: Final = ((1, (1, 1, 1)), (1, (4, 2, 8)), (2, (2, 3, 5)), (3, (1, 8, 2)), (5, (3, 1, 12)))  # N, (V, U, S)


def export(settings: Settings) -> dict[str, Any]:
    """Write the bundle of the trained and evaluated network; returns its folder, size and parity."""
    network, specs, summary = restore(settings.work / "network.pt", settings)
    evaluation = json.loads((settings.work / "evaluation.json").read_text())
    cases = parity_cases(specs, settings)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        write_graph(network, settings, path)
        parity = exporting.check_parity(network, path, list(cases.values()), outputs(settings))
        graph = path.read_bytes()
        golden = exporting.golden(path, cases[GOLDEN])
    files = {
        "model.onnx": graph,
        "golden.npz": golden,
        "evaluation.json": (json.dumps(evaluation, indent=1) + "\n").encode(),
        "MODEL_CARD.md": model_card(evaluation).encode(),
    }
    manifest = to_json(describe(settings, specs, evaluation, summary | {"parity": parity}))
    exporting.write_bundle(settings.bundle, files, manifest)
    return {"bundle": str(settings.bundle), "bytes": size_of(settings.bundle), "parity": parity}


def size_of(folder: Path, most: int = MOST_BYTES) -> int:
    """Return the size of a bundle in bytes.

    Raises
    ------
    ValueError
        If it is above `most`: too much for git.
    """
    size = sum(file.stat().st_size for file in folder.iterdir())
    if size > most:
        raise ValueError(f"the bundle has {size} bytes, at most {most} are allowed")
    return size


def outputs(settings: Settings) -> tuple[str, ...]:
    """Names of the outputs, in the order of the network's."""
    of_images = (f"{one.tensor}_{kind}" for kind in ("saliency", "evidence") for one in settings.imaging)
    return ("logit", "logit_sd", "contributions", *of_images)


def dynamic(settings: Settings) -> dict[str, dict[int, str]]:
    """Return the dimensions of each input that vary, and their names."""
    axes: dict[str, dict[int, str]] = {"clinical": {0: "N"}, "clinical_present": {0: "N"}}
    for one in settings.imaging:
        axes |= {one.tensor: {0: "N", 1: one.axis}, f"{one.tensor}_present": {0: "N", 1: one.axis}}
    return axes


def write_graph(network: FusionNetwork, settings: Settings, path: Path) -> None:
    """Export the graph with a dynamic number of axillae and of images."""
    example = random_inputs(settings, 3, (2, 4, 5), np.random.default_rng(0))
    exporting.write_onnx(network, example, outputs(settings), dynamic(settings), path)


def random_inputs(settings: Settings, count: int, numbers: Sequence[int], rng: np.random.Generator) -> Arrays:
    """Inputs of the right shapes with some of everything missing: `numbers` of images of each image modality."""
    facts = (count, settings.sizes.facts)
    inputs: Arrays = {
        "clinical": rng.standard_normal(facts).astype(np.float32),
        "clinical_present": (rng.random(facts) < 0.7).astype(np.float32),
    }
    for one, number in zip(settings.imaging, numbers, strict=True):
        inputs[one.tensor] = rng.random((count, number, *one.shape), np.float32)
        inputs[f"{one.tensor}_present"] = (rng.random((count, number)) < 0.7).astype(np.float32)
    return inputs


def phantom_inputs(specs: Sequence[FactSpec], settings: Settings, count: int) -> Arrays:
    """Inputs of validation patients of whom everything is there, in steps of 1/255."""
    patients = data.draw(settings.validation, 0, count)
    values = data.table(patients, specs).values
    inputs: Arrays = {"clinical": values, "clinical_present": np.ones_like(values)}
    for one in settings.imaging:
        pixels = np.stack([images.prepare(p, p.side, one)[0] for p in patients])
        inputs[one.tensor] = np.round(pixels * 255).astype(np.float32) / 255
        inputs[f"{one.tensor}_present"] = np.ones(pixels.shape[:2], np.float32)
    return inputs


def parity_cases(specs: Sequence[FactSpec], settings: Settings) -> dict[str, Arrays]:
    """Inputs at several numbers of axillae and images, and two phantoms with each subset of modalities."""
    rng = np.random.default_rng(1)
    cases = {f"random N={n} {numbers}": random_inputs(settings, n, numbers, rng) for n, numbers in COUNTS}
    two = phantom_inputs(specs, settings, 2)
    cases[GOLDEN] = two
    present = [name for name in two if name.endswith("_present")]
    for mask in range(EVERYTHING):
        absent = {name: np.zeros_like(two[name]) for bit, name in enumerate(present) if not mask >> bit & 1}
        cases[name_of(mask)] = two | absent
    return cases


def inputs_of(settings: Settings) -> tuple[Tensor, ...]:
    """Return what the graph takes in, for N axillae with F facts and any number of images of each modality."""
    facts = ("N", settings.sizes.facts)
    tensors = [
        Tensor("clinical", "float32", facts, "N F", -100.0, 100.0),
        Tensor("clinical_present", "float32", facts, "N F", 0.0, 1.0),
    ]
    for one in settings.imaging:
        layout = f"N {one.axis} C H W" if one.shape[0] > 1 else f"N {one.axis} 1 H W"
        tensors.append(Tensor(one.tensor, "float32", ("N", one.axis, *one.shape), layout, 0.0, 1.0))
        tensors.append(Tensor(f"{one.tensor}_present", "float32", ("N", one.axis), f"N {one.axis}", 0.0, 1.0))
    return tuple(tensors)


def outputs_of(settings: Settings) -> tuple[Tensor, ...]:
    """Return what the graph gives out, named as in `outputs`."""
    pieces = 1 + len(settings.modalities)
    maps = [
        Tensor(f"{o.tensor}_saliency", "float32", ("N", o.axis, *o.grid), f"N {o.axis} h w", 0.0, 1.0)
        for o in settings.imaging
    ]
    divided = [
        Tensor(f"{o.tensor}_evidence", "float32", ("N", o.axis), f"N {o.axis}", -30.0, 30.0) for o in settings.imaging
    ]
    return (
        Tensor("logit", "float32", ("N",), "N", -30.0, 30.0),
        Tensor("logit_sd", "float32", ("N",), "N", 0.0, 30.0),
        Tensor("contributions", "float32", ("N", pieces), "N prior+modalities", -30.0, 30.0),
        *maps,
        *divided,
    )


def describe(
    settings: Settings, specs: Sequence[FactSpec], evaluation: dict[str, Any], summary: dict[str, Any]
) -> dict[str, Any]:
    """Everything the manifest says, the digests apart."""
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "version": settings.version,
        "question": "aln",
        "intended_use": "demonstration",
        "label": "any metastasis in the axillary lymph nodes of the side (of synthetic patients)",
        "modalities": settings.modalities,
        "required": (),
        "inputs": [asdict(t) for t in inputs_of(settings)],
        "outputs": [asdict(t) for t in outputs_of(settings)],
        "facts": [asdict(s) for s in specs],
        "preprocessing": {one.tensor: one.settings for one in settings.imaging},
        "operating_points": evaluation["operating_points"],
        "training_prevalence": evaluation["prevalence"],
        "training": {
            "summary": f"{settings.encoder.patients + settings.heads.patients} synthetic patients of models/phantom",
            "validation_patients": settings.validation.patients,
            "seeds": {c.name: c.seed for c in settings.cohorts},
            "commit": exporting.training_commit(),
            **summary,
        },
        "metrics": {k: evaluation[k] for k in ("summary", "subsets", "biopsies_avoided")},
        "opset": exporting.OPSET,
        "licence": "Apache-2.0",
    }


def to_json(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest as plain JSON values, proven readable by the agent's own parser."""
    plain: dict[str, Any] = json.loads(json.dumps(manifest))
    parsed: BundleManifest = parse_manifest(plain | {"files": {}})
    if not parsed.is_demonstration:
        raise ValueError("a bundle trained on phantoms is for demonstration")
    return plain


def model_card(evaluation: dict[str, Any]) -> str:
    """Fill the figures of an evaluation into the card."""
    everything = evaluation["subsets"][name_of(EVERYTHING)]
    spared = [
        f"| {level} | {at['sensitivity']:.3f} | {at['specificity']:.3f} | {at['negative_predictive_value']:.3f} |"
        f" {span(at['biopsies_avoided'])} |"
        for level, at in evaluation["biopsies_avoided"].items()
    ]
    known = {f"{modality} {k}": v for modality, found in evaluation["concepts"].items() for k, v in found.items()}
    baseline = {modality: x["auc"] for modality, x in evaluation["pixel_baseline"].items()}
    summary = evaluation["summary"]
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        subsets="\n".join(rows(evaluation["subsets"])),
        spared="\n".join(spared),
        patients=evaluation["patients"]["test"],
        auc=span(everything["auc"]),
        everything=f"{summary['share_of_excess_all']:.3f}",
        mean=f"{summary['share_of_excess_mean']:.3f}",
        within=summary["subsets_within_range"],
        concepts=_listed(known, 2),
        images=_listed(evaluation["missing_images"], 3),
        baseline=_listed(baseline, 3),
        full_size=f"{evaluation['full_size']['mean_absolute_logit_change']:.3f}",
    )


def _listed(figures: dict[str, float], digits: int) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {x:.{digits}f}" for name, x in figures.items())
