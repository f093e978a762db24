"""Counts that are kept while rows change: they equal what counting the rows says, whatever happens to these."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import command

from agent.core.case import CaseEvent
from agent.core.errors import StaleCase
from agent.core.instance import End
from agent.core.ports import OutboxStatus
from agent.state import SqlStore
from agent.state.database import open_engine, parse_url
from agent.state.migration import _config
from agent.state.overview import overview
from agent.state.schema import newest_version
from agent.state.tables import arrival as arrivals
from agent.state.tables import cases, outbox
from tests.state_stores import MINUTE, OBJECTS, T0, arrival, delivering, instance, opened, ready, running


def _counted(store: SqlStore) -> tuple[dict[str, int], ...]:
    """Count the rows themselves, as the overview says it."""
    kinds = (cases.c.state,), (arrivals.c.ending,), (arrivals.c.reason,), (outbox.c.destination, outbox.c.status)
    with store.reading() as db:
        return tuple(
            {": ".join(row[:-1]): row[-1] for row in db.execute(sa.select(*k, sa.func.count()).group_by(*k)) if row[0]}
            for k in kinds
        )


def _kept(store: SqlStore) -> tuple[dict[str, int], ...]:
    with store.reading() as db:
        seen = overview(db)
    return tuple(dict(one) for one in (seen.cases, seen.arrivals, seen.reasons, seen.outbox))


def test_every_change_of_a_case_is_counted(sql_store: SqlStore) -> None:
    """Opened, complete, claimed, answered, given up and sent again, withdrawn."""
    with sql_store.unit() as unit:
        case = delivering(unit, 1)
        failed = unit.apply(case, CaseEvent.GAVE_UP, T0)
        opened(unit, 2)
        ready(unit, 3)
    assert _kept(sql_store)[0] == _counted(sql_store)[0] == {"failed": 1, "collecting": 1, "ready": 1}
    with sql_store.unit() as unit:
        unit.apply(failed, CaseEvent.RESEND, T0)
        unit.withdraw(unit.case(failed.id), T0, "")
    assert _kept(sql_store)[0] == _counted(sql_store)[0] == {"closed": 1, "collecting": 1, "ready": 1}


def test_every_change_of_the_outbox_is_counted(sql_store: SqlStore) -> None:
    """Queued, replaced by another answer, sent, confirmed and queued again."""
    with sql_store.unit() as unit:
        first = unit.save_result(running(unit), T0, {}, {"pacs": OBJECTS, "archive": OBJECTS[:1]})
        unit.apply(first, CaseEvent.GAVE_UP, T0)
        unit.apply(unit.case(first.id), CaseEvent.RERUN, T0)
        again = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert again is not None
        unit.save_result(again, T0, {}, {"pacs": OBJECTS})
    assert _kept(sql_store)[3] == _counted(sql_store)[3] == {"pacs: waiting": 3}
    with sql_store.unit() as unit:
        one, two, _ = unit.outbox_of(again.id)
        unit.settle(one, OutboxStatus.SENT, T0)
        unit.settle(two, OutboxStatus.WAITING, T0, next_at=T0 + MINUTE)
        unit.expect_commitment("2.25.9", [one], T0)
        unit.committed("2.25.9", [one.sop_instance_uid], {}, T0)
    assert _kept(sql_store)[3] == _counted(sql_store)[3] == {"pacs: waiting": 2, "pacs: confirmed": 1}
    with sql_store.unit() as unit:
        unit.queue_again(again.id, T0)
    assert _kept(sql_store)[3] == _counted(sql_store)[3] == {"pacs: waiting": 3}


def test_every_record_is_counted_once(sql_store: SqlStore) -> None:
    """Also one that is said twice, and one that a worker could not decode."""
    with sql_store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.arrived(arrival())
        unit.arrived(arrival("1.2.4", 8, end=End.NOT_RELEVANT))
    with sql_store.unit() as unit:
        unit.arrived(arrival())
        unit.mark_left_out(case, unit.instances(case.id)[0], "cannot be decoded", quarantined=True)
        unit.arrived(arrival("1.2.5", 16))
    ends, reasons = _kept(sql_store)[1:3]
    assert (ends, reasons) == _counted(sql_store)[1:3]
    assert ends == {"collected": 1, "not_relevant": 1, "quarantined": 1}
    assert reasons == {"cannot be decoded": 1}


def test_what_is_taken_back_is_not_counted(sql_store: SqlStore) -> None:
    """A unit that fails leaves no count, one whose news come too late neither."""
    with sql_store.unit() as unit:
        case = opened(unit)
    try:
        with sql_store.unit() as unit:
            unit.add_instance(case, instance(), arrival(at=T0 + timedelta(seconds=1)), T0)
            unit.add_instance(case, instance("1.2.4"), arrival("1.2.4", 8), T0)
    except StaleCase:
        pass
    assert _kept(sql_store)[:2] == _counted(sql_store)[:2] == ({"collecting": 1}, {})


def test_a_database_of_before_is_counted_when_it_is_migrated(url: str) -> None:
    """What it holds is there afterwards."""
    store = SqlStore(url)
    with store.unit() as unit:
        unit.add_instance(opened(unit, 1), instance(), arrival(), T0)
        delivering(unit, 2)
    store.close()
    engine = open_engine(parse_url(url))
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE tally")
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
        config = _config()
        config.attributes["connection"] = db
        command.upgrade(config, "0004")
        newest = sa.text("UPDATE alembic_version SET version_num = :newest")  # it has the rest already
        db.execute(newest, {"newest": newest_version()})
    engine.dispose()
    migrated = SqlStore(url)
    assert _kept(migrated) == _counted(migrated)
    assert _kept(migrated)[0] == {"collecting": 1, "delivering": 1}
    migrated.close()
