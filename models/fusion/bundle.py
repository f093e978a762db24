"""The fusion network as a bundle: graph, golden values, model card and manifest."""

import io
import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np

from agent.core.manifest import SCHEMA, BundleManifest, FactSpec, Tensor, parse_manifest
from models import export as exporting
from models.export import Arrays
from models.fusion import data
from models.fusion.network import FusionNetwork
from models.fusion.settings import Settings, Sizes
from models.fusion.train import restore

OUTPUTS: Final = ("logit", "logit_sd", "contributions", "mammogram_saliency")
MODALITIES: Final = ("clinical", "MG")
DYNAMIC: Final = {
    "clinical": {0: "N"},
    "clinical_present": {0: "N"},
    "mammogram": {0: "N", 1: "V"},
    "mammogram_present": {0: "N", 1: "V"},
}
CARD: Final = Path(__file__).with_name("MODEL_CARD.md")
MOST_BYTES: Final = 4_000_000


def export(settings: Settings) -> dict[str, Any]:
    """Write the bundle of the trained and evaluated network; returns its folder, size and parity."""
    network, specs, summary = restore(settings.work / "network.pt", settings)
    evaluation = json.loads((settings.work / "evaluation.json").read_text())
    cases = parity_cases(specs, settings)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        write_graph(network, settings, path)
        parity = exporting.check_parity(network, path, cases.values(), OUTPUTS)  # type: ignore[arg-type]
        graph = path.read_bytes()
        golden = _golden(path, cases["N=2 V=2"])
    files = {
        "model.onnx": graph,
        "golden.npz": golden,
        "evaluation.json": json.dumps(evaluation, indent=1).encode(),
        "MODEL_CARD.md": model_card(evaluation).encode(),
    }
    manifest = to_json(describe(settings, specs, evaluation, summary | {"parity": parity}))
    exporting.write_bundle(settings.bundle, files, manifest)
    size = sum(file.stat().st_size for file in settings.bundle.iterdir())
    if size > MOST_BYTES:
        raise ValueError(f"the bundle has {size} bytes, at most {MOST_BYTES} are allowed")
    return {"bundle": str(settings.bundle), "bytes": size, "parity": parity}


def write_graph(network: FusionNetwork, settings: Settings, path: Path) -> None:
    """Export the graph with a dynamic number of axillae and of views."""
    exporting.write_onnx(network, random_inputs(settings, 3, 2, np.random.default_rng(0)), OUTPUTS, DYNAMIC, path)


def random_inputs(settings: Settings, count: int, views: int, rng: np.random.Generator) -> Arrays:
    """Inputs of the right shapes with some of everything missing."""
    sizes = settings.sizes
    return {
        "clinical": rng.standard_normal((count, sizes.facts)).astype(np.float32),
        "clinical_present": (rng.random((count, sizes.facts)) < 0.7).astype(np.float32),
        "mammogram": rng.random((count, views, 1, sizes.height, sizes.width)).astype(np.float32),
        "mammogram_present": (rng.random((count, views)) < 0.7).astype(np.float32),
    }


def parity_cases(specs: tuple[FactSpec, ...], settings: Settings) -> dict[str, Arrays]:
    """Inputs at several numbers of axillae and views, with modalities missing; real phantoms among them."""
    rng = np.random.default_rng(1)
    cases = {f"random N={n} V={v}": random_inputs(settings, n, v, rng) for n, v in ((1, 1), (1, 2), (3, 4), (5, 1))}
    some = data.to_arrays(data.draw(settings.validation, 0, 2), specs, settings)
    both: Arrays = {
        "clinical": some.values,
        "clinical_present": np.ones_like(some.values),
        "mammogram": some.images[:, :, None].astype(np.float32) / 255,
        "mammogram_present": np.ones((2, 2), np.float32),
    }
    cases["N=2 V=2"] = both
    cases["facts alone"] = both | {"mammogram_present": np.zeros((2, 2), np.float32)}
    cases["images alone"] = both | {"clinical_present": np.zeros_like(some.values)}
    cases["nothing"] = cases["facts alone"] | {"clinical_present": np.zeros_like(some.values)}
    return cases


