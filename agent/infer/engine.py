"""One verified model bundle, loaded and warm: the only place that knows onnxruntime."""

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from agent.core.errors import Permanent, Transient
from agent.core.manifest import BundleManifest, Tensor
from agent.core.result import ModelIdentity
from agent.infer.bundle import GOLDEN, MANIFEST, MODEL, Bundle, read_bundle
from agent.infer.inputs import check_graph

PARITY: Final = 1e-4
PARITY_HALF: Final = 5e-3  # float16 keeps three digits

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_TYPES: Final = {"float32": "tensor(float)", "float16": "tensor(float16)", "int64": "tensor(int64)"}
_UNLOADABLE: Final = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_MAY_PASS: Final = (ort_errors.Fail, ort_errors.EPFail, ort_errors.EngineError, ort_errors.RuntimeException)

Arrays = Mapping[str, NDArray[Any]]


class Engine:
    """A bundle ready to answer. Use `Engine.load`."""

    def __init__(self, bundle: Bundle, session: ort.InferenceSession, device: str) -> None:
        self.manifest: BundleManifest = bundle.manifest
        self.device = device  # what really runs it: "cpu" or "cuda:N"
        self.identity = _identity(bundle)
        self._session = session
        self._outputs = [tensor.name for tensor in bundle.manifest.outputs]

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> "Engine":
        """Verify a bundle, load it and let it answer its golden inputs, which also warms it.

        Parameters
        ----------
        folder : Path
            `models/bundles/<name>-<version>`.
        device : str
            "cpu", "cuda:N", or "auto": CUDA where onnxruntime truly gives it, else the CPU.

        Raises
        ------
        Permanent
            If the bundle, its graph or its golden answers are not as its manifest says, this version cannot make what
            the graph takes, or the device is not given.
        """
        bundle = read_bundle(folder)
        session, given = _session(bundle.model, device, folder)
        _compare_tensors(folder, "input", bundle.manifest.inputs, session.get_inputs())
        _compare_tensors(folder, "output", bundle.manifest.outputs, session.get_outputs())
        check_graph(folder / MANIFEST, bundle.manifest)
        engine = cls(bundle, session, given)
        engine._check_golden(folder, bundle.golden)
        return engine

    @property
    def provider(self) -> str:
        """What onnxruntime runs it with, by onnxruntime's name."""
        return str(self._session.get_providers()[0])

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Answer one batch.

        Parameters
        ----------
        inputs : mapping
            The manifest's input tensors by name.

        Returns
        -------
        dict
            The manifest's output tensors by name.

        Raises
        ------
        Permanent
            If the graph does not take these inputs.
        Transient
            If the runtime or its device fails.
        """
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))
        except (ort_errors.InvalidArgument, ValueError):
            raise Permanent(f"{self.identity.name}: the graph does not take these inputs") from None
        except _MAY_PASS as exc:
            raise Transient(
                f"{self.identity.name}: the engine failed on {self.device} ({type(exc).__name__})"
            ) from None

    def _check_golden(self, folder: Path, golden: bytes) -> None:
        stored = _load_golden(folder, golden, (*self.manifest.inputs, *self.manifest.outputs))
        try:
            answered = self.run({tensor.name: stored[tensor.name] for tensor in self.manifest.inputs})
        except Transient as exc:
            raise Permanent(f"{folder}: {exc}") from None
        for tensor in self.manifest.outputs:
            allowed = PARITY_HALF if "float16" in {t.dtype for t in self.manifest.inputs} | {tensor.dtype} else PARITY
            difference = _difference(answered[tensor.name], stored[tensor.name])
            if not difference <= allowed:
                raise Permanent(
                    f"{folder / GOLDEN}: {tensor.name} differs by {difference:.2g} from the stored answer, "
                    f"{allowed:g} is allowed; this runtime does not compute what the bundle was tested with"
                )


def _identity(bundle: Bundle) -> ModelIdentity:
    manifest = bundle.manifest
    return ModelIdentity(
        name=manifest.name,
        version=manifest.version,
        digest=bundle.digest,
        intended_use=manifest.intended_use,
        training_summary=str(manifest.training.get("summary", "")),
        label=manifest.label,
        training_prevalence=manifest.training_prevalence,
    )


def _session(model: bytes, device: str, folder: Path) -> tuple[ort.InferenceSession, str]:
    """Open a session on the device and return it with the device it really got."""
    asked = re.fullmatch(r"auto|cpu|cuda:(\d+)", device)
    if asked is None:
        raise Permanent(f"device {device!r}: write auto, cpu or cuda:N")
    number = int(asked[1] or 0)
    if device != "cpu" and _CUDA in ort.get_available_providers():
        # TF32 would round away the parity that the golden answers ask for
        session = _open(model, [(_CUDA, {"device_id": number, "use_tf32": 0})], folder)
        if session.get_providers()[0] == _CUDA:
            return session, f"cuda:{number}"
    if asked[1] is not None:
        raise Permanent(
            f"device {device}: onnxruntime gives no {_CUDA} here; install sentinode[gpu] in place of sentinode[cpu] "
            "on a machine with an NVIDIA driver, or write device: cpu"
        )
    session = _open(model, [_CPU], folder)
    if session.get_providers() != [_CPU]:
        raise Permanent(f"device {device}: onnxruntime gave {session.get_providers()} in place of {_CPU}")
    return session, "cpu"


def _open(model: bytes, providers: list[Any], folder: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, and said once
    for key in ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning"):
        options.add_session_config_entry(key, "0")  # several warm sessions that spin slow each other
    try:
        return ort.InferenceSession(model, options, providers=providers)
    except _UNLOADABLE as exc:
        raise Permanent(
            f"{folder / MODEL}: onnxruntime cannot load it ({type(exc).__name__}); export it again"
        ) from None


def _compare_tensors(folder: Path, role: str, stated: Sequence[Tensor], found: Sequence[Any]) -> None:
    by_name = {tensor.name: tensor for tensor in found}
    if set(by_name) != {tensor.name for tensor in stated}:
        raise Permanent(f"{folder / MODEL}: its {role}s are {sorted(by_name)}, the manifest says otherwise")
    for tensor in stated:
        other = by_name[tensor.name]
        if other.type != _TYPES.get(tensor.dtype) or not _same_shape(tensor.shape, other.shape):
            raise Permanent(
                f"{folder / MODEL}: {role} {tensor.name} is {other.type} {other.shape}, "
                f"the manifest says {tensor.dtype} {list(tensor.shape)}; export the bundle again"
            )


def _same_shape(stated: Sequence[str | int], found: Sequence[Any]) -> bool:
    """What the manifest names must vary in the graph; what it fixes may vary there: the golden answers prove it."""
    if len(stated) != len(found):
        return False
    return all(not isinstance(f, int) or s == f for s, f in zip(stated, found, strict=True))


def _load_golden(folder: Path, golden: bytes, tensors: Sequence[Tensor]) -> dict[str, NDArray[Any]]:
    """Read golden.npz: one array for each tensor, under the tensor's name."""
    try:
        with np.load(BytesIO(golden), allow_pickle=False) as stored:
            return {tensor.name: stored[tensor.name] for tensor in tensors}
    except (BadZipFile, EOFError, KeyError, OSError, ValueError):
        raise Permanent(f"{folder / GOLDEN}: lacks an array for each tensor; export the bundle again") from None


def _difference(answered: NDArray[Any], stored: NDArray[Any]) -> float:
    if answered.shape != stored.shape:
        return float("inf")
    return float(np.max(np.abs(answered.astype(np.float64) - stored.astype(np.float64)), initial=0.0))
