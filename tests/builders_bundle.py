"""A tiny model bundle whose right answer every test can work out by hand.

clinical = sum over known facts of WEIGHT * value
MG       = GAIN * sum over present views of the mean of the view
logit    = BIAS + clinical + MG,  logit_sd = SD,  saliency = the view itself, averaged over POOL x POOL blocks
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BIAS, WEIGHT, GAIN, SD, POOL = -0.5, 0.25, 4.0, 0.5, 4
HEIGHT, WIDTH, FACTS = 64, 48, 2
PREVALENCE = 0.25

GRAPH = f"""
<ir_version: 10, opset_import: ["": 20]>
tiny (float[N,{FACTS}] clinical, float[N,{FACTS}] clinical_present, float[N,V,1,{HEIGHT},{WIDTH}] mammogram,
      float[N,V] mammogram_present)
  => (float[N] logit, float[N] logit_sd, float[N,3] contributions, float[N,V,h,w] mammogram_saliency)
<float[1] bias = {{{BIAS}}}, float[1] weight = {{{WEIGHT}}}, float[1] gain = {{{GAIN}}}, float[1] sd = {{{SD}}},
 float[1] zero = {{0.0}}, int64[1] last = {{1}}, int64[3] pixels = {{2, 3, 4}},
 int64[4] planes = {{-1, 1, {HEIGHT}, {WIDTH}}}>
{{
  known = Mul(clinical, clinical_present)
  weighted = Mul(known, weight)
  from_facts = ReduceSum<keepdims=1>(weighted, last)
  means = ReduceMean<keepdims=0>(mammogram, pixels)
  seen = Mul(means, mammogram_present)
  sum_of_views = ReduceSum<keepdims=1>(seen, last)
  from_images = Mul(sum_of_views, gain)
  nothing = Mul(from_facts, zero)
  prior = Add(nothing, bias)
  contributions = Concat<axis=1>(prior, from_facts, from_images)
  logit = ReduceSum<keepdims=0>(contributions, last)
  no_logit = Mul(logit, zero)
  logit_sd = Add(no_logit, sd)
  batch = Reshape(mammogram, planes)
  pooled = AveragePool<kernel_shape=[{POOL},{POOL}], strides=[{POOL},{POOL}]>(batch)
  views = Shape<start=0, end=2>(mammogram)
  map_size = Shape<start=2, end=4>(pooled)
  whole = Concat<axis=0>(views, map_size)
  mammogram_saliency = Reshape(pooled, whole)
}}
"""


def tensor(name: str, *shape: str | int, low: float = -10.0, high: float = 10.0) -> dict[str, Any]:
    """One tensor of the manifest."""
    layout = " ".join(str(size) for size in shape)
    return {"name": name, "dtype": "float32", "shape": list(shape), "layout": layout, "low": low, "high": high}


def manifest(**changes: Any) -> dict[str, Any]:
    """manifest.json of the tiny bundle, but for `files`."""
    return {
        "schema": 1,
        "name": "tiny",
        "version": "1.0.0",
        "question": "aln",
        "intended_use": "demonstration",
        "label": "any nodal metastasis",
        "modalities": ["clinical", "MG"],
        "required": [],
        "inputs": [
            tensor("clinical", "N", FACTS),
            tensor("clinical_present", "N", FACTS, low=0, high=1),
            tensor("mammogram", "N", "V", 1, HEIGHT, WIDTH, low=0, high=1),
            tensor("mammogram_present", "N", "V", low=0, high=1),
        ],
        "outputs": [
            tensor("logit", "N"),
            tensor("logit_sd", "N", low=0),
            tensor("contributions", "N", 3),
            tensor("mammogram_saliency", "N", "V", "h", "w", low=0, high=1),
        ],
        "facts": [
            {"name": "size_ultrasound_mm", "unit": "mm", "mean": 20.0, "sd": 10.0, "low": 2.0, "high": 60.0},
            {"name": "age", "unit": "years", "mean": 60.0, "sd": 10.0, "low": 25.0, "high": 90.0},
        ],
        "preprocessing": {"mammogram": {"height": HEIGHT, "width": WIDTH}},
        "operating_points": [
            {"name": "low", "threshold": 0.2, "sensitivity": 0.95, "specificity": 0.4},
            {"name": "high", "threshold": 0.7, "sensitivity": 0.5, "specificity": 0.9},
        ],
        "training_prevalence": PREVALENCE,
        "training": {"summary": "made by hand"},
        "metrics": {},
        "opset": 20,
        "licence": "Apache-2.0",
    } | changes


def answers(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the graph answers, worked out without it."""
    images, present = inputs["mammogram"], inputs["mammogram_present"]
    clinical = WEIGHT * (inputs["clinical"] * inputs["clinical_present"]).sum(1)
    mg = GAIN * (images.mean((2, 3, 4)) * present).sum(1)
    n, v, _, height, width = images.shape
    blocks = images.reshape(n, v, height // POOL, POOL, width // POOL, POOL)
    return {
        "logit": (BIAS + clinical + mg).astype(np.float32),
        "logit_sd": np.full(n, SD, np.float32),
        "contributions": np.stack([np.full(n, BIAS), clinical, mg], 1).astype(np.float32),
        "mammogram_saliency": blocks.mean((3, 5)).astype(np.float32),
    }


def golden_inputs(axillae: int = 2, views: int = 2) -> dict[str, np.ndarray]:
    """Inputs of the right shapes, always the same ones."""
    rng = np.random.default_rng(7)
    return {
        "clinical": rng.normal(size=(axillae, FACTS)).astype(np.float32),
        "clinical_present": np.ones((axillae, FACTS), np.float32),
        "mammogram": rng.random((axillae, views, 1, HEIGHT, WIDTH)).astype(np.float32),
        "mammogram_present": np.ones((axillae, views), np.float32),
    }


def onnx_model(graph: str = GRAPH) -> bytes:
    """The graph as an ONNX file, skipping the test where the onnx package is missing."""
    onnx = pytest.importorskip("onnx")
    parser = pytest.importorskip("onnx.parser")
    model = parser.parse_model(graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_bundle(
    folder: Path,
    *,
    model: bytes | None = None,
    golden: Mapping[str, np.ndarray] | None = None,
    leave_out: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """Write the tiny bundle, manifest last; `changes` replace keys of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = golden_inputs()
    np.savez(folder / "golden.npz", **(golden if golden is not None else inputs | answers(inputs)))
    (folder / "model.onnx").write_bytes(onnx_model() if model is None else model)
    (folder / "MODEL_CARD.md").write_text("# tiny\n", encoding="utf-8")
    (folder / "evaluation.json").write_text("{}\n", encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    raw = {key: value for key, value in manifest(files=files, **changes).items() if key not in leave_out}
    (folder / "manifest.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return folder
