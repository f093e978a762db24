"""A network to a bundle: ONNX, proof that it computes the same, golden values, and the manifest last of all."""

import hashlib
import io
import json
import logging
import shutil
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

Arrays = dict[str, NDArray[np.float32]]
OPSET: Final = 20
PARITY: Final = 1e-4
MANIFEST: Final = "manifest.json"


class ParityError(Exception):
    """The exported graph computes something else than the network."""


def write_onnx(
    network: torch.nn.Module,
    example: Arrays,
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
    path: Path,
) -> None:
    """Export a network as one ONNX file with its weights inside.

    Parameters
    ----------
    example : dict
        Inputs by name, in the order of the network's arguments; every dynamic dimension larger than 1.
    outputs : Sequence[str]
        Names of the outputs, in their order.
    dynamic : Mapping
        By input, its dynamic dimensions and their names.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it remarks that torchvision is not here
    dims = {name: torch.export.Dim(name) for name in dict.fromkeys(d for ds in dynamic.values() for d in ds.values())}
    with warnings.catch_warnings():
        # torch's exporter uses what torch has deprecated, and remarks that one name serves several inputs
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        warnings.filterwarnings("ignore", ".*will not be used, since it shares.*", UserWarning)
        program = torch.onnx.export(
            network.eval(),
            tuple(torch.from_numpy(x) for x in example.values()),
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=[{axis: dims[name] for axis, name in dynamic[i].items()} for i in example],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch exported nothing")
    program.save(str(path), external_data=False)
    strip(path)


def strip(path: Path) -> None:
    """Drop from an ONNX file what only its author can use: paths and stack traces of the exporting machine."""
    model = onnx.load(path)
    for owner in [
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ]:
        owner.doc_string = ""
        del owner.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def run_network(network: torch.nn.Module, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
    """Run the network itself."""
    with torch.no_grad():
        results = network(*(torch.from_numpy(x) for x in inputs.values()))
    return {name: result.numpy() for name, result in zip(outputs, results, strict=True)}


def run_onnx(path: Path, inputs: Arrays) -> Arrays:
    """Run an ONNX file by ONNX Runtime, or by ONNX's reference evaluator where that is not installed."""
    try:
        import onnxruntime
    except ImportError:
        evaluator = ReferenceEvaluator(str(path))
        return dict(zip(evaluator.output_names, evaluator.run(None, inputs), strict=True))  # type: ignore[arg-type]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs), strict=True))


def check_parity(network: torch.nn.Module, path: Path, cases: Sequence[Arrays], outputs: Sequence[str]) -> float:
    """Return the largest difference between network and graph over all cases and outputs.

    Raises
    ------
    ParityError
        If it is above PARITY.
    """
    worst = 0.0
    for inputs in cases:
        expected, found = run_network(network, inputs, outputs), run_onnx(path, inputs)
        for name in outputs:
            difference = float(np.abs(expected[name] - found[name]).max(initial=0.0))
            if not difference <= PARITY or expected[name].shape != found[name].shape:
                raise ParityError(f"{name} differs by {difference:.2e} at {[x.shape for x in inputs.values()]}")
            worst = max(worst, difference)
    return worst


def write_bundle(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write a bundle's files, and last the manifest with the SHA-256 of each of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    text = json.dumps({**manifest, "files": digests}, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def golden(path: Path, inputs: Arrays) -> bytes:
    """Return inputs of a few axillae and what the graph makes of them, by name, as the bundle's `golden.npz`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **inputs, **run_onnx(path, inputs))  # type: ignore[arg-type]  # no name is allow_pickle
    return buffer.getvalue()


def training_commit() -> str:
    """Return what the manifest says of the code: the commit of the working tree, "unknown" outside of one."""
    command = ["git", "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - git, wherever it is
    return found.stdout.strip() or "unknown"