def inputs_of(sizes: Sizes) -> tuple[Tensor, ...]:
    """Return what the graph takes in, for N axillae with F facts and V views of H × W."""
    facts, views = ("N", sizes.facts), ("N", "V")
    return (
        Tensor("clinical", "float32", facts, "N F", -100.0, 100.0),
        Tensor("clinical_present", "float32", facts, "N F", 0.0, 1.0),
        Tensor("mammogram", "float32", (*views, 1, sizes.height, sizes.width), "N V 1 H W", 0.0, 1.0),
        Tensor("mammogram_present", "float32", views, "N V", 0.0, 1.0),
    )


def outputs_of(sizes: Sizes) -> tuple[Tensor, ...]:
    """Return what the graph gives out, named as in OUTPUTS."""
    saliency = ("N", "V", sizes.height // 8, sizes.width // 8)
    return (
        Tensor("logit", "float32", ("N",), "N", -30.0, 30.0),
        Tensor("logit_sd", "float32", ("N",), "N", 0.0, 30.0),
        Tensor("contributions", "float32", ("N", 1 + len(MODALITIES)), "N prior+modalities", -30.0, 30.0),
        Tensor("mammogram_saliency", "float32", saliency, "N V h w", 0.0, 1.0),
    )


def describe(
    settings: Settings, specs: tuple[FactSpec, ...], evaluation: dict[str, Any], summary: dict[str, Any]
) -> dict[str, Any]:
    """Everything the manifest says, the digests apart."""
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "version": settings.version,
        "question": "aln",
        "intended_use": "demonstration",
        "label": "any metastasis in the axillary lymph nodes of the side (of synthetic patients)",
        "modalities": MODALITIES,
        "required": (),
        "inputs": [asdict(t) for t in inputs_of(settings.sizes)],
        "outputs": [asdict(t) for t in outputs_of(settings.sizes)],
        "facts": [asdict(s) for s in specs],
        "preprocessing": {"mammogram": settings.preprocessing},
        "operating_points": evaluation["operating_points"],
        "training_prevalence": evaluation["prevalence"],
        "training": {
            "summary": f"{settings.encoder.patients + settings.heads.patients} synthetic patients of models/phantom",
            "validation_patients": settings.validation.patients,
            "seeds": {c.name: c.seed for c in (settings.encoder, settings.heads, settings.validation, settings.test)},
            "commit": _commit(),
            **summary,
        },
        "metrics": {"subsets": evaluation["subsets"], "biopsies_avoided": evaluation["biopsies_avoided"]},
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
    everything = evaluation["subsets"]["MG+clinical"]
    rows = [
        f"| {name} | {_span(s['auc'])} | {s['bayes_auc']:.3f} | {_span(s['share_of_excess_of_these_patients'])} |"
        f" {s['ece']:.3f} (by luck up to {s['ece_by_luck']:.3f}) | {s['slope']:.2f} | {s['coverage']:.3f} |"
        for name, s in evaluation["subsets"].items()
        if "auc" in s
    ]
    spared = [
        f"| {level} | {at['sensitivity']:.3f} | {at['specificity']:.3f} | {at['negative_predictive_value']:.3f} |"
        f" {_span(at['biopsies_avoided'])} |"
        for level, at in evaluation["biopsies_avoided"].items()
    ]
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        subsets="\n".join(rows),
        spared="\n".join(spared),
        patients=evaluation["patients"]["test"],
        auc=_span(everything["auc"]),
        concepts=", ".join(f"{k} {v:.2f}" for k, v in evaluation["concepts"].items()),
        views=", ".join(f"{k} {v:.3f}" for k, v in evaluation["missing_views"].items()),
        baseline=f"{evaluation['pixel_baseline']['auc']:.3f}",
        full_size=f"{evaluation['full_size']['mean_absolute_logit_change']:.3f}",
    )


def _span(x: dict[str, float]) -> str:
    return f"{x['value']:.3f} ({x['low']:.3f}–{x['high']:.3f})"


def _golden(path: Path, inputs: Arrays) -> bytes:
    """Inputs of a few axillae and what the graph makes of them, by name."""
    rounded = inputs | {"mammogram": np.round(inputs["mammogram"] * 255).astype(np.float32) / 255}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **rounded, **exporting.run_onnx(path, rounded))  # type: ignore[arg-type]
    return buffer.getvalue()


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or "unknown"
