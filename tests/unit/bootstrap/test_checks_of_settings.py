"""Settings that cannot work together are named before the agent serves."""

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.bootstrap.checks import find_problems
from agent.bootstrap.checks_of_listeners import listener_problems, port_problems
from agent.bootstrap.keeper import build_assembler
from agent.config import LoadedConfig, load_config
from agent.config.network import Dicom
from tests.builders_bundle import write_bundle
from tests.fakes.store import FakeStore
from tests.peers import ROOT

PER_PEER = {"max_associations": 8, "max_associations_per_peer": 9}


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


@pytest.mark.parametrize("bind", ["192.0.2.1", "2001:db8::1", "interface.invalid", "x" * 70])
@pytest.mark.parametrize("section", ["dicom", "hl7"])
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, section: str, bind: str) -> None:
    """Else the listener would begin and end for ever."""
    (said,) = told(f"{section}.bind", tmp_path, **{section: {"bind": bind}})
    assert said.startswith(f"cannot listen on {bind}, which must be an address of this machine: ")


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "localhost", "::1"])  # noqa: S104 - no listener is started
def test_an_address_of_this_machine_is_no_mistake(tmp_path: Path, bind: str) -> None:
    """Whether or not its port is in use."""
    assert told("dicom.bind", tmp_path, dicom={"bind": bind}) == []


def test_a_port_is_not_tried_where_the_address_is_not_ours(tmp_path: Path) -> None:
    """One mistake, one line; a port that another has is named with it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = loaded(tmp_path, dicom={"port": port}).config
        assert [key for key, _, _ in port_problems(taken)] == [("dicom", "port")]
        elsewhere = loaded(tmp_path, dicom={"port": port, "bind": "192.0.2.1"}).config
        assert list(port_problems(elsewhere)) == []


def test_more_for_one_peer_than_for_all_is_named(tmp_path: Path) -> None:
    """Where it is written; the default share of a smaller whole is no mistake."""
    (said,) = told("dicom.max_associations_per_peer", tmp_path, dicom=PER_PEER)
    assert said == "more than dicom.max_associations, 8: one peer could have all of them"
    unsaid = loaded(tmp_path).config.model_copy(update={"dicom": Dicom(max_associations=8)})
    assert list(listener_problems(unsaid)) == []
    assert told("dicom.max_associations_per_peer", tmp_path, dicom={**PER_PEER, "max_associations": 9}) == []


def test_a_disk_that_never_has_so_much_free_is_named(tmp_path: Path) -> None:
    """Nothing would ever be taken; a byte less than the disk may come."""
    disk = shutil.disk_usage(tmp_path).total
    place = {"spool": str(tmp_path / "not" / "yet"), "refuse_below_free_bytes": disk}
    (said,) = told("storage.refuse_below_free_bytes", tmp_path, storage=place)
    assert said == f"{disk} bytes are never free on a disk of {disk}, so nothing would be taken: say less"
    less = {**place, "refuse_below_free_bytes": disk - 1}
    assert told("storage.refuse_below_free_bytes", tmp_path, storage=less) == []
