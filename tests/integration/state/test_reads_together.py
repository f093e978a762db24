"""A result that is saved at the moment at which its study's report comes."""

from dataclasses import replace
from threading import Thread
from types import MappingProxyType

from agent.core.ports import OutboxStatus
from agent.core.release import settle, wait_for_report
from agent.state import SqlStore
from tests.builders import result
from tests.reading import PATIENT, read
from tests.state_stores import T0, delivering


def test_a_report_is_not_missed_by_a_result_that_is_being_saved(sql_store: SqlStore) -> None:
    """Who notes it waits for who saves, and lets go what was saved: else it would wait for ever."""

    def note() -> None:
        with sql_store.unit() as unit:
            unit.alone()
            unit.note_read(read())
            settle(unit, [PATIENT], T0)

    noting = Thread(target=note)
    with sql_store.unit() as unit:
        unit.alone()
        noting.start()
        case = delivering(unit)
        said = replace(result(), made_at=T0, predecessors=MappingProxyType({}))
        assert wait_for_report(unit, case, said, unit.result_objects(case.id))
        noting.join(0.3)
        assert noting.is_alive()
    noting.join(20)
    with sql_store.unit() as unit:
        assert {item.status for item in unit.outbox_of(case.id)} == {OutboxStatus.WAITING}
        assert unit.index_study(case.id) is not None


def test_a_result_sees_the_report_that_came_just_before(sql_store: SqlStore) -> None:
    """The other way round."""
    with sql_store.unit() as unit:
        unit.alone()
        unit.note_read(read())
    with sql_store.unit() as unit:
        unit.alone()
        case = delivering(unit)
        said = replace(result(), made_at=T0, predecessors=MappingProxyType({}))
        assert not wait_for_report(unit, case, said, unit.result_objects(case.id))
