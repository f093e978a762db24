"""Where there is no estimate, the answer says why; and only who may answer does."""

from pathlib import Path

import pytest

from agent.core.case import CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.prediction import Estimate, NoEstimate, Side
from agent.core.result import LeftOut
from agent.infer.admission import DEMONSTRATION, ActiveBundle
from agent.infer.compute import NO_EVIDENCE
from agent.infer.engine import Engine
from tests.builders import mammogram
from tests.infer_scene import BOTH_SIDES, T0, Scene, findings, four_views, load_engine

REAL = PatientKey("HOSPITAL", "4711")
NOTHING = ClinicalFacts()


def test_a_demonstration_never_answers_for_a_real_patient(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number anywhere, and the engine is not run."""
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("the engine was run"))
    scene.patient = REAL
    case = scene.ready(four_views(), findings(axillae=BOTH_SIDES))
    scene.worker().step()
    assert scene.result.answers == (NoEstimate(Side.L, DEMONSTRATION), NoEstimate(Side.R, DEMONSTRATION))
    assert scene.result.used == scene.result.influences == scene.result.facts_used == ()
    assert "probability" not in str(scene.summary(case))
    assert scene.case(case).state is CaseState.DELIVERING
    assert len(scene.sources) == 4


def test_a_patient_without_a_question_gets_the_reason_that_was_found(scene: Scene) -> None:
    """As where the side of the cancer is not known."""
    scene.ready(four_views(), findings(axillae=(), reason="the side of the cancer is not known"))
    scene.worker().step()
    assert scene.result.answers == (NoEstimate(None, "the side of the cancer is not known"),)
    assert scene.result.modalities_missing == ()


def test_with_every_axilla_refused_the_model_is_not_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own reason."""
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("the engine was run"))
    scene.ready(four_views(), findings(axillae=[{"side": "L", "reason": "the node is proven positive"}]))
    scene.worker().step()
    assert scene.result.answers == (NoEstimate(Side.L, "the node is proven positive"),)


def test_without_any_evidence_there_is_no_estimate(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is not asked what it would say of nothing."""
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("the engine was run"))
    scene.ready([mammogram("R", "CC")], findings(NOTHING))
    scene.worker().step()
    assert scene.result.answers == (NoEstimate(Side.L, NO_EVIDENCE),)
    assert scene.result.modalities_missing == ("clinical", "MG")


def test_without_a_required_modality_there_is_no_estimate(scene: Scene, tmp_path: Path) -> None:
    """For the axilla that lacks it; the other one is answered."""
    scene.engine = load_engine(tmp_path / "b", required=["MG"])
    scene.ready([mammogram("R", "CC")], findings(axillae=BOTH_SIDES))
    scene.worker().step()
    estimate, refusal = scene.result.answers
    assert isinstance(estimate, Estimate)
    assert estimate.side is Side.R
    assert isinstance(refusal, NoEstimate)
    assert refusal.side is Side.L
    assert "MG" in refusal.reason


def test_the_first_bundle_that_admits_the_patient_answers(scene: Scene, tmp_path: Path) -> None:
    """The others stay silent."""
    research = load_engine(tmp_path / "b", intended_use="research", name="research")
    bundles = [
        ActiveBundle(scene.engine, frozenset({"PHANTOM"}), send_research=False),
        ActiveBundle(research, frozenset(), send_research=True),
    ]
    scene.patient = REAL
    scene.ready(four_views())
    scene.worker(bundles=bundles).step()
    assert scene.result.model.name == "research"
    assert isinstance(scene.result.answers[0], Estimate)


def test_research_that_is_not_to_be_sent_gives_the_case_up(scene: Scene, tmp_path: Path) -> None:
    """Nobody may answer, and the case says so."""
    research = load_engine(tmp_path / "b", intended_use="research")
    case = scene.ready(four_views())
    scene.worker(bundles=[ActiveBundle(research, frozenset({"PHANTOM"}), send_research=False)]).step()
    assert scene.case(case).state is CaseState.FAILED
    assert "no active model" in scene.case(case).reason


def test_a_bundle_of_another_question_does_not_answer(scene: Scene, tmp_path: Path) -> None:
    """The question is part of the bundle."""
    other = load_engine(tmp_path / "b", question="nsln")
    case = scene.ready(four_views())
    scene.worker(bundles=[ActiveBundle(other, frozenset({"PHANTOM"}), send_research=False)]).step()
    assert scene.case(case).state is CaseState.FAILED


def test_what_was_damaged_on_arrival_is_named(scene: Scene) -> None:
    """A file that nobody could read never reached the case: the report says that it came all the same."""
    case = scene.ready([mammogram("L", "MLO")], findings())
    lost = Arrival(SpoolRef(1, 1, 999), T0, "run/1", "1.2.99", End.QUARANTINED, "truncated", scene.patient, "1.2", "MG")
    with scene.store.unit() as unit:
        unit.arrived(lost)
    scene.worker().step()
    assert LeftOut("1.2.99", "damaged when it arrived", "MG") in scene.result.left_out
    assert scene.case(case).state is CaseState.DELIVERING
