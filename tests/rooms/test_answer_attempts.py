"""Whatever goes wrong, a case is tried again or given up for a reason, and what was lost is discarded."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import crashpoint
from agent.core.case import CaseEvent, CaseState
from agent.core.errors import Permanent, StaleCase, Transient
from agent.core.firewall import RETIRED
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.infer.engine import Engine
from tests.builders import mammogram
from tests.infer_scene import KNOWN, LEFT, T0, Scene, findings, four_views


def test_a_transient_error_is_tried_again_later_and_later(scene: Scene) -> None:
    """5 s, then 10 s; the third failure gives the case up."""
    case = scene.ready(four_views())
    scene.compose.error = Transient("the quarantine folder is full")
    for wait_s in (5, 10):
        assert scene.worker().step() is True
        waiting = scene.case(case)
        assert waiting.state is CaseState.READY
        assert waiting.due_at is not None
        assert (waiting.due_at - scene.now).total_seconds() == wait_s
        assert scene.worker().step() is False
        scene.later(wait_s)
    scene.worker().step()
    assert scene.case(case).state is CaseState.FAILED
    assert scene.case(case).reason == "the quarantine folder is full"


def test_a_case_that_recovers_is_answered(scene: Scene) -> None:
    """The second attempt counts."""
    case = scene.ready(four_views())
    scene.compose.error = Transient("away")
    scene.worker().step()
    scene.compose.error = None
    scene.later(5)
    scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING
    assert scene.case(case).attempt == 2


def test_a_permanent_error_gives_the_case_up_at_once(scene: Scene) -> None:
    """With its reason."""
    case = scene.ready(four_views())
    scene.compose.error = Permanent("rule 3 does not hold")
    scene.worker().step()
    assert scene.case(case).state is CaseState.FAILED
    assert scene.case(case).reason == "rule 3 does not hold"


def test_a_version_without_findings_is_given_up(scene: Scene) -> None:
    """Nothing is guessed."""
    case = scene.ready(four_views(), {})
    scene.worker().step()
    assert scene.case(case).state is CaseState.FAILED
    assert "findings" in scene.case(case).reason


def test_a_worker_that_slept_past_its_lease_saves_nothing(scene: Scene) -> None:
    """The case moved on: the answer is discarded, and the other attempt stays as it is."""
    case = scene.ready(four_views())
    worker = scene.worker()

    def slow(*given: Any) -> Any:
        with scene.store.unit() as unit:
            unit.apply(unit.case(case.id), CaseEvent.LEASE_EXPIRED, scene.now)
            unit.claim(scene.now, scene.now, "worker-2")
        return scene.compose(*given)

    assert replace(worker, compose=slow).step() is True
    now = scene.case(case)
    assert (now.state, now.attempt) == (CaseState.RUNNING, 2)
    assert scene.summary(case) == {}
    assert scene.used(case) == set()


def test_a_worker_that_gets_on_keeps_its_case(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing, computing and composing may each take nearly as long as a lease, and the case is nobody else's."""
    case = scene.ready([mammogram("L", "CC")])
    worker, run = scene.worker(lease_s=300), Engine.run
    lost: list[Any] = []

    def slowly(step: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*given: Any) -> Any:
            scene.later(290)
            with scene.store.unit() as unit:
                lost.extend(unit.expired_leases(scene.now))
            return step(*given)

        return slow

    monkeypatch.setattr(Engine, "run", slowly(run))
    assert (
        replace(
            worker,
            reader=replace(worker.reader, decode=slowly(worker.reader.decode)),
            compose=slowly(worker.compose),
        ).step()
        is True
    )
    assert lost == []
    assert scene.now == T0 + timedelta(seconds=3 * 290)
    assert scene.case(case).state is CaseState.DELIVERING


def test_a_worker_that_lost_its_case_stops_before_composing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody waits for is not drawn; the other attempt stays as it is."""
    case, run = scene.ready(four_views()), Engine.run

    def stuck(*given: Any) -> Any:
        scene.later(301)
        with scene.store.unit() as unit:
            (lost,) = unit.expired_leases(scene.now)
            unit.apply(lost, CaseEvent.LEASE_EXPIRED, scene.now)
        return run(*given)

    monkeypatch.setattr(Engine, "run", stuck)
    assert scene.worker(lease_s=300).step() is True
    assert scene.compose.given == []
    assert scene.case(case).state is CaseState.READY


def test_a_failure_after_the_lease_changes_nothing(scene: Scene) -> None:
    """The other attempt is not given up."""
    case = scene.ready(four_views())

    def slow_and_broken(*_: Any) -> Any:
        with scene.store.unit() as unit:
            unit.apply(unit.case(case.id), CaseEvent.LEASE_EXPIRED, scene.now)
        raise Permanent("broken")

    assert replace(scene.worker(), compose=slow_and_broken).step() is True
    assert scene.case(case).state is CaseState.READY


def test_an_unexpected_error_ends_the_worker(scene: Scene) -> None:
    """It is not caught: the process dies and is brought back."""
    case = scene.ready(four_views())

    def surprise(*_: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replace(scene.worker(), compose=surprise).step()
    assert scene.case(case).state is CaseState.RUNNING


def test_a_model_that_answers_no_number_gives_the_case_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a number is never sent."""
    run = Engine.run

    def infinite(engine: Engine, inputs: Any) -> Any:
        return run(engine, inputs) | {"logit": np.array([np.inf], np.float32)}

    monkeypatch.setattr(Engine, "run", infinite)
    case = scene.ready(four_views())
    scene.worker().step()
    assert scene.case(case).state is CaseState.FAILED


def test_the_boundaries_are_crossed_in_order(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each crash point is reached once a case."""
    monkeypatch.setattr(crashpoint, "_TRACE", str(tmp_path / "trace"))
    scene.ready(four_views())
    scene.worker().step()
    reached = (tmp_path / "trace").read_text().split()
    assert reached == ["infer.after_claim", "infer.after_estimate", "infer.after_save"]


def test_no_patient_data_is_logged(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither on success nor on failure."""
    scene.ready([*four_views(), mammogram("L", study="s2", SamplesPerPixel=3)], findings(KNOWN, axillae=LEFT))
    scene.worker().step()
    scene.ready(four_views("s3"), number=1)
    scene.compose.error = Permanent("rule")
    scene.worker().step()
    said = capsys.readouterr()
    log = said.out + said.err
    assert "answer_saved" in log
    assert "answer_failed" in log
    for canary in ("SYNTHETIC", "P-0001", "19700101", "1956", "30.0"):
        assert canary not in log


def test_stale_is_no_error_class_that_is_retried() -> None:
    """The order of the handlers rests on it."""
    assert not issubclass(StaleCase, Transient | Permanent)


def test_an_answer_about_a_patient_who_was_merged_meanwhile_is_not_saved(scene: Scene) -> None:
    """The version is withdrawn with the reason, whatever the model said."""
    case = scene.ready([mammogram("L", "MLO")], findings())
    with scene.store.unit() as unit:
        unit.retire(Retirement(T0, "M1", scene.patient, PatientKey("PHANTOM", "P-9")))
    scene.worker().step()
    assert (scene.case(case).state, scene.case(case).reason) == (CaseState.CLOSED, RETIRED)
    with scene.store.unit() as unit:
        assert unit.outbox_of(case.id) == []
