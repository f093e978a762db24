"""What is asked here follows from the manifests of the active bundles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.bootstrap.keeper import question_scopes
from agent.config import Config, load_config
from agent.config.schema import Model
from agent.core.manifest import SCHEMA
from tests.peers import ROOT


def _config(folder: Path, *manifests: Mapping[str, Any]) -> Config:
    """Return the shipped configuration with other bundles, of which only the manifests are there."""
    models = []
    for number, changes in enumerate(manifests):
        bundle = folder / str(number)
        bundle.mkdir()
        whole = {
            "schema": SCHEMA,
            "name": "a",
            "version": "1",
            "question": "aln",
            "intended_use": "research",
            "label": "",
            "required": [],
            "inputs": [],
            "outputs": [],
            "operating_points": [],
            "preprocessing": {},
            "training_prevalence": 0.5,
            "training": {},
            "metrics": {},
            "opset": 20,
            "licence": "",
            "files": {},
            "modalities": [],
            "facts": [],
        }
        (bundle / "manifest.json").write_text(json.dumps({**whole, **changes}), encoding="utf-8")
        models.append(Model(bundle=bundle, send_research=True))
    return load_config(ROOT / "config.yaml").config.model_copy(update={"models": tuple(models)})


def _fact(name: str) -> dict[str, str]:
    return {"name": name, "unit": ""}


def test_facts_of_every_bundle_of_a_question_count(tmp_path: Path) -> None:
    """Age is read from the birth date."""
    first = {"modalities": ["clinical", "MG"], "facts": [_fact("age"), _fact("grade")]}
    second = {"modalities": ["clinical", "US"], "facts": [_fact("grade"), _fact("her2")]}
    (scope,) = question_scopes(_config(tmp_path, first, second))
    assert scope.question == "aln" and scope.modalities == {"clinical", "MG", "US"}
    assert scope.facts == {"birth_date", "grade", "her2"}


def test_a_patient_is_covered_where_every_bundle_covers_her(tmp_path: Path) -> None:
    """Whichever of them answers."""
    covers = [{"covers": ["cN+", "M1"]}, {"covers": ["M1"]}]
    (scope,) = question_scopes(_config(tmp_path, *covers))
    assert scope.limits.covers == {"M1"}


def test_images_are_kept_for_the_question_that_surgery_asks(tmp_path: Path) -> None:
    """The cases of `aln` hold what `nsln` will read, without reading it themselves."""
    aln, nsln = question_scopes(
        _config(tmp_path, {"modalities": ["MG"]}, {"question": "nsln", "modalities": ["MG", "US"]})
    )
    assert (aln.modalities, aln.keeps) == ({"MG"}, {"MG", "US"})
    assert (nsln.question, nsln.modalities, nsln.keeps) == ("nsln", {"MG", "US"}, frozenset())
