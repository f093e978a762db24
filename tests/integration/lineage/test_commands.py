"""`cases show --lineage` and `rerun` at the command line: what is printed where, and the exit codes."""

import json
import os
import sys
from collections.abc import Callable
from datetime import date
from typing import NamedTuple
from uuid import UUID

import pytest

from agent.bootstrap.inspect import case_origins
from agent.cli import main
from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent
from agent.dicom.decoding import Decoder
from tests.builders import PATIENT
from tests.infer_scene import T0, facts, findings, four_views
from tests.integration.lineage.conftest import Answered, Installation, answer_once
from tests.peers import ROOT

CANARY = 41.375


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory, warm_decoder: Decoder) -> Answered:
    """A case of which one fact is known."""
    return answer_once(tmp_path_factory, warm_decoder, findings(facts(size_ultrasound_mm=CANARY)))


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: object
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `sentinode` in this process."""
    options = ["--config", str(ROOT / "config.yaml"), "--overrides", str(installation.overrides)]
    monkeypatch.setattr(os, "umask", lambda _: 0)  # this process is not the command's own

    def said(*words: str) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["sentinode", *words, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code, *capsys.readouterr())

    return said


def test_a_dry_run_says_the_same_numbers(run: Run, case: Case) -> None:
    """On standard output, its progress on the other; exit code 0."""
    done = run("rerun", str(case.id), "--dry")
    assert (done.code, done.out.splitlines()[0]) == (0, "case 1, version 1: the same numbers")
    assert done.err.splitlines() == ["loading the bundles", "computing from 4 images"]


def test_a_dry_run_that_differs_exits_with_1(run: Run, installation: Installation, case: Case) -> None:
    """As JSON, where it is asked for."""
    installation.override("site", prevalence=0.4)
    done = run("rerun", str(case.id), "--dry", "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert "L probability" in {one["about"] for one in told["numbers"]}
    assert {"part": "configuration", "what": "other values of site.prevalence"} in told["lineage"]


def test_a_dry_run_without_its_inputs_exits_with_2(run: Run, installation: Installation, case: Case) -> None:
    """And names them."""
    installation.config.storage.spool.rename(installation.folder / "gone")
    done = run("rerun", str(case.id), "--dry")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("a spool segment is gone") == 4


def test_running_again_is_refused_or_said(run: Run, installation: Installation, case: Case) -> None:
    """With what to do instead; a failed one is ready."""
    refused = run("rerun", str(case.id))
    assert refused.code == 2
    assert "it is delivering, only a failed one is" in refused.err
    assert "`sentinode resend 1`" in refused.err
    installation.apply(case, CaseEvent.GAVE_UP)
    assert run("rerun", str(case.id)).out.startswith("case 1 is ready")


def test_why_did_it_say_that(run: Run, installation: Installation, case: Case) -> None:
    """As a table and as JSON, with what changed since the version before, and without any value of a fact."""
    second = installation.do(lambda unit: unit.open_version(unit.case(case.id), T0))
    installation.answer(second, four_views("s2", date(2026, 1, 6)), findings(facts(size_ultrasound_mm=CANARY + 1)))
    table = run("cases", "show", str(second.id), "--lineage").out
    for words in ("from 2 images", "from these facts", "what answered", "left out", "another value"):
        assert words in table
    told = json.loads(run("cases", "show", str(second.id), "--lineage", "--json").out)
    assert told["before"] == {"case": case.id, "version": 1}
    assert {change["part"] for change in told["changed"]} == {"images", "facts"}
    assert {one["role"] for one in told["lineage"]["objects"]} >= {"sr:L", "text_sr"}
    assert str(CANARY)[:4] not in table + json.dumps(told)
    assert str(CANARY + 1)[:4] not in table + json.dumps(told)


def test_an_earlier_version_that_nobody_got_is_the_one_before_all_the_same(
    installation: Installation, case: Case
) -> None:
    """What changed is asked of it, though nothing of it is superseded."""
    installation.apply(case, CaseEvent.WITHDRAWN)
    second = installation.do(lambda unit: unit.open_version(unit.case(case.id), T0))
    installation.answer(second, four_views("s2", date(2026, 1, 6)))
    seen = case_origins(installation.config, second.id)
    assert seen.lineage["supersedes"] is None
    assert seen.before is not None
    assert seen.before.id == case.id
    assert seen.lineage_before["made_at"]


def test_a_case_without_an_answer_says_why(empty: Installation) -> None:
    """Its state and reason; and there must be such a case."""
    opened = empty.do(lambda unit: unit.open_case("aln", PATIENT, T0, UUID(int=5)))
    empty.do(lambda unit: unit.apply(opened, CaseEvent.NOT_ASKED, T0, reason="no cancer is known"))
    with pytest.raises(Permanent, match="case 1 is dormant and has no answer with its lineage: no cancer is known"):
        case_origins(empty.config, opened.id)
    with pytest.raises(Permanent, match="there is no case 7"):
        case_origins(empty.config, 7)
