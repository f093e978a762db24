"""Tiny model bundles whose right answer every test can work out by hand: facts and mammograms, or all four modalities.

clinical = sum over known facts of WEIGHT * value
image    = its gain * sum over present views of the mean of the view, over all channels
logit    = BIAS + clinical + images,  logit_sd = SD
saliency = the mean of a view's channels over POOL x POOL blocks,  evidence = a view's part of its image
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BIAS, WEIGHT, GAIN, SD, POOL = -0.5, 0.25, 4.0, 0.5, 4
HEIGHT, WIDTH, FACTS = 64, 48, 2
PREVALENCE = 0.25


@dataclass(frozen=True)
class ImageInput:
    """One image modality of a tiny bundle."""

    modality: str
    many: str  # name of the dimension that counts its images
    shape: tuple[int, int, int]  # channels, height, width
    gain: float
    settings: Mapping[str, Any]


IMAGES = {
    "mammogram": ImageInput("MG", "V", (1, HEIGHT, WIDTH), GAIN, {"height": HEIGHT, "width": WIDTH}),
    "ultrasound": ImageInput("US", "U", (1, 32, 32), 2.0, {"height": 32, "width": 32, "tensor_pixel_mm": 1.6}),
    "mri": ImageInput("MR", "S", (4, 40, 48), 1.0, {"height": 40, "width": 48, "tensor_pixel_mm": 3.2, "phases": 4}),
}
MG_ALONE = ("mammogram",)
ALL = tuple(IMAGES)


def graph_text(names: Sequence[str]) -> str:
    """The graph in ONNX's text form."""
    ins = [f"float[N,{FACTS}] clinical", f"float[N,{FACTS}] clinical_present"]
    outs, planes, lines = [], [], []
    for name in names:
        image = IMAGES[name]
        sizes = ",".join(map(str, image.shape))
        ins += [f"float[N,{image.many},{sizes}] {name}", f"float[N,{image.many}] {name}_present"]
        outs.append(f"float[N,{image.many},h_{name},w_{name}] {name}_saliency")
        outs.append(f"float[N,{image.many}] {name}_evidence")
        planes.append(f"int64[4] planes_{name} = {{-1,{sizes}}}, float[1] gain_{name} = {{{image.gain}}}")
        lines.append(_image_text(name))
    parts = ", ".join(["prior", "from_facts", *(f"from_{name}" for name in names)])
    return f"""
<ir_version: 10, opset_import: ["": 20]>
tiny ({", ".join(ins)})
  => (float[N] logit, float[N] logit_sd, float[N,{2 + len(names)}] contributions, {", ".join(outs)})
<float[1] bias = {{{BIAS}}}, float[1] weight = {{{WEIGHT}}}, float[1] sd = {{{SD}}}, float[1] zero = {{0.0}},
 int64[1] last = {{1}}, int64[3] pixels = {{2, 3, 4}}, {", ".join(planes)}>
{{
  known = Mul(clinical, clinical_present)
  weighted = Mul(known, weight)
  from_facts = ReduceSum<keepdims=1>(weighted, last)
{"".join(lines)}
  nothing = Mul(from_facts, zero)
  prior = Add(nothing, bias)
  contributions = Concat<axis=1>({parts})
  logit = ReduceSum<keepdims=0>(contributions, last)
  no_logit = Mul(logit, zero)
  logit_sd = Add(no_logit, sd)
}}
"""


def _image_text(name: str) -> str:
    return f"""
  means_{name} = ReduceMean<keepdims=0>({name}, pixels)
  seen_{name} = Mul(means_{name}, {name}_present)
  {name}_evidence = Mul(seen_{name}, gain_{name})
  from_{name} = ReduceSum<keepdims=1>({name}_evidence, last)
  batch_{name} = Reshape({name}, planes_{name})
  pooled_{name} = AveragePool<kernel_shape=[{POOL},{POOL}], strides=[{POOL},{POOL}]>(batch_{name})
  grey_{name} = ReduceMean<keepdims=1>(pooled_{name}, last)
  views_{name} = Shape<start=0, end=2>({name})
  size_{name} = Shape<start=2, end=4>(pooled_{name})
  whole_{name} = Concat<axis=0>(views_{name}, size_{name})
  {name}_saliency = Reshape(grey_{name}, whole_{name})"""


GRAPH = graph_text(MG_ALONE)


