"""A worker is watched while it holds a case, and only then: a stuck one ends before its lease does."""

from dataclasses import replace
from typing import Any

import pytest

from agent.core.case import CaseEvent
from agent.core.errors import Permanent
from tests.infer_scene import Scene, four_views

LEASE_S = 300
A_LITTLE_LESS = pytest.approx(285)


def test_a_worker_without_a_case_is_not_watched(scene: Scene) -> None:
    """It may wait for ever."""
    scene.worker(lease_s=LEASE_S).step()
    assert scene.watchdog.told == [None]


def test_the_watch_begins_with_the_lease_is_renewed_with_it_and_ends_with_the_work(scene: Scene) -> None:
    """Each time for a little less than the lease."""
    scene.ready(four_views())
    scene.worker(lease_s=LEASE_S).step()
    assert scene.watchdog.told == [A_LITTLE_LESS] * 3 + [None]


@pytest.mark.parametrize("error", [Permanent("rule 3 does not hold"), ZeroDivisionError()])
def test_the_watch_ends_with_an_error(scene: Scene, error: Exception) -> None:
    """Whether it is one that was foreseen or not."""
    scene.ready(four_views())

    def broken(*_: Any) -> Any:
        raise error

    worker = replace(scene.worker(lease_s=LEASE_S), compose=broken)
    if isinstance(error, Permanent):
        worker.step()
    else:
        with pytest.raises(type(error)):
            worker.step()
    assert scene.watchdog.told == [A_LITTLE_LESS] * 3 + [None]


def test_a_lost_lease_gives_no_more_time(scene: Scene) -> None:
    """It is not renewed, and the work ends there."""
    case = scene.ready(four_views())
    worker, taken = scene.worker(lease_s=LEASE_S), []

    def lost(part10: bytes) -> Any:
        if not taken:
            with scene.store.unit() as unit:
                unit.apply(unit.case(case.id), CaseEvent.LEASE_EXPIRED, scene.now)
                taken.append(unit.claim(scene.now, scene.now, "worker-2"))
        return worker.reader.decode(part10)

    replace(worker, reader=replace(worker.reader, decode=lost)).step()
    assert scene.watchdog.told == [A_LITTLE_LESS, None]
