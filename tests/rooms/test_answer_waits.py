"""The worker where results wait for a radiologist's report."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.core.case import CaseEvent, CaseState
from agent.core.ports import OutboxStatus
from agent.core.release import settle
from agent.core.result import Kind, Result, ResultObject, SourceImage
from tests.builders import PATIENT
from tests.infer_scene import T0, Scene, four_views
from tests.reading import read

HELD, WAITING = OutboxStatus.AWAITING_REPORT, OutboxStatus.WAITING


def standing(scene: Scene, case_id: int = 1) -> set[OutboxStatus]:
    """Where the items of a version stand."""
    with scene.store.unit() as unit:
        return {item.status for item in unit.outbox_of(case_id)}


def test_an_answer_is_saved_and_waits(scene: Scene) -> None:
    """Nothing of it is due."""
    case = scene.ready(four_views())
    scene.worker(wait_for_report=True).step()
    assert scene.case(case).state is CaseState.DELIVERING
    assert standing(scene) == {HELD}


def test_an_answer_that_was_read_before_goes_at_once(scene: Scene) -> None:
    """The report may be quicker than we are."""
    with scene.store.unit() as unit:
        unit.note_read(read("1.2", patient=PATIENT))
    scene.ready(four_views())
    scene.worker(wait_for_report=True).step()
    assert standing(scene) == {WAITING}


def test_other_sites_do_not_wait(scene: Scene) -> None:
    """Nor is anything noted for them."""
    scene.ready(four_views())
    scene.worker().step()
    assert standing(scene) == {WAITING}
    with scene.store.unit() as unit:
        assert unit.index_study(1) is None


def test_a_version_released_while_the_next_is_answered_is_named_by_it(scene: Scene) -> None:
    """The answer that does not name it is thrown away and computed again."""
    first = scene.ready(four_views())

    def compose(
        result: Result, sources: Sequence[SourceImage], note: Callable[[Kind, str], None]
    ) -> Sequence[ResultObject]:
        if result.version == 2:
            with scene.store.unit() as unit:
                unit.note_read(read("1.2", patient=PATIENT))
                settle(unit, [PATIENT], T0)
        return scene.compose(result, sources, note)

    worker = replace(scene.worker(wait_for_report=True), compose=compose)
    worker.step()
    answered = scene.case(first)
    with scene.store.unit() as unit:
        opened = unit.open_version(answered, T0)
        unit.save_findings(opened, unit.findings(first.id))
        second = unit.apply(opened, CaseEvent.COMPLETE, T0)
    worker.step()
    assert scene.case(second).state is CaseState.READY
    assert not scene.result.predecessors
    scene.later(600)
    worker.step()
    assert scene.case(second).state is CaseState.DELIVERING
    assert scene.result.predecessors
