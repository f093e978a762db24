"""Train, evaluate and export, on a handful of patients."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra: train)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (extra: train)")

import torch

from agent.core.manifest import parse_manifest
from agent.infer.external_data import names_external_data
from models import export as exporting
from models.fusion import bundle, data
from models.fusion.evaluate import evaluate
from models.fusion.evidence import MASKS
from models.fusion.network import FusionNetwork
from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.fusion.settings import Cohort, Settings
from models.fusion.train import restore, train
from tests.models.fusion_settings import small

torch.set_num_threads(1)  # of so small a network a second thread only waits for the first


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A whole run, small."""
    folder = tmp_path_factory.mktemp("run")
    return small(
        folder / "work",
        encoder=Cohort("encoder", 1, 12),
        heads=Cohort("heads", 2, 12),
        validation=Cohort("validation", 3, 12),
        test=Cohort("test", 4, 30),
        full_size=2,
        heads_epochs=2,
        bundles=folder / "bundles",
    )


@pytest.fixture(scope="module")
def written(settings: Settings) -> Path:
    """The folder of the bundle that a run writes."""
    train(settings)
    evaluate(settings)
    bundle.export(settings)
    return settings.bundle


@pytest.fixture(scope="module")
def trained(written: Path, settings: Settings) -> FusionNetwork:
    """The network that was exported."""
    return restore(settings.work / "network.pt", settings)[0]


def test_a_run_writes_a_bundle_that_the_agent_can_read(written: Path, settings: Settings) -> None:
    """The manifest lists every file, states the tensors of this network, and is for demonstration."""
    manifest = parse_manifest(json.loads((written / "manifest.json").read_text(encoding="utf-8")))
    assert set(manifest.files) == {p.name for p in written.iterdir()} - {"manifest.json"}
    shapes = {t.name: t.shape for t in (*manifest.inputs, *manifest.outputs)}
    assert shapes["mammogram"] == ("N", "V", 1, 64, 56)
    assert shapes["mri"] == ("N", "S", 4, 40, 48)
    assert shapes["ultrasound_saliency"] == ("N", "U", 16, 16)
    assert shapes["contributions"] == ("N", 5)
    assert manifest.modalities == ("clinical", "MG", "US", "MR")
    assert {name: dict(given) for name, given in manifest.preprocessing.items()} == {
        one.tensor: one.settings for one in settings.imaging
    }
    assert manifest.is_demonstration


def test_the_graph_computes_what_the_network_does(written: Path, trained: FusionNetwork, settings: Settings) -> None:
    """Every output agrees to 1e-4 at several numbers of axillae and images, with each subset of modalities."""
    cases = bundle.parity_cases(data.fact_specs(data.draw(settings.encoder, 0, 20)), settings)
    assert len(cases) == len(bundle.COUNTS) + MASKS
    names = bundle.outputs(settings)
    assert exporting.check_parity(trained, written / "model.onnx", list(cases.values()), names) <= exporting.PARITY


def test_the_graph_is_one_file_that_names_no_place(written: Path) -> None:
    """Weights are inside, and nothing of the exporting machine is."""
    graph = (written / "model.onnx").read_bytes()
    assert not names_external_data(graph)
    assert str(Path(exporting.__file__).parent).encode() not in graph


def test_a_graph_of_another_network_is_refused(written: Path, settings: Settings) -> None:
    """The parity check can fail."""
    cases = [bundle.random_inputs(settings, 2, (2, 2, 2), np.random.default_rng(0))]
    other = FusionNetwork(settings).eval()
    with pytest.raises(exporting.ParityError, match="differs"):
        exporting.check_parity(other, written / "model.onnx", cases, bundle.outputs(settings))


def test_a_run_states_every_subset(written: Path) -> None:
    """The evaluation holds AUC, best possible AUC and share of the excess of each subset."""
    report = json.loads((written / "evaluation.json").read_text(encoding="utf-8"))
    assert len(report["subsets"]) == 16
    for name, one in report["subsets"].items():
        if name != "nothing":
            assert {"auc", "bayes_auc", "share_of_excess", "ece", "coverage"} <= set(one)
    assert {"nothing", "clinical", "MG", "US+MR", "clinical+MG+US+MR"} <= set(report["subsets"])
    assert set(report["biopsies_avoided"]) == {"0.90", "0.95", "0.98"}
    assert set(report["concepts"]) == set(report["pixel_baseline"]) == {"MG", "US", "MR"}
    assert len(report["missing_images"]) == 6
    card = (written / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "$" not in card
    assert card.count("| clinical+MG") == 4


def test_a_second_run_renders_nothing_again(written: Path, settings: Settings) -> None:
    """Rendered patients and epochs are kept for the next run."""
    shards = {p: p.stat().st_mtime_ns for p in settings.work.rglob("*.npz")}
    train(settings)
    assert written.exists()
    assert {p: p.stat().st_mtime_ns for p in settings.work.rglob("*.npz")} == shards
    assert len(shards) == 12


def test_a_bundle_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """What goes into git has a bound."""
    (tmp_path / "model.onnx").write_bytes(b"12345")
    assert bundle.size_of(tmp_path) == 5
    with pytest.raises(ValueError, match="5 bytes, at most 4"):
        bundle.size_of(tmp_path, 4)


def test_progress_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Half-way after ten seconds, ten are left; steps of an earlier run do not make it look quicker."""
    ticks = iter((0.0, 10.0, 20.0))
    progress = Progress("render", 100, clock=lambda: next(ticks), skipped=20)
    progress.show(60)
    assert "60/100    10 s left" in capsys.readouterr().out
    progress.show(61)
    assert capsys.readouterr().out == ""
    progress.say("a word")
    assert "a word" in capsys.readouterr().out


def test_work_is_spread_over_processes() -> None:
    """Results come with the index of what they are of, whichever ends first."""
    given = [(2, 3), (3, 2), (5, 1)]
    assert dict(spread(pow, given, 2)) == dict(spread(pow, given, 1)) == {0: 8, 1: 9, 2: 5}