def tensor(name: str, *shape: str | int, low: float = -10.0, high: float = 10.0) -> dict[str, Any]:
    """One tensor of the manifest."""
    layout = " ".join(str(size) for size in shape)
    return {"name": name, "dtype": "float32", "shape": list(shape), "layout": layout, "low": low, "high": high}


def _image_tensors(name: str) -> list[dict[str, Any]]:
    image = IMAGES[name]
    values = tensor(name, "N", image.many, *image.shape, low=0, high=1)
    return [values, tensor(f"{name}_present", "N", image.many, low=0, high=1)]


def manifest(images: Sequence[str] = MG_ALONE, **changes: Any) -> dict[str, Any]:
    """manifest.json of a tiny bundle, but for `files`."""
    return {
        "schema": 1,
        "name": "tiny",
        "version": "1.0.0",
        "question": "aln",
        "intended_use": "demonstration",
        "label": "any nodal metastasis",
        "modalities": ["clinical", *(IMAGES[name].modality for name in images)],
        "required": [],
        "inputs": [
            tensor("clinical", "N", FACTS),
            tensor("clinical_present", "N", FACTS, low=0, high=1),
            *(one for name in images for one in _image_tensors(name)),
        ],
        "outputs": [
            tensor("logit", "N"),
            tensor("logit_sd", "N", low=0),
            tensor("contributions", "N", 2 + len(images)),
            *(tensor(f"{name}_saliency", "N", IMAGES[name].many, "h", "w", low=0, high=1) for name in images),
            *(tensor(f"{name}_evidence", "N", IMAGES[name].many) for name in images),
        ],
        "facts": [
            {"name": "size_ultrasound_mm", "unit": "mm", "mean": 20.0, "sd": 10.0, "low": 2.0, "high": 60.0},
            {"name": "age", "unit": "years", "mean": 60.0, "sd": 10.0, "low": 25.0, "high": 90.0},
        ],
        "preprocessing": {name: dict(IMAGES[name].settings) for name in images},
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
    n = len(inputs["clinical"])
    parts = [np.full(n, BIAS), WEIGHT * (inputs["clinical"] * inputs["clinical_present"]).sum(1)]
    of_images = {}
    for name, image in IMAGES.items():
        if name in inputs:
            views = inputs[name]
            evidence = image.gain * views.mean((2, 3, 4)) * inputs[f"{name}_present"]
            parts.append(evidence.sum(1))
            *counts, height, width = views.mean(2).shape
            blocks = views.mean(2).reshape(*counts, height // POOL, POOL, width // POOL, POOL)
            of_images[f"{name}_saliency"] = blocks.mean((3, 5)).astype(np.float32)
            of_images[f"{name}_evidence"] = evidence.astype(np.float32)
    return {
        "logit": np.sum(parts, 0).astype(np.float32),
        "logit_sd": np.full(n, SD, np.float32),
        "contributions": np.stack(parts, 1).astype(np.float32),
        **of_images,
    }


def golden_inputs(axillae: int = 2, views: int = 2, images: Sequence[str] = MG_ALONE) -> dict[str, np.ndarray]:
    """Inputs of the right shapes, always the same ones."""
    rng = np.random.default_rng(7)
    inputs = {
        "clinical": rng.normal(size=(axillae, FACTS)).astype(np.float32),
        "clinical_present": np.ones((axillae, FACTS), np.float32),
    }
    for name in images:
        inputs[name] = rng.random((axillae, views, *IMAGES[name].shape)).astype(np.float32)
        inputs[f"{name}_present"] = np.ones((axillae, views), np.float32)
    return inputs


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
    images: Sequence[str] = MG_ALONE,
    model: bytes | None = None,
    golden: Mapping[str, np.ndarray] | None = None,
    leave_out: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """Write a tiny bundle, manifest last; `changes` replace keys of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = golden_inputs(images=images)
    np.savez(folder / "golden.npz", **(golden if golden is not None else inputs | answers(inputs)))
    (folder / "model.onnx").write_bytes(onnx_model(graph_text(images)) if model is None else model)
    (folder / "MODEL_CARD.md").write_text("# tiny\n", encoding="utf-8")
    (folder / "evaluation.json").write_text("{}\n", encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    raw = {key: value for key, value in manifest(images, files=files, **changes).items() if key not in leave_out}
    (folder / "manifest.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return folder
