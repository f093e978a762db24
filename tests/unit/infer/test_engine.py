"""A bundle is loaded only when it is exactly what its manifest says."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from agent.core.errors import Permanent, Transient
from agent.infer.engine import Engine
from tests.builders_bundle import GRAPH, answers, golden_inputs, manifest, onnx_model, tensor, write_bundle


@pytest.fixture
def folder(tmp_path: Path, tiny_model: bytes) -> Path:
    """The tiny bundle."""
    return write_bundle(tmp_path / "tiny-1.0.0", model=tiny_model)


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change manifest.json in place."""
    raw = json.loads((folder / "manifest.json").read_text())
    change(raw)
    (folder / "manifest.json").write_text(json.dumps(raw))


def refused(folder: Path, device: str = "cpu") -> str:
    """Load a bundle that must be refused and return the words."""
    with pytest.raises(Permanent) as caught:
        Engine.load(folder, device)
    return str(caught.value)


# what it answers


def test_a_sound_bundle_answers_as_its_graph_does(folder: Path) -> None:
    """For numbers of axillae and views that the golden file does not have."""
    engine = Engine.load(folder, "cpu")
    for axillae, views in ((1, 1), (3, 4), (2, 1)):
        inputs = golden_inputs(axillae, views)
        for name, expected in answers(inputs).items():
            np.testing.assert_allclose(engine.run(inputs)[name], expected, atol=1e-5)


def test_its_identity_is_that_of_the_manifest(folder: Path) -> None:
    """The digest is that of manifest.json, which holds all others."""
    engine = Engine.load(folder, "cpu")
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert (engine.identity.name, engine.identity.version, engine.identity.digest) == ("tiny", "1.0.0", digest)
    assert engine.identity.training_summary == "made by hand"
    assert engine.manifest.preprocessing["mammogram"] == {"height": 64, "width": 48}


def test_what_was_verified_is_what_runs(folder: Path) -> None:
    """The files are read once: changing them afterwards changes nothing."""
    engine = Engine.load(folder, "cpu")
    (folder / "model.onnx").write_bytes(b"")
    inputs = golden_inputs()
    np.testing.assert_allclose(engine.run(inputs)["logit"], answers(inputs)["logit"], atol=1e-5)


def test_inputs_that_the_graph_does_not_take_are_a_permanent_error(folder: Path) -> None:
    """Trying again would not help."""
    engine = Engine.load(folder, "cpu")
    for inputs in ({}, golden_inputs() | {"clinical": np.zeros((2, 9), np.float32)}):
        with pytest.raises(Permanent, match="does not take these inputs"):
            engine.run(inputs)


def test_a_failing_device_is_a_transient_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime's own words, which may hold anything, are not repeated."""
    engine = Engine.load(folder, "cpu")

    class Broken:
        def run(self, *_: Any) -> Any:
            raise ort.capi.onnxruntime_pybind11_state.RuntimeException("CUDA failure 700 canary")

    monkeypatch.setattr(engine, "_session", Broken())
    with pytest.raises(Transient, match=r"failed on cpu \(RuntimeException\)") as caught:
        engine.run(golden_inputs())
    assert "canary" not in str(caught.value)


# the device


def test_auto_says_what_it_got(folder: Path) -> None:
    """CUDA where onnxruntime has it, else the CPU."""
    engine = Engine.load(folder)
    assert engine.device == ("cuda:0" if "CUDAExecutionProvider" in ort.get_available_providers() else "cpu")


def test_a_device_that_is_not_given_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said what to install or write."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    words = refused(folder, "cuda:0")
    assert "sentinode[gpu]" in words
    assert "device: cpu" in words


class Fallen:
    """A session that quietly fell to the CPU, as onnxruntime-gpu does on a machine without a GPU."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.given = ["CPUExecutionProvider"]

    def get_providers(self) -> list[str]:
        """What was given."""
        return self.given


def test_a_silent_fall_to_the_cpu_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of available providers proves nothing; the session's own does."""
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    monkeypatch.setattr(ort, "InferenceSession", Fallen)
    assert "gives no CUDAExecutionProvider" in refused(folder, "cuda:1")


class Elsewhere(Fallen):
    """A session that runs where nobody asked."""

    def get_providers(self) -> list[str]:
        """What was given."""
        return ["AzureExecutionProvider"]


