"""`cases show --lineage` and `rerun` at the command line: what is printed where, and the exit codes."""

import json
import subprocess
import sys
from datetime import date
from uuid import UUID

import pytest

from agent.bootstrap.inspect import case_origins
from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent
from tests.builders import PATIENT
from tests.infer_scene import T0, facts, findings, four_views
from tests.integration.lineage.conftest import Installation
from tests.peers import ROOT

CANARY = 41.375


@pytest.fixture
def case(installation: Installation) -> Case:
    """An answered one."""
    return installation.answered(four_views(), findings(facts(size_ultrasound_mm=CANARY)))


def run(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `sentinode`."""
    options = ["--config", str(ROOT / "config.yaml"), "--overrides", str(installation.overrides)]
    command = [sys.executable, "-m", "agent", *words, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_dry_run_says_the_same_numbers(installation: Installation, case: Case) -> None:
    """On standard output, its progress on the other; exit code 0."""
    done = run(installation, "rerun", str(case.id), "--dry")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "case 1, version 1: the same numbers")
    assert done.stderr.splitlines() == ["loading the bundles", "computing from 4 images"]


def test_a_dry_run_that_differs_exits_with_1(installation: Installation, case: Case) -> None:
    """As JSON, where it is asked for."""
    installation.override("site", prevalence=0.4)
    done = run(installation, "rerun", str(case.id), "--dry", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert "L probability" in {one["about"] for one in told["numbers"]}
    assert {"part": "configuration", "what": "other values of site.prevalence"} in told["lineage"]


def test_a_dry_run_without_its_inputs_exits_with_2(installation: Installation, case: Case) -> None:
    """And names them."""
    installation.config.storage.spool.rename(installation.folder / "gone")
    done = run(installation, "rerun", str(case.id), "--dry")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("a spool segment is gone") == 4


def test_running_again_is_refused_or_said(installation: Installation, case: Case) -> None:
    """With what to do instead; a failed one is ready."""
    refused = run(installation, "rerun", str(case.id))
    assert refused.returncode == 2
    assert "it is delivering, only a failed one is" in refused.stderr
    assert "`sentinode resend 1`" in refused.stderr
    installation.apply(case, CaseEvent.GAVE_UP)
    assert run(installation, "rerun", str(case.id)).stdout.startswith("case 1 is ready")


def test_why_did_it_say_that(installation: Installation, case: Case) -> None:
    """As a table and as JSON, with what changed since the version before, and without any value of a fact."""
    second = installation.do(lambda unit: unit.open_version(unit.case(case.id), T0))
    installation.answer(second, four_views("s2", date(2026, 1, 6)), findings(facts(size_ultrasound_mm=CANARY + 1)))
    table = run(installation, "cases", "show", str(second.id), "--lineage").stdout
    for words in ("from 2 images", "from these facts", "what answered", "left out", "another value"):
        assert words in table
    told = json.loads(run(installation, "cases", "show", str(second.id), "--lineage", "--json").stdout)
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


def test_a_case_without_an_answer_says_why(installation: Installation) -> None:
    """Its state and reason; and there must be such a case."""
    opened = installation.do(lambda unit: unit.open_case("aln", PATIENT, T0, UUID(int=5)))
    installation.do(lambda unit: unit.apply(opened, CaseEvent.NOT_ASKED, T0, reason="no cancer is known"))
    with pytest.raises(Permanent, match="case 1 is dormant and has no answer with its lineage: no cancer is known"):
        case_origins(installation.config, opened.id)
    with pytest.raises(Permanent, match="there is no case 7"):
        case_origins(installation.config, 7)
