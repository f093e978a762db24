"""The bundle in git: whole, honest about itself, and able to find what it answers from. Needs no torch."""

import hashlib
import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.manifest import BundleManifest, parse_manifest
from agent.preprocess.mammogram import prepare
from agent.preprocess.placement import to_source
from models import phantom
from models.fusion import data, images
from models.fusion.report import EVERYTHING, name_of
from models.fusion.settings import Imaging, Settings
from models.phantom.mammogram import in_pixels, mass_spot, render
from tests.peers import ROOT

SETTINGS = Settings()
FOLDER = ROOT / SETTINGS.bundle
SMALL = (640, 512)
MAPS = {one.name: f"{one.tensor}_saliency" for one in SETTINGS.imaging}
EVIDENCE = [f"{one.tensor}_evidence" for one in SETTINGS.imaging]
Arrays = dict[str, NDArray[np.float32]]
Answered = list[tuple[phantom.Patient, Arrays]]


@pytest.fixture(scope="module")
def manifest() -> BundleManifest:
    """The bundle's manifest as the agent reads it."""
    return parse_manifest(json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def run():
    """The bundle's graph as a function of its inputs."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra: cpu)")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))


def inputs_of(someone: phantom.Patient, manifest: BundleManifest, side: str = "L") -> Arrays:
    """One side of a patient, of whom everything is there, as the graph reads it."""
    values = data.table([someone], manifest.facts).values
    inputs: Arrays = {"clinical": values, "clinical_present": np.ones_like(values)}
    for one in SETTINGS.imaging:
        inputs |= shown(one, images.prepare(someone, side, one)[0][None])
    return inputs


def shown(one: Imaging, pixels: NDArray[np.float32], there: float = 1.0) -> Arrays:
    """The inputs of one modality, all of whose images are there, or none."""
    return {one.tensor: pixels, f"{one.tensor}_present": np.full(pixels.shape[:2], there, np.float32)}


def ultrasound_of(someone: phantom.Patient, side: str = "L") -> Arrays:
    """One side of a patient of whom ultrasound alone is there."""
    nothing = np.zeros((1, SETTINGS.sizes.facts), np.float32)
    inputs: Arrays = {"clinical": nothing, "clinical_present": nothing}
    for one in SETTINGS.imaging:
        is_there = one.name == "US"
        pixels = images.prepare(someone, side, one)[0][None] if is_there else np.zeros((1, 1, *one.shape), np.float32)
        inputs |= shown(one, pixels, float(is_there))
    return inputs


@pytest.fixture(scope="module")
def everything(manifest: BundleManifest) -> Arrays:
    """A patient of whom everything is there."""
    return inputs_of(phantom.patient(21, "A"), manifest)


@pytest.fixture(scope="module")
def answered(run, manifest: BundleManifest) -> Callable[[str], Answered]:
    """Six patients of a side with the graph's answers, drawn once for all that is asked of them."""

    @cache
    def of(side: str) -> Answered:
        patients = [phantom.patient(24, str(i), sides=(side,)) for i in range(6)]
        return [(someone, run(inputs_of(someone, manifest, side))) for someone in patients]

    return of


def test_every_file_is_as_the_manifest_says(manifest: BundleManifest) -> None:
    """SHA-256 of each file, and no file beside them."""
    files = {path.name: path for path in FOLDER.iterdir() if path.name != "manifest.json"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == manifest.files
    assert set(files) == {"model.onnx", "golden.npz", "evaluation.json", "MODEL_CARD.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8_000_000


def test_it_is_a_demonstration(manifest: BundleManifest) -> None:
    """Trained on phantoms, it must never answer for anyone real."""
    assert manifest.is_demonstration
    assert (manifest.question, manifest.required) == ("aln", ())
    assert manifest.modalities == SETTINGS.modalities
    assert {p.name for p in manifest.operating_points} == {"low", "high"}
    assert "Not for clinical use" in (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_it_is_prepared_for_as_it_was_trained(manifest: BundleManifest) -> None:
    """What the manifest says of preprocessing is what these settings train with."""
    assert {name: dict(given) for name, given in manifest.preprocessing.items()} == {
        one.tensor: one.settings for one in SETTINGS.imaging
    }


def test_thresholds_are_measured_given_each_subset(manifest: BundleManifest) -> None:
    """With less evidence the same threshold achieves something else, and with everything what it was set for."""
    low, high = (next(p for p in manifest.operating_points if p.name == name) for name in ("low", "high"))
    assert set(low.by_inputs) == set(high.by_inputs) == {name_of(mask) for mask in range(1, 16)}
    everything, mammogram = low.given(manifest.modalities), low.given({"MG"})
    assert (everything.sensitivity, everything.specificity) == (low.sensitivity, low.specificity)
    assert everything.specificity > mammogram.specificity
    assert high.given({"MG"}).sensitivity < high.sensitivity


def test_it_names_no_place_of_the_machine_that_made_it() -> None:
    """No path of the exporting machine is left in the graph or the manifest."""
    marks = (str(ROOT).encode(), b"site-packages", b".py")
    for name in ("model.onnx", "manifest.json", "evaluation.json"):
        assert not any(mark in (FOLDER / name).read_bytes() for mark in marks), name


def test_it_keeps_what_the_phantom_gives(manifest: BundleManifest) -> None:
    """On fresh patients it keeps its share of the excess, of everything and of each subset, and is calibrated."""
    summary = manifest.metrics["summary"]
    assert summary["share_of_excess_all"] >= 0.93
    assert summary["share_of_excess_mean"] >= 0.90
    assert summary["subsets"] == 15
    assert manifest.metrics["subsets"][name_of(EVERYTHING)]["ece_within_range"]
    evaluation = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    assert all(one["share_of_excess"] <= 0.5 for one in evaluation["pixel_baseline"].values())
    assert evaluation["full_size"]["correlation"] > 0.98


def test_golden_answers_are_computed_again(run, manifest: BundleManifest) -> None:
    """The graph gives the stored outputs for the stored inputs."""
    with np.load(FOLDER / "golden.npz", allow_pickle=False) as golden:
        found = run({t.name: golden[t.name] for t in manifest.inputs})
        for tensor in manifest.outputs:
            np.testing.assert_allclose(found[tensor.name], golden[tensor.name], atol=1e-4)


@pytest.mark.parametrize("mask", range(16))
def test_any_subset_gives_an_answer_that_adds_up(run, everything: Arrays, mask: int) -> None:
    """Contributions add up to the logit, what is missing contributes 0, saliency is in [0, 1]."""
    inputs, present = dict(everything), [name for name in everything if name.endswith("_present")]
    for bit, name in enumerate(present):
        if not mask >> bit & 1:
            inputs[name] = np.zeros_like(inputs[name])
    found = run(inputs)
    np.testing.assert_allclose(found["contributions"].sum(1), found["logit"], atol=1e-5)
    assert 0 < found["logit_sd"][0] < 3
    for bit in range(4):
        assert bool(found["contributions"][0, 1 + bit]) == bool(mask >> bit & 1)
    for bit, (name, of_images) in enumerate(zip(MAPS.values(), EVIDENCE, strict=True), start=1):
        assert found[name].min() >= 0
        assert found[name].max() == pytest.approx(float(mask >> bit & 1), abs=0.05)
        np.testing.assert_allclose(found[of_images].sum(1), found["contributions"][:, 1 + bit], atol=1e-5)


@pytest.mark.parametrize(("tensor", "count"), [("mammogram", 5), ("ultrasound", 1), ("ultrasound", 6), ("mri", 3)])
def test_any_number_of_images_gives_an_answer(run, everything: Arrays, tensor: str, count: int) -> None:
    """One image, or more than in training: the answer stays near the one from all of them."""
    pixels = everything[tensor]
    first = {"mri": 3}.get(tensor, 0)
    order = [(first + n) % pixels.shape[1] for n in range(count)]
    some = {tensor: pixels[:, order], f"{tensor}_present": np.ones((1, count), np.float32)}
    found = run(everything | some)
    assert found[f"{tensor}_saliency"].shape[:2] == (1, count)
    assert abs(found["logit"] - run(everything)["logit"]) < 2


def test_with_nothing_it_says_the_prevalence(run, everything: Arrays, manifest: BundleManifest) -> None:
    """Without any input the probability is that of the patients it was calibrated on."""
    probability = 1 / (1 + np.exp(-run({n: np.zeros_like(x) for n, x in everything.items()})["logit"][0]))
    assert probability == pytest.approx(manifest.training_prevalence, abs=0.005)


def test_higher_latents_mean_a_higher_logit(run, manifest: BundleManifest) -> None:
    """Conspicuous findings and bad biology raise the estimate, and every modality says so."""
    contributions = []
    for x in (-1.5, 1.5):
        axilla, biology = phantom.Axilla(*[x] * 8), phantom.Biology(x, 0, x > 0, x > 0)
        ordered = phantom.patient(22, "B", axillae={"L": axilla}, biology=biology)
        contributions.append(run(inputs_of(ordered, manifest))["contributions"][0])
    low, high = contributions
    assert (high[1:] > low[1:] + 0.5).all()


@pytest.mark.parametrize("large", [True, False])
def test_each_image_says_what_it_shows(run, large: bool) -> None:
    """Ultrasound alone of a large tumour and a calm node, or the reverse: one image raises the estimate, one lowers it.

    With more inputs the size is shared evidence, and its part of one image may have either sign.
    """
    tumour, node = (1.8, -1.2) if large else (-1.2, 1.8)
    axilla = phantom.Axilla(0, 0, 0, tumour, node, node, 0, 0)
    for i in range(4):
        found = run(ultrasound_of(phantom.patient(25, str(i), axillae={"L": axilla})))
        of_tumour, of_node = found["ultrasound_evidence"][0]
        assert (of_tumour > 0 > of_node) if large else (of_node > 0 > of_tumour)


@pytest.mark.parametrize("side", ["L", "R"])
def test_saliency_lies_on_the_mass_of_a_mammogram(
    answered: Callable[[str], Answered], manifest: BundleManifest, side: str
) -> None:
    """Mapped back to the image, saliency on the mass is several times what an even map would have there."""
    ratios = []
    for someone, found in answered(side):
        _, placement = prepare(
            render(someone, side, "CC", *SMALL), inverted=False, **manifest.preprocessing["mammogram"]
        )
        map_hw = to_source(placement, found["mammogram_saliency"][0, 0], SMALL)
        row, column, radius = in_pixels(mass_spot(someone, side, "CC"), side, *SMALL)
        rows, columns = np.indices(SMALL) + 0.5
        on_mass = np.hypot(rows - row, columns - column) < 1.5 * radius
        ratios.append(map_hw[on_mass].sum() / map_hw.sum() / (on_mass.sum() / (map_hw.size * 0.4)))
    assert np.median(ratios) > 4


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("name", list(MAPS))
def test_saliency_lies_on_the_findings(answered: Callable[[str], Answered], name: str, side: str) -> None:
    """In each modality the strongest place of the map is on a finding, and for MR on the right slice."""
    one = next(one for one in SETTINGS.imaging if one.name == name)
    hits = []
    for someone, answer in answered(side):
        places = images.prepare(someone, side, one)[1]
        found = answer[MAPS[name]][0]
        image, row, column = np.unravel_index(found.argmax(), found.shape)
        cell = one.shape[1] / found.shape[1]
        away = [
            np.hypot((row + 0.5) * cell - y, (column + 0.5) * cell - x) - radius
            for y, x, radius in places[image]
            if radius > 0
        ]
        hits.append(min(away, default=np.inf) < 2 * cell)
    assert sum(hits) >= 5
