import json
import socket
from pathlib import Path

import pytest

from demo import ehr
from tests.harness import AgentProcess
from tests.peers import ROOT


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    """An installation whose database and EHR are there, not running."""
    made = AgentProcess(tmp_path, pacs_port=104)
    ehr.create(made.ehr_path)
    made.migrate()
    return made


def refused(agent: AgentProcess, command: str = "check-config") -> str:
    """Run a command that must fail and return its one line."""
    done = agent.cli(command, check=False)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_good_configuration_is_said_to_be_good(agent: AgentProcess) -> None:
    """A configuration whose bundle, EHR and database are there passes."""
    assert "no mistakes found" in agent.cli("check-config").stdout


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_unknown_key_stops_with_one_line(agent: AgentProcess, command: str) -> None:
    """An unknown key is one line with its place, before anything starts."""
    agent.overrides.write_text("cases:\n  quite_s: 3\n", encoding="utf-8")
    assert refused(agent, command) == f"{agent.overrides}:2:3: cases.quite_s: unknown key; did you mean 'quiet_s'?"


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_bad_port_stops_with_one_line(agent: AgentProcess, command: str) -> None:
    """A port out of range is one line with its place."""
    agent.overrides.write_text("dicom:\n  port: 70000\n", encoding="utf-8")
    assert refused(agent, command).startswith(f"{agent.overrides}:2:3: dicom.port: ")


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_missing_bundle_stops_with_one_line(agent: AgentProcess, command: str) -> None:
    """A bundle that is not there is named with the key that names it."""
    text = agent.overrides.read_text(encoding="utf-8")
    agent.overrides.write_text(f"models:\n  - bundle: nowhere\n{text}", encoding="utf-8")
    line = refused(agent, command)
    assert line.startswith(f"{agent.overrides}:2:5: models[0].bundle: ")
    assert "nowhere" in line


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_issuer_that_the_site_gives_to_real_patients_is_no_demonstration_issuer(
    agent: AgentProcess, command: str
) -> None:
    """A patient whose images name no issuer would count as synthetic: one line, with what to do."""
    agent.override("site", issuer_of_patient_id="PHANTOM")
    line = refused(agent, command)
    assert line.startswith(f"{agent.overrides}:")
    assert ": site.issuer_of_patient_id: " in line
    assert "demo_issuers" in line
    assert "another issuer" in line


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_sender_is_no_demonstration_issuer(agent: AgentProcess, command: str) -> None:
    """Nor may a sender's AE title, where the site names no issuer, make its patients synthetic."""
    bundle = str(ROOT / "models" / "bundles" / "aln-demo-2.0.0")
    agent.override("models", [{"bundle": bundle, "demo_issuers": ["PHANTOM", "AE:MAMMO1"]}])
    line = refused(agent, command)
    assert ": models[0].demo_issuers: " in line
    assert "AE:MAMMO1" in line


def test_unreachable_ehr_is_one_line(agent: AgentProcess) -> None:
    """An EHR that does not answer is named with the key of its URL."""
    agent.ehr_path.unlink()
    assert ": ehr.url: " in refused(agent)


def test_database_without_schema_says_what_to_do(tmp_path: Path) -> None:
    """Before the first migration the line names the command."""
    agent = AgentProcess(tmp_path, pacs_port=104)
    ehr.create(agent.ehr_path)
    line = refused(agent)
    assert ": database.url: " in line
    assert "sentinode migrate" in line


def test_port_in_use_stops_serve_with_one_line(agent: AgentProcess) -> None:
    """A port that another program holds is said at once, not retried for ever."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", agent.port))
        s.listen()
        assert ": dicom.port: " in refused(agent, "serve")


def test_hl7_port_in_use_stops_serve_with_one_line(agent: AgentProcess) -> None:
    """Where there is an `hl7` section its port is tried as well."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        agent.override("hl7", {"port": s.getsockname()[1]})
        assert ": hl7.port: cannot listen on 127.0.0.1:" in refused(agent, "serve")


def test_migrate_again_changes_nothing(agent: AgentProcess) -> None:
    """Migrating twice prints the same revision."""
    assert agent.cli("migrate").stdout == agent.cli("migrate").stdout


def test_status_and_cases_of_an_empty_installation(agent: AgentProcess) -> None:
    """Before anything arrived there is nothing, and both commands say so."""
    assert agent.status()["cases"] == {}
    assert agent.cases() == []
    assert "state" in agent.cli("status").stdout
    assert json.loads(agent.cli("status", "--json").stdout)["open_associations"] == 0


@pytest.mark.parametrize("words", [("cases", "show", "7"), ("resend", "7"), ("export", "7", "out")])
def test_case_that_is_not_there_is_one_line(agent: AgentProcess, words: tuple[str, ...]) -> None:
    """A number that no case has is refused with one line."""
    done = agent.cli(*words, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == "there is no case 7"
