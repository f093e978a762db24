"""Since when the oldest case has needed its images."""

import pytest

from agent.core.case import CaseEvent
from agent.state import SqlStore
from agent.state.overview import pinned_since
from tests.state_stores import MINUTE, T0, delivering, opened

PATHS: tuple[tuple[tuple[CaseEvent, ...], bool], ...] = (
    ((CaseEvent.INSTANCE_STORED,), True),
    ((CaseEvent.CONFLICT_FOUND,), True),
    ((CaseEvent.COMPLETE,), True),
    ((CaseEvent.COMPLETE, CaseEvent.CLAIMED), True),
    ((CaseEvent.NOT_ASKED,), False),
    ((CaseEvent.WITHDRAWN,), False),
)


@pytest.mark.parametrize(("path", "pins"), PATHS)
def test_an_unfinished_case_keeps_its_images(sql_store: SqlStore, path: tuple[CaseEvent, ...], pins: bool) -> None:
    """Whatever it waits for; one that sleeps or ended does not."""
    with sql_store.unit() as unit:
        case = opened(unit)
        for event in path:
            case = unit.apply(case, event, T0, due_at=T0 + MINUTE)
    with sql_store.reading() as connection:
        assert pinned_since(connection) == (T0 if pins else None)


def test_a_case_on_its_way_out_keeps_them_too(sql_store: SqlStore) -> None:
    """Until all is confirmed."""
    with sql_store.unit() as unit:
        delivering(unit)
    with sql_store.reading() as connection:
        assert pinned_since(connection) == T0
