"""The bundle in git: whole, honest about itself, and able to find a mass. Needs no torch."""

import hashlib
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.manifest import BundleManifest, parse_manifest
from agent.preprocess.mammogram import prepare
from agent.preprocess.placement import to_source
from agent.preprocess.tabular import encode
from models import phantom
from models.fusion.data import clinical_facts
from models.phantom.mammogram import VIEWS, in_pixels, mass_spot, render
from tests.peers import ROOT

FOLDER = ROOT / "models" / "bundles" / "aln-demo-1.0.0"
SMALL = (640, 512)
Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def manifest() -> BundleManifest:
    """The bundle's manifest as the agent reads it."""
    return parse_manifest(json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def run():
    """The bundle's graph as a function of its inputs."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra: cpu)")
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))


def inputs_of(someone: phantom.Patient, manifest: BundleManifest, side: str = "L") -> Arrays:
    """One side of a patient as the graph reads it."""
    facts = encode(clinical_facts(someone), manifest.facts, someone.diagnosed_on)
    settings = manifest.preprocessing["mammogram"]
    views = [prepare(render(someone, side, view, *SMALL), inverted=False, **settings)[0] for view in VIEWS]
    return {
        "clinical": facts.values[None],
        "clinical_present": facts.present[None],
        "mammogram": np.stack(views)[None, :, None],
        "mammogram_present": np.ones((1, len(views)), np.float32),
    }


def test_every_file_is_as_the_manifest_says(manifest: BundleManifest) -> None:
    """SHA-256 of each file, and no file beside them."""
    files = {path.name: path for path in FOLDER.iterdir() if path.name != "manifest.json"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == manifest.files
    assert set(files) == {"model.onnx", "golden.npz", "evaluation.json", "MODEL_CARD.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 4_000_000


def test_it_is_a_demonstration(manifest: BundleManifest) -> None:
    """Trained on phantoms, it must never answer for anyone real."""
    assert manifest.is_demonstration
    assert (manifest.question, manifest.modalities, manifest.required) == ("aln", ("clinical", "MG"), ())
    assert {p.name for p in manifest.operating_points} == {"low", "high"}
    assert "Not for clinical use" in (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_it_names_no_place_of_the_machine_that_made_it() -> None:
    """No path of the exporting machine is left in the graph."""
    graph = (FOLDER / "model.onnx").read_bytes()
    assert not any(mark in graph for mark in (str(ROOT).encode(), b"site-packages", b".py"))


def test_it_keeps_what_the_phantom_gives(manifest: BundleManifest) -> None:
    """On fresh patients at least 0.85 of the excess with everything, and luck alone explains the calibration error."""
    everything = manifest.metrics["subsets"]["MG+clinical"]
    assert everything["share_of_excess_of_these_patients"]["value"] >= 0.85
    assert everything["ece"] <= everything["ece_by_luck"]
    evaluation = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["pixel_baseline"]["share_of_excess"] <= 0.5
    assert evaluation["full_size"]["correlation"] > 0.98


def test_golden_answers_are_computed_again(run, manifest: BundleManifest) -> None:
    """The graph gives the stored outputs for the stored inputs."""
    with np.load(FOLDER / "golden.npz", allow_pickle=False) as golden:
        found = run({t.name: golden[t.name] for t in manifest.inputs})
        for tensor in manifest.outputs:
            np.testing.assert_allclose(found[tensor.name], golden[tensor.name], atol=1e-4)


@pytest.mark.parametrize("views", [0, 1, 2, 5])
@pytest.mark.parametrize("facts", [False, True])
def test_any_subset_gives_an_answer_that_adds_up(run, manifest: BundleManifest, views: int, facts: bool) -> None:
    """Contributions add up to the logit, what is missing contributes 0, saliency is in [0, 1]."""
    inputs = inputs_of(phantom.patient(21, "A"), manifest)
    pixels = np.zeros((1, max(views, 1), 1, *inputs["mammogram"].shape[-2:]), np.float32)
    for view in range(views):
        pixels[:, view] = inputs["mammogram"][:, view % 2]
    inputs |= {"mammogram": pixels, "mammogram_present": np.full(pixels.shape[:2], float(views > 0), np.float32)}
    inputs["clinical_present"] *= np.float32(facts)
    found = run(inputs)
    np.testing.assert_allclose(found["contributions"].sum(1), found["logit"], atol=1e-5)
    assert (found["contributions"][0, 1] != 0) == facts
    assert (found["contributions"][0, 2] != 0) == (views > 0)
    assert 0 < found["logit_sd"][0] < 3
    assert found["mammogram_saliency"].min() >= 0
    assert found["mammogram_saliency"].max() == pytest.approx(float(views > 0), abs=0.05)


def test_with_nothing_it_says_the_prevalence(run, manifest: BundleManifest) -> None:
    """Without any input the probability is that of the patients it was calibrated on."""
    inputs = {name: np.zeros_like(value) for name, value in inputs_of(phantom.patient(21, "A"), manifest).items()}
    probability = 1 / (1 + np.exp(-run(inputs)["logit"][0]))
    assert probability == pytest.approx(manifest.training_prevalence, abs=0.005)


def test_higher_latents_mean_a_higher_logit(run, manifest: BundleManifest) -> None:
    """Conspicuous findings and bad biology raise the estimate, and both modalities say so."""
    logits = []
    for x in (-1.5, 1.5):
        ordered = phantom.patient(
            22, "B", axillae={"L": phantom.Axilla(x, x, x)}, biology=phantom.Biology(x, 0, x > 0, x > 0)
        )
        logits.append(run(inputs_of(ordered, manifest))["contributions"][0])
    low, high = logits
    assert high[1] > low[1] + 0.5
    assert high[2] > low[2] + 0.5


@pytest.mark.parametrize("side", ["L", "R"])
def test_saliency_lies_on_the_mass(run, manifest: BundleManifest, side: str) -> None:
    """Mapped back to the image, saliency on the mass is several times what an even map would have there."""
    ratios = []
    for i in range(8):
        someone = phantom.patient(23, str(i), sides=(side,))
        found = run(inputs_of(someone, manifest, side))
        _, placement = prepare(
            render(someone, side, "CC", *SMALL), inverted=False, **manifest.preprocessing["mammogram"]
        )
        map_hw = to_source(placement, found["mammogram_saliency"][0, 0], SMALL)
        row, column, radius = in_pixels(mass_spot(someone, side, "CC"), side, *SMALL)
        rows, columns = np.indices(SMALL) + 0.5
        on_mass = np.hypot(rows - row, columns - column) < 1.5 * radius
        ratios.append(map_hw[on_mass].sum() / map_hw.sum() / (on_mass.sum() / (map_hw.size * 0.4)))
    assert np.median(ratios) > 4
