"""Train, evaluate and export, on a handful of patients."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra: train)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (extra: train)")

from agent.core.manifest import parse_manifest
from models.fusion import bundle
from models.fusion.evaluate import evaluate
from models.fusion.progress import Progress
from models.fusion.settings import Cohort, Settings, Sizes
from models.fusion.train import train


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A whole run, small."""
    folder = tmp_path_factory.mktemp("run")
    return Settings(
        sizes=Sizes(height=64, width=56, stem=8, features=8, dilations=(1,), concept_hidden=8, evidence=4),
        encoder=Cohort("encoder", 1, 32),
        heads=Cohort("heads", 2, 32),
        validation=Cohort("validation", 3, 32),
        test=Cohort("test", 4, 40),
        render_rows=160,
        render_columns=128,
        full_size=2,
        encoder_epochs=1,
        heads_epochs=2,
        processes=1,
        work=folder / "work",
        bundles=folder / "bundles",
    )


@pytest.fixture(scope="module")
def written(settings: Settings) -> Path:
    """The folder of the bundle that a run writes."""
    train(settings)
    evaluate(settings)
    bundle.export(settings)
    return settings.bundle


def test_a_run_writes_a_bundle_that_the_agent_can_read(written: Path, settings: Settings) -> None:
    """The manifest lists every file, states the tensors of this network, and is for demonstration."""
    manifest = parse_manifest(json.loads((written / "manifest.json").read_text(encoding="utf-8")))
    assert set(manifest.files) == {p.name for p in written.iterdir()} - {"manifest.json"}
    assert manifest.inputs[2].shape == ("N", "V", 1, 64, 56)
    assert manifest.outputs[3].shape == ("N", "V", 8, 7)
    assert dict(manifest.preprocessing["mammogram"]) == settings.preprocessing
    assert manifest.is_demonstration


def test_a_run_states_every_subset(written: Path) -> None:
    """The evaluation holds AUC, best possible AUC and share of the excess of each subset."""
    report = json.loads((written / "evaluation.json").read_text(encoding="utf-8"))
    assert set(report["subsets"]) == {"nothing", "clinical", "MG", "MG+clinical"}
    for name in ("clinical", "MG", "MG+clinical"):
        assert {"auc", "bayes_auc", "share_of_excess", "ece", "coverage"} <= set(report["subsets"][name])
    assert set(report["biopsies_avoided"]) == {"0.90", "0.95", "0.98"}
    assert "$" not in (written / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_second_run_renders_nothing_again(written: Path, settings: Settings) -> None:
    """Rendered patients and epochs are kept for the next run."""
    shards = {p: p.stat().st_mtime_ns for p in settings.work.rglob("*.npz")}
    train(settings)
    assert written.exists()
    assert {p: p.stat().st_mtime_ns for p in settings.work.rglob("*.npz")} == shards
    assert len(shards) == 4


def test_progress_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Half-way after ten seconds, ten are left; steps of an earlier run do not make it look quicker."""
    ticks = iter((0.0, 10.0, 20.0))
    progress = Progress("render", 100, clock=lambda: next(ticks), skipped=20)
    progress.show(60)
    assert "60/100    10 s left" in capsys.readouterr().out
    progress.show(61)
    assert capsys.readouterr().out == ""
