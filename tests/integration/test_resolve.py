"""A held case at the command line: who says what is spelt out, and a person's ruling ends it."""

import getpass
import json
from contextlib import closing
from pathlib import Path

import pytest

from agent.bootstrap.common import utc_now
from agent.bootstrap.inspect import open_store
from agent.bootstrap.keeper import build_indexer
from agent.config import load_config
from agent.core.ports import RecordKind
from agent.spool import SpoolWriter
from demo import ehr
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.harness import AgentProcess
from tests.peers import ROOT

JANE = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "PatientSex": "F"}


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    """An installation that is not running."""
    made = AgentProcess(tmp_path, pacs_port=104)
    ehr.create(made.ehr_path)
    made.migrate()
    return made


def index(agent: AgentProcess, *objects: object) -> None:
    """Let an installation receive and index objects, without starting it."""
    config = load_config(ROOT / "config.yaml", [agent.overrides]).config
    writer = SpoolWriter(config.storage.spool, limit_bytes=1 << 28, refuse_below_free_bytes=0, now=utc_now)
    channel = writer.channel()
    for ds in objects:
        channel.append(RecordKind.INSTANCE, meta_of(ds), encode(ds))
    channel.close()
    writer.close()
    with closing(open_store(config)) as store:
        build_indexer(config, store).tick()


def test_a_held_case_is_spelt_out_and_decided(agent: AgentProcess) -> None:
    """Two birth dates under one Patient ID: the person sees both, splits them, and the case goes on."""
    index(agent, mammogram("1", **JANE), mammogram("2", **{**JANE, "PatientBirthDate": "19810203"}))
    (case,) = agent.cases()
    assert case["state"] == "held"
    told = json.loads(agent.cli("cases", "show", str(case["id"]), "--json").stdout)["held_for"]
    assert len(told) == 2
    assert {line["rulings"] for line in told} == {"--drop, --merge, --split"}
    assert [word in line["says"] for line, word in zip(told, ("1970-01-01", "1981-02-03"), strict=True)] in (
        [True, True],
        [False, False],
    )
    assert "held for" in agent.cli("cases", "show", str(case["id"])).stdout
    later = next(line["about"] for line in told if "1981-02-03" in line["says"])
    said = agent.cli("resolve", str(case["id"]), "--split", "--about", later, "--by", "Dr Who").stdout
    who = f"Dr Who (login {getpass.getuser()})"
    assert said.startswith(f"case {case['id']} is collecting: {who} decided: split")
    assert sorted(line["instances"] for line in agent.cases()) == [1, 1]
    story = json.loads(agent.cli("cases", "show", str(case["id"]), "--json").stdout)
    assert [line["sop_instance_uid"] for line in story["instances"]] == [uid("1")]


def test_a_corrected_object_says_what_it_changes(agent: AgentProcess) -> None:
    """The side was corrected under the same UID: what differs is named."""
    index(agent, mammogram("1"), mammogram("1", ImageLaterality="R"))
    (case,) = agent.cases()
    told = json.loads(agent.cli("cases", "show", str(case["id"]), "--json").stdout)["held_for"]
    assert "differs in laterality: L → R" in told[1]["says"]
    agent.cli("resolve", str(case["id"]), "--accept")
    assert agent.cases()[0]["state"] == "collecting"


def test_a_corrected_person_is_spelt_out(agent: AgentProcess) -> None:
    """Name, birth date and sex, each as it was and as it is."""
    other = {"PatientName": "Roe^Ann", "PatientBirthDate": "19700110", "PatientSex": "O"}
    index(agent, mammogram("1", **JANE), mammogram("1", **other))
    told = json.loads(agent.cli("cases", "show", "1", "--json").stdout)["held_for"]
    (says,) = [line["says"] for line in told if "differs in" in line["says"]]
    for what in ("patient name: Doe^Jane → Roe^Ann", "birth date: 1970-01-01 → 1970-01-10", "sex: F → O"):
        assert what in says
    assert "laterality" not in says


def test_held_cases_are_listed_oldest_first(agent: AgentProcess) -> None:
    """With the moment at which each was held; what the limit cuts off is counted."""
    for n in (1, 2, 3):
        who = {**JANE, "PatientID": f"H-{n}", "StudyInstanceUID": f"2.25.{n}"}
        index(agent, mammogram(f"{n}1", **who), mammogram(f"{n}2", **{**who, "PatientBirthDate": "19810203"}))
    listed = json.loads(agent.cli("cases", "--state", "held", "--json").stdout)
    assert [case["id"] for case in listed] == [1, 2, 3]
    assert all(case["held_since"] for case in listed)
    cut = agent.cli("cases", "--state", "held", "--limit", "2")
    assert "1 more: raise --limit" in cut.stderr and "since" in cut.stdout
    assert "more" not in agent.cli("cases", "--state", "held").stderr
    assert "(oldest" in agent.cli("status").stdout.splitlines()[0]
    agent.cli("resolve", "1", "--merge")
    assert [line["held_since"] for line in agent.cases() if line["id"] == 1] == [None]
    assert json.loads(agent.cli("status", "--json").stdout)["oldest_held"] == listed[1]["held_since"]


def test_two_ids_in_one_study_are_listed(agent: AgentProcess) -> None:
    """Each Patient ID of the study, with how many images it has."""
    index(agent, mammogram("1"), mammogram("2", PatientID="P-2"))
    first = agent.cases()[-1]
    told = json.loads(agent.cli("cases", "show", str(first["id"]), "--json").stdout)["held_for"]
    assert sorted(line["says"].split(" of study")[0] for line in told) == [
        "P-1 (PHANTOM): 1 images",
        "P-2 (PHANTOM): 1 images",
    ]


def test_of_several_contradictions_one_is_named(agent: AgentProcess) -> None:
    """Without a name the command refuses and lists them; with --all each is decided."""
    index(agent, *(mammogram(n, ImageLaterality=side) for n in "12" for side in "LR"))
    (case,) = agent.cases()
    told = json.loads(agent.cli("cases", "show", str(case["id"]), "--json").stdout)["held_for"]
    done = agent.cli("resolve", str(case["id"]), "--accept", check=False)
    assert done.returncode == 2
    assert all(line["conflict"] in done.stderr for line in told)
    left = agent.cli("resolve", str(case["id"]), "--accept", "--conflict", told[0]["conflict"]).stdout
    assert left.count("still to be decided") == 1
    agent.cli("resolve", str(case["id"]), "--accept", "--all")
    assert agent.cases()[0]["state"] == "collecting"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("1",), "say one of"),
        (("1", "--merge", "--drop"), "say one of"),
        (("7", "--merge"), "there is no case 7"),
        (("1", "--merge"), "not held"),
        (("1", "--merge", "--all", "--conflict", "abc"), "say --conflict or --all"),
    ],
)
def test_what_cannot_be_ruled_is_said(agent: AgentProcess, words: tuple[str, ...], said: str) -> None:
    """No ruling, two of them, no such case, nothing to decide."""
    index(agent, mammogram("1"))
    done = agent.cli("resolve", *words, check=False)
    assert done.returncode == 2
    assert said in done.stderr
