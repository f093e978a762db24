"""The bundle from facts alone behind the agent's worker: it answers where research is sent, and nowhere else."""

from copy import copy
from dataclasses import replace
from datetime import date

import pytest

from agent.core.case import CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.patient import PatientKey
from agent.core.prediction import Estimate, NoEstimate
from agent.infer.admission import ActiveBundle
from agent.infer.compute import TOO_UNCERTAIN
from agent.infer.engine import Engine
from models.tabular import served
from models.tabular.nested import QUICK
from tests.builders import mammogram
from tests.infer_scene import Scene, facts, findings
from tests.models.test_tabular_bundle import METABRIC_FACTS, TCGA_FACTS, invented

REAL = PatientKey("HOSPITAL", "4711")
KNOWN = facts(size_ultrasound_mm=24.0, birth_date=date(1986, 1, 1), grade=1, er="positive")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The bundle as it is exported, from made-up patients."""
    folder = tmp_path_factory.mktemp("bundles") / "aln-clinical-1.0.0"
    tables = invented("metabric", METABRIC_FACTS, 240, 1), invented("tcga", TCGA_FACTS, 180, 2)
    served.export(served.train(*tables, QUICK, draws=20), folder)
    return Engine.load(folder, "cpu")


def answered(engine: Engine, known: ClinicalFacts, *, send_research: bool) -> tuple[Scene, CaseState]:
    """Let a worker with this bundle alone answer for a real patient; return what is left and the case's state."""
    scene = Scene(engine, patient=REAL)
    case = scene.ready([mammogram("L", "CC")], findings(known))
    scene.worker(bundles=[ActiveBundle(engine, frozenset({"PHANTOM"}), send_research)]).step()
    return scene, scene.case(case).state


def test_it_answers_from_facts_alone_where_research_is_sent(engine: Engine) -> None:
    """With an interval, and without any image."""
    scene, state = answered(engine, KNOWN, send_research=True)
    (estimate,) = scene.result.answers
    assert isinstance(estimate, Estimate) and state is CaseState.DELIVERING
    assert (scene.result.model.name, scene.result.model.intended_use) == ("aln-clinical", "research")
    assert estimate.low < estimate.probability < estimate.high
    assert scene.result.used == ()


def test_it_is_silent_where_research_is_not_sent(engine: Engine) -> None:
    """Nothing is composed, and the case says why."""
    scene, state = answered(engine, KNOWN, send_research=False)
    assert state is CaseState.FAILED and not scene.compose.given


def test_without_facts_it_has_no_estimate(engine: Engine) -> None:
    """An image is no evidence for it."""
    scene, _ = answered(engine, ClinicalFacts(), send_research=True)
    (refusal,) = scene.result.answers
    assert isinstance(refusal, NoEstimate) and "nothing usable of clinical" in refusal.reason


def test_it_abstains_where_it_is_too_uncertain(engine: Engine) -> None:
    """The interval is wider than the bundle allows, whatever the site's prevalence makes of it."""
    metrics = {**engine.manifest.metrics, "widest_interval": 0.0}
    strict = copy(engine)
    strict.manifest = replace(engine.manifest, metrics=metrics)
    scene, _ = answered(strict, KNOWN, send_research=True)
    (refusal,) = scene.result.answers
    assert isinstance(refusal, NoEstimate) and refusal.reason == TOO_UNCERTAIN
