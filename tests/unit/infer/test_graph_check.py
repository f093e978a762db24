"""A bundle whose graph this version cannot feed or read is refused at load, in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.core.errors import Permanent
from agent.core.manifest import parse_manifest
from agent.infer.engine import Engine
from agent.infer.inputs import check_graph, tensors
from agent.preprocess.tabular import Encoded
from tests.builders_bundle import ALL, IMAGES, golden_inputs, manifest, tensor, write_bundle
from tests.refusing import refusal

Change = Callable[[dict[str, Any]], Any]


def refused(change: Change) -> str:
    """Check a changed manifest of all four modalities and return why it is refused."""
    raw = manifest(ALL, files={})
    change(raw)
    with pytest.raises(Permanent) as caught:
        check_graph("b/manifest.json", parse_manifest(raw))
    return str(caught.value)


def shape_of(role: str, name: str, shape: list[Any]) -> Change:
    """Give a tensor another shape."""

    def change(raw: dict[str, Any]) -> None:
        next(one for one in raw[role] if one["name"] == name)["shape"] = shape

    return change


@pytest.mark.parametrize("names", [(), ("mammogram",), ("mri",), ("ultrasound", "mri"), ALL])
def test_any_choice_of_modalities_is_served(names: tuple[str, ...]) -> None:
    """With its own inputs alone."""
    assert refusal(check_graph, "b", parse_manifest(manifest(names, files={}))) == ""


def test_sizes_that_may_vary_fit_anything() -> None:
    """They are named, not numbered."""
    raw = manifest(ALL, files={})
    shape_of("inputs", "mri", ["N", "S", "P", "H", "W"])(raw)
    assert refusal(check_graph, "b", parse_manifest(raw)) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda raw: raw["modalities"].append("SM"), "it uses the modality SM"),
        (lambda raw: raw["inputs"].append(tensor("genes", "N", 9)), "it has the unknown input genes"),
        (lambda raw: raw["modalities"].remove("US"), "it has the unknown input ultrasound"),
        (lambda raw: raw["inputs"].pop(), "it lacks the input mri_present"),
        (lambda raw: raw["outputs"].pop(), "it lacks the output mri_evidence"),
        (lambda raw: raw["outputs"].pop(0), "it lacks the output logit"),
        (lambda raw: raw["preprocessing"].pop("ultrasound"), "it lacks the preprocessing ultrasound"),
        (lambda raw: raw["facts"].pop(), "clinical is ['N', 2], the facts make [1]"),
        (shape_of("outputs", "contributions", ["N", 4]), "contributions is ['N', 4], the modalities make [5]"),
        (shape_of("inputs", "mri", ["N", "S", 3, 40, 48]), "mri is ['N', 'S', 3, 40, 48], the preprocessing"),
        (lambda raw: raw["preprocessing"]["mammogram"].update(height=32), "the preprocessing make [1, 32, 48]"),
    ],
)
def test_tensors_that_serving_cannot_make_are_refused(change: Change, why: str) -> None:
    """It is said which, and what to do."""
    words = refused(change)
    assert why in words
    assert words.startswith("b/manifest.json: this version of sentinode cannot serve it: ")
    assert words.endswith("; export the bundle again")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("settings", [{"sharpen": 3}, {"height": "tall"}, {"height": -4}, {"width": None}])
def test_preprocessing_that_cannot_be_followed_is_refused(name: str, settings: dict[str, Any]) -> None:
    """An unknown parameter, or a value that is none: the worker would die of it later."""
    words = refused(lambda raw: raw["preprocessing"][name].update(settings))
    assert f"the preprocessing of {name} cannot be followed (" in words


def test_a_required_parameter_must_be_there() -> None:
    """Nothing is guessed."""
    assert "tensor_pixel_mm" in refused(lambda raw: raw["preprocessing"]["mri"].pop("tensor_pixel_mm"))


def test_the_engine_refuses_such_a_bundle(tmp_path: Path) -> None:
    """At load, before anything is asked of it."""
    folder = write_bundle(tmp_path / "b", preprocessing={"mammogram": {"height": 64, "width": 48, "sharpen": 3}})
    with pytest.raises(Permanent, match=r"manifest.json: this version of sentinode cannot serve it: .*sharpen"):
        Engine.load(folder, "cpu")


def test_the_engine_serves_all_four_modalities(tmp_path: Path) -> None:
    """Its answers are the graph's, whatever the numbers of images; what is absent contributes nothing."""
    engine = Engine.load(write_bundle(tmp_path / "b", images=ALL), "cpu")
    nothing = tensors(engine.manifest, Encoded(np.zeros(2, np.float32), np.zeros(2, np.float32), (), ()), [[], [], []])
    assert {name: array.shape for name, array in nothing.items() if name in IMAGES} == {
        name: (3, 1, *image.shape) for name, image in IMAGES.items()
    }
    assert engine.run(nothing)["contributions"][:, 1:].tolist() == [[0] * 4] * 3
    several = golden_inputs(1, 5, ALL)
    assert engine.run(several)["mri_saliency"].shape == (1, 5, 10, 12)
