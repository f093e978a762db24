"""`sentinode doctor`: the demonstration's clinical database and bundle, and a spool."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.instance import Arrival, End, SpoolRef
from agent.core.ports import RecordKind
from agent.spool import SpoolWriter
from agent.state import SqlStore
from demo import ehr
from tests.fakes.spool import NOW
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


@pytest.fixture
def spooled(agent: AgentProcess) -> AgentProcess:
    """The same with a database, and two instances in its spool that nobody has read."""
    agent.migrate()
    with closing(_writer(agent)) as writer, closing(writer.channel()) as channel:
        for payload in (b"first", b"second"):
            channel.append(RecordKind.INSTANCE, {}, payload)
    return agent


def _writer(agent: AgentProcess) -> SpoolWriter:
    folder = agent.folder / "spool"
    return SpoolWriter(
        folder, limit_bytes=1 << 28, refuse_below_free_bytes=0, segment_bytes=1 << 20, keep_spare=False, now=lambda: NOW
    )


def test_the_spool_is_told(spooled: AgentProcess) -> None:
    """Limits, segments, and since when something waits to be read."""
    told = json.loads(spooled.cli("doctor", "spool", "--json").stdout)
    assert told["free_bytes"] > 0
    assert told["configured_bytes"] == 1 << 30
    assert told["watermark_bytes"] == 64 << 20
    assert told["max_object_bytes"] == 1 << 28
    assert (told["quarantined"], told["quarantined_bytes"], told["quarantine_limit_bytes"]) == (0, 0, 2 << 30)
    assert (told["used_bytes"], told["segments"], told["segments_open"], told["segments_reusable"]) == (
        1 << 20,
        1,
        1,
        0,
    )
    assert told["oldest_unindexed"] == NOW.isoformat()
    page = spooled.cli("doctor", "spool").stdout
    for words in ("free on the disk", "largest object", "not read yet: what came since", "objects are taken"):
        assert words in page


def test_a_spool_that_is_not_there_yet_is_told(agent: AgentProcess) -> None:
    """The disk where it will be is asked."""
    agent.migrate()
    told = json.loads(agent.cli("doctor", "spool", "--json").stdout)
    assert told["free_bytes"] > 0
    assert (told["segments"], told["oldest_unindexed"]) == (0, None)


def test_a_spool_that_refuses_ends_with_one(spooled: AgentProcess) -> None:
    """The disk has never so much free; without a database it ends with two, and tells of the disk."""
    spooled.override("storage", refuse_below_free_bytes=str(1 << 60))
    done = spooled.cli("doctor", "spool", check=False)
    assert done.returncode == 1
    assert "objects are refused: the disk has less" in " ".join(done.stdout.split())
    spooled.override("database", url="sqlite:////nowhere/state.db")
    done = spooled.cli("doctor", "spool", check=False)
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    assert "not known what is read: " in said and "objects are refused: the disk has less" in said
    told = json.loads(spooled.cli("doctor", "spool", "--json", check=False).stdout)
    assert (told["segments"], told["oldest_unindexed"]) == (1, None)
    assert told["unasked"]


def test_an_owed_object_is_listed_and_given_up(spooled: AgentProcess) -> None:
    """By the id that the list shows; a second time, or without one, it ends with two."""
    ref = SpoolRef(1, 1, 8192)
    with closing(SqlStore(f"sqlite:///{spooled.folder}/state.db")) as store, store.unit() as unit:
        unit.arrived(Arrival(ref, NOW, "", "", End.QUARANTINED, "it could not be read"))
        unit.owe_copy(ref, "it could not be read", NOW, is_unread=True)
    (line,) = json.loads(spooled.cli("doctor", "spool", "--json").stdout)["owed_lines"]
    assert (line["id"], line["is_unread"], line["reason"]) == ("1.1.8192", True, "it could not be read")
    assert spooled.cli("give-up", line["id"], "--reason", " ", check=False).returncode == 2
    done = spooled.cli("give-up", line["id"], "--reason", "dead sector", "--by", "Dr Example")
    assert "1.1.8192 is given up" in done.stdout
    assert json.loads(spooled.cli("doctor", "spool", "--json").stdout)["owed_lines"] == []
    for wrong, words in ((line["id"], "nothing is owed"), ("1.x", "is no record")):
        done = spooled.cli("give-up", wrong, "--reason", "dead sector", check=False)
        assert done.returncode == 2 and words in done.stderr
