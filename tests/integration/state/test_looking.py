"""Looking at the state with what a unit offers: the database itself refuses to write."""

import pytest

from agent.core.errors import SentinodeError
from agent.state import SqlStore
from tests.state_stores import T0, delivering, opened


def test_a_look_sees_what_was_committed(sql_store: SqlStore) -> None:
    """Everything that a unit reads."""
    with sql_store.unit() as unit:
        case = delivering(unit)
        unit.keep_lineage(case, {"images": []})
    with sql_store.looking() as unit:
        assert unit.case(case.id) == case
        assert unit.lineage(case.id) == {"images": []}
        assert len(unit.result_objects(case.id)) == 3


def test_a_look_cannot_write_and_whoever_comes_next_can(sql_store: SqlStore) -> None:
    """Also on the same connection."""
    with pytest.raises(SentinodeError), sql_store.looking() as unit:
        opened(unit)
    with sql_store.unit() as unit:
        case = opened(unit)
    with sql_store.looking() as unit:
        assert unit.case(case.id) == case
        assert unit.history(case.id) == []
        assert unit.case(case.id).opened_at == T0
