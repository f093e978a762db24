"""Settings that cannot work together are named before the agent serves."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.bootstrap.checks import find_problems
from agent.bootstrap.keeper import build_assembler
from agent.config import LoadedConfig, load_config
from tests.builders_bundle import write_bundle
from tests.fakes.store import FakeStore
from tests.peers import ROOT


def loaded(folder: Path, **sections: Any) -> LoadedConfig:
    """Load the shipped file with these overrides."""
    overrides = folder / "overrides.yaml"
    overrides.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return load_config(ROOT / "config.yaml", [overrides])


def told(key: str, folder: Path, **sections: Any) -> list[str]:
    """What check-config says about one key."""
    found = find_problems(loaded(folder, **sections))
    return [line.partition(f" {key}: ")[2] for line in found if f" {key}: " in line]


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - no listener is started
def test_two_listeners_need_two_ports(tmp_path: Path, bind: str) -> None:
    """Else the agent would begin and end for ever."""
    said = told("hl7.port", tmp_path, hl7={"port": 11999}, dicom={"port": 11999, "bind": bind})
    assert said == ["11999 is the port of dicom too: give each listener its own"]


def test_one_port_on_two_addresses_is_no_mistake(tmp_path: Path) -> None:
    """Nor are two ports on one."""
    assert told("hl7.port", tmp_path, hl7={"port": 11999}, dicom={"port": 11999, "bind": "127.0.0.2"}) == []
    assert told("hl7.port", tmp_path, hl7={"port": 11999}, dicom={"port": 11998}) == []


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "interface.example"])  # noqa: S104 - no listener is started
def test_a_listener_for_everybody_that_lets_nobody_in_is_named(tmp_path: Path, bind: str) -> None:
    """It says what to do."""
    (said,) = told("hl7.accept_from", tmp_path, hl7={"bind": bind})
    assert said == (
        f"hl7.bind is {bind}, but only this machine may connect: list the addresses that send messages, or bind to"
        " 127.0.0.1"
    )


@pytest.mark.parametrize(
    "hl7",
    [{"bind": "0.0.0.0", "accept_from": ["192.0.2.17"]}, {"bind": "localhost"}, {"bind": "::1"}, {}],  # noqa: S104
)
def test_a_listener_that_somebody_reaches_is_no_mistake(tmp_path: Path, hl7: dict[str, Any]) -> None:
    """Loopback for loopback, or an address that is listed."""
    assert told("hl7.accept_from", tmp_path, hl7=hl7) == []


def test_a_pacs_that_is_asked_nothing_is_named(tmp_path: Path) -> None:
    """Both questions are switched off."""
    ask = {"peer": "pacs", "counts": False, "missing_modalities": False}
    (said,) = told("cases.ask_pacs", tmp_path, cases={"ask_pacs": ask})
    assert said.startswith("counts and missing_modalities are both false")


def test_a_modality_that_no_bundle_reads_is_named_and_not_waited_for(tmp_path: Path) -> None:
    """It never counts as present, so every case would wait in vain."""
    cases = {"expect": ["MG", "US", "MR"], "wait_for": {"MR": "24h"}}
    bundle = write_bundle(tmp_path / "bundle")
    sections = {"cases": cases, "models": [{"bundle": str(bundle)}]}
    said = told("cases.expect", tmp_path, **sections)
    assert said == [f"no active bundle reads {m}: it is not waited for; take it out" for m in ("US", "MR")]
    assembler = build_assembler(loaded(tmp_path, **sections).config, FakeStore())  # type: ignore[arg-type]
    assert assembler._settings.patience.expected == ("MG",)


@pytest.mark.parametrize("question", ["aln", "nsln", "histology"])
def test_a_bundle_of_a_question_with_a_report_is_taken(tmp_path: Path, question: str) -> None:
    """All that the agent asks."""
    bundle = write_bundle(tmp_path / "bundle", question=question)
    assert told("models[0].bundle", tmp_path, models=[{"bundle": str(bundle)}]) == []


def test_a_bundle_of_a_question_without_a_report_is_named(tmp_path: Path) -> None:
    """Its cases could be computed and never be told."""
    bundle = write_bundle(tmp_path / "bundle", question="prognosis")
    said = told("models[0].bundle", tmp_path, models=[{"bundle": str(bundle)}])
    assert said == ["this version has no report for the question prognosis"]