def test_another_provider_than_the_cpu_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provider got is provider asked."""
    monkeypatch.setattr(ort, "InferenceSession", Elsewhere)
    assert "AzureExecutionProvider" in refused(folder, "cpu")


def test_cuda_is_taken_where_it_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its number, and without TF32."""
    seen: dict[str, Any] = {}
    real = ort.InferenceSession

    def session(model: bytes, options: Any, providers: list[Any]) -> Any:
        seen["providers"] = providers
        opened = real(model, options, providers=["CPUExecutionProvider"])
        opened.get_providers = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
        return opened

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", session)
    assert Engine.load(folder, "cuda:1").device == "cuda:1"
    assert seen["providers"] == [("CUDAExecutionProvider", {"device_id": 1, "use_tf32": 0})]
    assert Engine.load(folder, "auto").device == "cuda:0"


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:x", "", "cpu:0"])
def test_a_device_of_another_form_is_refused(folder: Path, device: str) -> None:
    """It is said what may be written."""
    assert "write auto, cpu or cuda:N" in refused(folder, device)


# the files


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Its path is said."""
    assert str(tmp_path / "nowhere") in refused(tmp_path / "nowhere")


def test_a_bundle_without_a_manifest_is_refused(folder: Path) -> None:
    """The export did not come to its end."""
    (folder / "manifest.json").unlink()
    assert "no manifest.json" in refused(folder)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe\x00", b"{}", b'{"schema": 2}', b'{"schema": 1, "name": "x"}']
)
def test_a_manifest_that_cannot_be_read_is_refused(folder: Path, content: bytes) -> None:
    """Whatever is wrong with it."""
    (folder / "manifest.json").write_bytes(content)
    assert "manifest.json" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "MODEL_CARD.md", "evaluation.json"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    """One byte is enough."""
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name}: its SHA-256" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "MODEL_CARD.md"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    """The manifest lists it."""
    (folder / name).unlink()
    assert f"{name}: missing" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_bundle_must_have_its_model_and_golden_values(folder: Path, name: str) -> None:
    """Even if its manifest does not ask for them."""
    (folder / name).unlink()
    rewrite_manifest(folder, lambda raw: raw["files"].pop(name))
    assert f"{name}: missing" in refused(folder)


def test_a_file_that_is_not_listed_is_refused(folder: Path) -> None:
    """Whoever put it there."""
    (folder / "notes.md").write_text("hello")
    assert "notes.md: the manifest does not list it" in refused(folder)


@pytest.mark.parametrize("name", ["weights.pkl", "model.pt", "model.onnx.data", "code.py", "weights"])
def test_a_file_that_may_carry_code_or_data_is_refused_unread(folder: Path, name: str) -> None:
    """Also where the manifest lists it."""
    content = pickle.dumps({"a": 1})
    (folder / name).write_bytes(content)
    rewrite_manifest(folder, lambda raw: raw["files"].update({name: hashlib.sha256(content).hexdigest()}))
    assert f"{name}: a bundle holds" in refused(folder)


def test_a_pickle_under_the_models_name_is_refused(folder: Path) -> None:
    """It is no ONNX model, and nothing of it is run."""
    content = pickle.dumps(os.getcwd)
    (folder / "model.onnx").write_bytes(content)
    rewrite_manifest(folder, lambda raw: raw["files"].update({"model.onnx": hashlib.sha256(content).hexdigest()}))
    assert "not an ONNX model" in refused(folder)


def test_a_pickle_inside_the_golden_values_is_refused(tmp_path: Path, tiny_model: bytes) -> None:
    """NumPy would run it on loading, were it let."""
    inputs = golden_inputs()
    golden = inputs | answers(inputs) | {"logit": np.array([print, print], dtype=object)}
    folder = write_bundle(tmp_path / "b", model=tiny_model, golden=golden)
    assert "golden.npz: lacks an array" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_symbolic_link_is_refused(folder: Path, name: str) -> None:
    """What it leads to is not looked at."""
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    assert f"{name}: cannot be read" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_hard_link_is_refused(folder: Path, name: str) -> None:
    """Somebody else could write through the other name."""
    os.link(folder / name, folder.parent / name)
    assert "copy the bundle" in refused(folder)


def test_a_folder_inside_is_refused(folder: Path) -> None:
    """A bundle is flat."""
    (folder / "more.md").mkdir()
    assert "more.md" in refused(folder)


def test_a_pipe_inside_is_refused_without_waiting_for_it(folder: Path) -> None:
    """Reading it would block for ever."""
    os.mkfifo(folder / "more.md")
    assert "more.md: a link or no regular file" in refused(folder)


# the graph


def with_tensor(role: str, which: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    """Change one tensor of the manifest."""

    def change(raw: dict[str, Any]) -> None:
        next(t for t in raw[role] if t["name"] == which).update(changes)

    return change


@pytest.mark.parametrize(
    "change",
    [
        with_tensor("inputs", "clinical", shape=["N", 3]),
        with_tensor("inputs", "clinical", shape=["N", "F"]),
        with_tensor("inputs", "clinical", shape=["N", 2, 1]),
        with_tensor("inputs", "clinical", dtype="float16"),
        with_tensor("inputs", "clinical", dtype="text"),
        with_tensor("inputs", "clinical", name="facts"),
        with_tensor("outputs", "contributions", shape=["N", 4]),
        lambda raw: raw["outputs"].pop(),
        lambda raw: raw["inputs"].append(tensor("more", "N")),
    ],
)
def test_tensors_other_than_stated_are_refused(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Name, type, rank and fixed sizes."""
    rewrite_manifest(folder, change)
    assert "manifest says" in refused(folder)


