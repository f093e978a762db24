"""`sentinode doctor ehr` against the demonstration's clinical database and bundle."""

import json
from pathlib import Path

import pytest

from demo import ehr
from tests.harness import AgentProcess

CANARY = "7314159"
ROW = {
    "patient_id": "P-1",
    "issuer_of_patient_id": "PHANTOM",
    "recorded_date": "2026-01-05",
    "diagnosis": "invasive",
    "side": "L",
    "birth_date": "1970-02-28",
    "size_ultrasound_mm": 14.5,
    "grade": 9,
    "er_percent": 90.0,
}


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    """An installation whose EHR knows one patient, not running."""
    made = AgentProcess(tmp_path, pacs_port=104)
    ehr.create(made.ehr_path)
    ehr.load(made.ehr_path, [ROW])
    return made


def test_shows_the_mapping_of_a_patient(agent: AgentProcess) -> None:
    """Values on the terminal, no log beside them."""
    done = agent.cli("doctor", "ehr", "P-1", "--issuer", "PHANTOM")
    assert done.stderr == ""
    for words in ("size_ultrasound_mm", "14.5", "refused", "derived", "an estimate may be given", "answers"):
        assert words in done.stdout


def test_tells_programs_the_same(agent: AgentProcess) -> None:
    """As one JSON document."""
    told = json.loads(agent.cli("doctor", "ehr", "P-1", "--issuer", "PHANTOM", "--json").stdout)
    facts = {line["name"]: line for line in told["facts"]}
    assert (facts["er"]["value"], facts["er"]["source"]) == ("positive", "derived from er_percent")
    assert (facts["grade"]["verdict"], facts["grade"]["reason"]) == ("refused", "outside 1 to 3")
    assert told["asked"] and told["axillae"] == [["L", ""]]
    (bundle,) = told["bundles"]
    assert bundle["would"] == "answers" and "grade" in dict(bundle["left_out"])
    assert {"age", "size_ultrasound_mm", "er_percent"} <= set(bundle["used"])


def test_an_unknown_patient_ends_with_one(agent: AgentProcess) -> None:
    """Of this issuer; the site's own is asked where none is said."""
    done = agent.cli("doctor", "ehr", "P-1", check=False)
    assert done.returncode == 1 and "of issuer EXAMPLE: the clinical database does not know" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [("sqlite:///nowhere/ehr.db", "see that it runs"), ("mysql://host/db", "is needed; correct it")],
)
def test_an_error_ends_with_two_and_what_to_do(agent: AgentProcess, url: str, words: str) -> None:
    """In one line, without the patient."""
    agent.override("ehr", url=url)
    done = agent.cli("doctor", "ehr", CANARY, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr and CANARY not in done.stderr


def test_the_query_of_outcomes_is_checked_too(agent: AgentProcess, tmp_path: Path) -> None:
    """With the place that names it."""
    (tmp_path / "outcomes.sql").write_text(
        "SELECT :as_of AS recorded_date WHERE :patient_id = :issuer", encoding="utf-8"
    )
    agent.override("ehr", outcomes_query=str(tmp_path / "outcomes.sql"))
    agent.cli("migrate")
    done = agent.cli("check-config", check=False)
    assert done.returncode == 2
    assert "ehr.outcomes_query" in done.stderr and "recorded_date is the parameter :as_of" in done.stderr
    assert "ehr.query" not in done.stderr
