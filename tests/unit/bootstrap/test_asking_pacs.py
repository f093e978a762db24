"""Which PACS is asked, by what, and what is wrong with a configuration that names it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.assemble.inquire import NOTHING, Asking
from agent.assemble.judging import QuestionScope
from agent.bootstrap.checks import find_problems
from agent.bootstrap.pacs import asking, pacs_ticks, poll_interval, retrieving
from agent.config import ConfigError, LoadedConfig, load_config
from agent.core.errors import Permanent
from tests.fakes.store import FakeStore
from tests.peers import ROOT

SCOPES = [QuestionScope("aln", frozenset({"clinical", "MG"}))]


def loaded(folder: Path, ask: dict[str, Any] | None, **sections: Any) -> LoadedConfig:
    """Load the shipped file with these overrides."""
    overrides = folder / "overrides.yaml"
    overrides.write_text(yaml.safe_dump({**sections, "cases": {"ask_pacs": ask}}), encoding="utf-8")
    return load_config(ROOT / "config.yaml", [overrides])


def names(folder: Path, ask: dict[str, Any] | None) -> list[str]:
    """What is run."""
    return [tick.name for tick in pacs_ticks(loaded(folder, ask).config, FakeStore(), SCOPES)]


@pytest.mark.parametrize(
    ("ask", "ticks"),
    [
        (None, []),
        ({"peer": "pacs"}, ["inquire", "search", "retrieve"]),
        ({"peer": "PACS", "counts": False, "retrieve": "get"}, ["search", "retrieve"]),
        ({"peer": "PACS", "missing_modalities": False}, ["inquire", "retrieve"]),
    ],
)
def test_each_question_has_a_thread_of_its_own(tmp_path: Path, ask: dict[str, Any] | None, ticks: list[str]) -> None:
    """By name or AE title of a destination; nothing runs where no PACS is asked."""
    assert names(tmp_path, ask) == ticks


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - no listener is started
def test_a_retrieval_of_nothing_due_is_over(tmp_path: Path, bind: str) -> None:
    """The ticks run on an empty state and ask nobody."""
    ask = {"peer": "pacs", "retrieve": "get"}
    for tick in pacs_ticks(loaded(tmp_path, ask, dicom={"bind": bind}).config, FakeStore(), SCOPES):
        assert tick.run() == 0


def test_settings_follow_the_file(tmp_path: Path) -> None:
    """Off by default; between two questions lies the quiet period, at least ten seconds."""
    config = load_config(ROOT / "config.yaml").config
    assert asking(config) is NOTHING and poll_interval(config).total_seconds() == 60
    changed = loaded(tmp_path, {"peer": "pacs", "counts": False}).config
    assert asking(changed) == Asking(counts=False, missing_modalities=True)
    quick = config.model_copy(update={"cases": config.cases.model_copy(update={"quiet_s": 1})})
    assert poll_interval(quick).total_seconds() == 10


def told(folder: Path, ask: dict[str, Any], **sections: Any) -> list[str]:
    """What check-config says about asking."""
    found = find_problems(loaded(folder, ask, **sections))
    return [line.partition(" cases.ask_pacs")[2] for line in found if "cases.ask_pacs" in line]


def test_a_pacs_that_is_no_destination_is_named(tmp_path: Path) -> None:
    """One line, with those that there are."""
    (line,) = told(tmp_path, {"peer": "VNA"})
    assert line == ".peer: no destination has the name or AE title 'VNA'; there is pacs"


def test_what_is_retrieved_must_be_let_in(tmp_path: Path) -> None:
    """C-MOVE comes from the PACS, C-GET from ourselves."""
    assert told(tmp_path, {"peer": "pacs"}) == []
    (line,) = told(tmp_path, {"peer": "pacs", "retrieve": "get"})
    assert line == ".peer: what is retrieved comes from SENTINODE, which dicom.peers does not let store"
    assert told(tmp_path, {"peer": "pacs", "retrieve": "get"}, dicom={"accept_from": "any"}) == []
    ours = [{"ae_title": "SENTINODE", "host": "127.0.0.1", "may": ["echo"]}]
    (line,) = told(tmp_path, {"peer": "pacs", "retrieve": "get"}, dicom={"accept_from": "any", "peers": ours})
    assert "does not let store" in line


def test_what_is_retrieved_needs_a_port_without_tls(tmp_path: Path) -> None:
    """Where C-GET is the way: what comes is passed on to it."""
    tls = {"certificate": "a.pem", "key": "a.key", "ca": "ca.pem"}
    dicom = {"port": None, "accept_from": "any", "tls": tls}
    assert told(tmp_path, {"peer": "pacs"}, dicom=dicom) == []
    (line,) = told(tmp_path, {"peer": "pacs", "retrieve": "get"}, dicom=dicom)
    assert line.startswith(".retrieve: get passes what came on to our own port without TLS")
    config = loaded(tmp_path, {"peer": "pacs", "retrieve": "get"}, dicom=dicom).config
    assert config.cases.ask_pacs is not None
    with pytest.raises(Permanent, match="port is null"):
        retrieving(config, config.cases.ask_pacs, {})


@pytest.mark.parametrize("wrong", [{}, {"peer": ""}, {"peer": "pacs", "days_back": 0}, {"peer": "pacs", "by": "get"}])
def test_a_wrong_value_is_one_line(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """With its place."""
    with pytest.raises(ConfigError, match=r"overrides.yaml:\d+:\d+: cases.ask_pacs") as caught:
        loaded(tmp_path, wrong)
    assert len(str(caught.value).splitlines()) == 1