def test_a_fixed_size_may_vary_in_the_graph(folder: Path) -> None:
    """Its golden answers prove it."""
    rewrite_manifest(folder, with_tensor("outputs", "mammogram_saliency", shape=["N", "V", 16, 12]))
    assert Engine.load(folder, "cpu").device == "cpu"


def test_a_model_with_external_data_is_refused(tmp_path: Path) -> None:
    """Even if the other file were listed and of a kind that a bundle may hold."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_model())
    weight = model.graph.initializer[0]
    weight.data_location = onnx.TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "MODEL_CARD.md"
    folder = write_bundle(tmp_path / "b", model=model.SerializeToString())
    assert "names data outside itself" in refused(folder)


def test_a_model_that_the_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    """An empty protobuf is well-formed and no graph."""
    folder = write_bundle(tmp_path / "b", model=b"")
    assert "onnxruntime cannot load it" in refused(folder)


@pytest.mark.parametrize("name", ["logit", "logit_sd", "contributions", "mammogram_saliency"])
@pytest.mark.parametrize("error", [2e-4, -2e-4, np.nan])
def test_other_golden_answers_are_refused(tmp_path: Path, tiny_model: bytes, name: str, error: float) -> None:
    """One value of one output is enough."""
    inputs = golden_inputs()
    golden = inputs | answers(inputs)
    golden[name].flat[-1] += error
    folder = write_bundle(tmp_path / "b", model=tiny_model, golden=golden)
    assert f"golden.npz: {name} differs" in refused(folder)


def test_golden_answers_within_parity_pass(tmp_path: Path, tiny_model: bytes) -> None:
    """1e-4 is allowed."""
    inputs = golden_inputs()
    golden = inputs | answers(inputs)
    golden["logit"] += 5e-5
    assert Engine.load(write_bundle(tmp_path / "b", model=tiny_model, golden=golden), "cpu")


def test_golden_answers_of_another_shape_are_refused(tmp_path: Path, tiny_model: bytes) -> None:
    """They are not compared by chance."""
    inputs = golden_inputs()
    golden = inputs | answers(inputs) | {"logit": np.zeros(3, np.float32)}
    assert "differs by inf" in refused(write_bundle(tmp_path / "b", model=tiny_model, golden=golden))


def test_golden_inputs_that_do_not_fit_are_refused(tmp_path: Path, tiny_model: bytes) -> None:
    """The graph does not take them."""
    inputs = golden_inputs()
    golden = inputs | answers(inputs) | {"clinical": np.zeros((2, 5), np.float32)}
    assert "does not take these inputs" in refused(write_bundle(tmp_path / "b", model=tiny_model, golden=golden))


@pytest.mark.parametrize("golden", [{}, golden_inputs()])
def test_golden_values_that_lack_a_tensor_are_refused(tmp_path: Path, tiny_model: bytes, golden: Any) -> None:
    """Each tensor has its array."""
    assert "lacks an array" in refused(write_bundle(tmp_path / "b", model=tiny_model, golden=golden))


def test_a_device_that_fails_on_the_golden_values_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At start nothing is tried again."""

    def fail(*_: Any) -> Any:
        raise Transient("the engine failed")

    monkeypatch.setattr(Engine, "run", fail)
    assert "the engine failed" in refused(folder)


def test_half_precision_has_a_wider_parity(tmp_path: Path) -> None:
    """Its three digits cannot hold 1e-4."""
    graph = GRAPH.replace("=> (float[N] logit,", "=> (float16[N] logit,")
    graph = graph.replace("  logit = ", "  exact = ").replace("Mul(logit, zero)", "Mul(exact, zero)")
    model = onnx_model(graph.replace("  no_logit", "  logit = Cast<to=10>(exact)\n  no_logit"))
    outputs = manifest()["outputs"]
    outputs[0]["dtype"] = "float16"
    inputs = golden_inputs()
    golden = inputs | answers(inputs)
    golden["logit"] = golden["logit"].astype(np.float16) + np.float16(2e-3)
    folder = write_bundle(tmp_path / "b", model=model, golden=golden, outputs=outputs)
    assert Engine.load(folder, "cpu").run(inputs)["logit"].dtype == np.float16
    golden["logit"] += np.float16(2e-2)
    assert "0.005 is allowed" in refused(write_bundle(tmp_path / "c", model=model, golden=golden, outputs=outputs))
