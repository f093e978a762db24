"""A new version names the objects of the version before, in every store."""

from agent.core.case import CaseEvent
from agent.core.ports import Store
from agent.core.result import ResultObject
from tests.state_stores import MINUTE, T0, delivering, result_object


def test_the_first_version_has_no_predecessors(store: Store) -> None:
    """Nor does its own result count as one."""
    with store.unit() as unit:
        assert unit.predecessors(delivering(unit)) == {}


def test_predecessors_are_those_of_the_newest_version_that_has_objects(store: Store) -> None:
    """A version between that failed without a result is passed over, and another case's are never named."""
    with store.unit() as unit:
        first = delivering(unit)
        delivering(unit, 1)
        second = unit.open_version(first, T0 + MINUTE)
        unit.apply(second, CaseEvent.COMPLETE, T0)
        failed = unit.claim(T0, T0 + MINUTE, "worker")
        assert failed is not None
        unit.apply(failed, CaseEvent.GAVE_UP, T0, reason="gone")
        third = unit.open_version(unit.case(second.id), T0 + MINUTE)
        saved = {one.role: one.reference for one in unit.result_objects(first.id)}
        assert unit.predecessors(third) == saved
        assert len(saved) == 3


def test_a_newer_result_replaces_the_older_one_as_predecessor(store: Store) -> None:
    """Version 3 names version 2, not version 1."""
    with store.unit() as unit:
        first = delivering(unit)
        second = unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker")
        assert claimed is not None
        assert claimed.id == second.id
        newer: ResultObject = result_object("2.25.77")
        unit.save_result(claimed, T0, {}, {"pacs": [newer]})
        third = unit.open_version(unit.case(claimed.id), T0 + MINUTE)
        assert unit.predecessors(third) == {newer.role: newer.reference}
