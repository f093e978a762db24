"""A configuration's digest tells whether an answer may differ, and not how the agent runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from agent.config import Config, load_config
from agent.config.digest import WITHOUT_EFFECT, answer_digest, answer_keys
from tests.peers import ROOT

SHIPPED = ROOT / "config.yaml"
URL = "postgresql+psycopg://sentinode{}@ehr.example/clinic"


def changed(folder: Path, section: str, **keys: Any) -> Config:
    """The shipped file with some keys changed."""
    over = folder / "over.yaml"
    over.write_text(yaml.safe_dump({section: keys}), encoding="utf-8")
    return load_config(SHIPPED, [over]).config


def different(one: Config, other: Config) -> set[str]:
    """Names of the keys that differ."""
    old, new = answer_keys(one), answer_keys(other)
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("site", {"prevalence": 0.4}),
        ("site", {"time_zone": "Europe/Berlin"}),
        ("cases", {"report_no_estimate": False}),
        ("cases", {"wait_for": {"MG": "5h"}}),
        ("ehr", {"query": "sql/ehr/other.sql"}),
        ("ehr", {"url": "postgresql+psycopg://ehr.example/other"}),
        ("dicom", {"ae_title": "OTHER"}),
    ],
)
def test_what_may_change_an_answer_changes_the_digest(tmp_path: Path, section: str, keys: dict[str, Any]) -> None:
    """And its key is named."""
    shipped, other = load_config(SHIPPED).config, changed(tmp_path, section, **keys)
    assert answer_digest(other) != answer_digest(shipped)
    assert different(shipped, other) == {f"{section}.{name}" for name in keys}


def test_a_list_is_one_key(tmp_path: Path) -> None:
    """A rule of roles more, or a destination's objects."""
    over = tmp_path / "over.yaml"
    over.write_text("roles: [{modality: MG, view: XX, role: mg.cc, reason: ours}]\n", encoding="utf-8")
    assert different(load_config(SHIPPED).config, load_config(SHIPPED, [over]).config) == {"roles"}


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("operate", {"workers": 3, "log": {"level": "debug"}}),
        ("storage", {"spool": "/elsewhere"}),
        ("database", {"url": "sqlite:///elsewhere.db"}),
        ("dicom", {"port": 104, "peers": []}),
        ("site", {"name": "Another"}),
        ("ehr", {"timeout_s": 9}),
    ],
)
def test_how_the_agent_runs_changes_nothing(tmp_path: Path, section: str, keys: dict[str, Any]) -> None:
    """Its log, its folders, its port."""
    shipped, other = load_config(SHIPPED).config, changed(tmp_path, section, **keys)
    assert shipped != other
    assert answer_digest(other) == answer_digest(shipped)


def test_no_password_is_digested(tmp_path: Path) -> None:
    """Nobody can try passwords against it; who logs in is part of it."""
    with_one, without = (changed(tmp_path, "ehr", url=URL.format(word)) for word in (":secret", ""))
    other = changed(tmp_path, "ehr", url=URL.format("").replace("sentinode", "other"))
    assert answer_digest(with_one) == answer_digest(changed(tmp_path, "ehr", url=URL.format(":word")))
    assert with_one != without
    assert answer_digest(other) != answer_digest(without)


def test_a_moved_installation_is_the_same(tmp_path: Path) -> None:
    """Of a bundle's folder the name counts."""
    here, there = (
        changed(tmp_path, "ehr", query=f"{folder}/facts.sql", url="postgresql+psycopg://e/c") for folder in ("/a", "/b")
    )
    assert answer_digest(here) == answer_digest(there)


def test_every_process_finds_the_same_digest() -> None:
    """Sets have no order of their own."""
    code = (
        "from pathlib import Path; from agent.config import load_config; from agent.config.digest import answer_digest;"
        "print(answer_digest(load_config(Path('config.yaml')).config))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert said.pop().decode().strip() == answer_digest(load_config(SHIPPED).config)


def test_every_key_that_is_left_out_is_one_of_the_configuration() -> None:
    """A key that was renamed would count again without anybody noticing."""
    assert {name for name in WITHOUT_EFFECT if name not in _names(Config, "")} == set()


def _names(model: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(prefix + name)
        inner = [a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type)]
        for one in (a for a in inner if issubclass(a, BaseModel)):
            found |= _names(one, f"{prefix}{name}.")
    return found
