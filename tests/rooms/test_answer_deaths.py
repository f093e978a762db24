"""A worker that dies on a case twice ends that case; what takes the whole agent away ends none."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Transient
from agent.infer.attempts import STUCK
from tests.builders import mammogram, uid
from tests.fakes.store import FakeUnit
from tests.infer_scene import T0, Scene, four_views


def die(scene: Scene, **settings: Any) -> None:
    """Claim a case, die on it, and come back as the process that the agent starts in its place."""

    def killed(*_: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replace(scene.worker(**settings), compose=killed).step()
    assert scene.worker(**settings).release_own() == 1


def last_event(scene: Scene, case: Case) -> str:
    """The reason in the last line of a case's history."""
    with scene.store.unit() as unit:
        return unit.history(case.id)[-1].reason


def test_the_second_death_is_the_last(scene: Scene) -> None:
    """The case is not tried a third time, and the next one is answered."""
    case = scene.ready(four_views())
    other = scene.ready(four_views("s2"), number=1)
    die(scene)
    assert scene.case(case).state is CaseState.READY
    die(scene)
    assert scene.worker().step() is True
    assert scene.compose.given == []
    assert (scene.case(case).state, scene.case(case).reason) == (CaseState.FAILED, STUCK)
    assert scene.worker().step() is True
    assert scene.case(other).state is CaseState.DELIVERING


def test_a_case_that_killed_its_workers_lists_its_inputs(scene: Scene) -> None:
    """Each image with what it was to the model: in the history, and with the instances."""
    case = scene.ready([mammogram("L", "CC"), mammogram("R", "CC")])
    die(scene)
    die(scene)
    scene.worker().step()
    left, right = uid("s1", "L", "CC"), uid("s1", "R", "CC")
    other_side = "the right breast, which is not asked about"
    assert (
        last_event(scene, case)
        == f"{STUCK}; its inputs: {left} (MG, fit to be used), {right} (MG, not used: {other_side})"
    )
    assert scene.left_out(case) == {right: other_side}


def test_a_case_without_images_says_so(scene: Scene) -> None:
    """Its facts alone killed the worker."""
    case = scene.ready([])
    die(scene)
    die(scene)
    scene.worker().step()
    assert last_event(scene, case) == f"{STUCK}; it has no images"


def test_one_death_and_an_error_that_passes_are_counted_apart(scene: Scene) -> None:
    """A case may be answered after one death and two errors."""
    case = scene.ready(four_views())
    die(scene)
    scene.compose.error = Transient("away")
    for _ in range(2):
        scene.worker().step()
        assert scene.case(case).state is CaseState.READY
        scene.later(10)
    scene.compose.error = None
    scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING
    assert scene.case(case).attempt == 4


def test_a_stuck_worker_counts_as_dead(scene: Scene) -> None:
    """Whoever takes the lease from it, it did not end in time."""
    case = scene.ready(four_views())
    for _ in range(2):
        with scene.store.unit() as unit:
            claimed = unit.claim(scene.now, scene.now, "worker-0")
            assert claimed is not None
            unit.apply(claimed, CaseEvent.LEASE_EXPIRED, scene.now)
    scene.worker().step()
    assert scene.case(case).reason == STUCK


def test_a_case_that_was_lost_with_the_whole_agent_is_tried_again(scene: Scene) -> None:
    """A power cut is nobody's fault: not two of them, nor many."""
    case = scene.ready(four_views())
    for _ in range(5):
        die(scene, agent_started=scene.now + timedelta(seconds=1))
        scene.later(2)
    scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING


def test_a_worker_that_died_in_this_agents_time_died_on_its_case(scene: Scene) -> None:
    """Also where the lease was renewed meanwhile."""
    case = scene.ready(four_views())
    scene.later(60)
    for _ in range(2):
        die(scene, agent_started=T0)
    scene.worker().step()
    assert scene.case(case).reason == STUCK


def test_a_case_that_takes_the_whole_agent_down_is_given_up_some_day(scene: Scene) -> None:
    """It is claimed so many times and no more."""
    case = scene.ready(four_views())
    for _ in range(3):
        die(scene, agent_started=scene.now + timedelta(seconds=1), max_claims=3)
        scene.later(2)
    scene.worker(max_claims=3).step()
    assert scene.case(case).state is CaseState.FAILED
    assert scene.case(case).reason == "3 attempts ended without an answer"
    assert scene.compose.given == []


def test_a_case_that_is_run_again_starts_from_nothing(scene: Scene) -> None:
    """Deaths before the rerun do not count."""
    case = scene.ready(four_views())
    die(scene)
    die(scene)
    scene.worker().step()
    with scene.store.unit() as unit:
        unit.apply(unit.case(case.id), CaseEvent.RERUN, scene.now)
    scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING


def test_a_database_that_is_away_is_waited_for(scene: Scene) -> None:
    """When the result was to be saved it was gone: the worker gives the case back, and answers it a little later."""
    case = scene.ready(four_views())

    def lose_the_database(*given: Any) -> Any:
        scene.store.away = True
        return scene.compose(*given)

    assert replace(scene.worker(), compose=lose_the_database).step() is False
    assert scene.worker().step() is False  # it is still away
    scene.store.away = False
    assert scene.case(case).state is CaseState.RUNNING
    assert scene.summary(case) == {}
    assert scene.worker().step() is False
    assert scene.case(case).state is CaseState.READY
    scene.later(5)
    assert scene.worker().step() is True
    assert scene.case(case).state is CaseState.DELIVERING


def test_a_lease_that_somebody_else_ended_meanwhile_is_left_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper may be quicker: the case is given back once."""
    case = scene.ready(four_views())
    with scene.store.unit() as unit:
        claimed = unit.claim(scene.now, scene.now + timedelta(seconds=300), "worker-1")
        assert claimed is not None
        unit.apply(claimed, CaseEvent.LEASE_EXPIRED, scene.now)
    monkeypatch.setattr(FakeUnit, "leases_of", lambda *_: [claimed])
    assert scene.worker().release_own() == 1
    with scene.store.unit() as unit:
        assert unit.tally(case.id)[CaseEvent.LEASE_EXPIRED] == 1
