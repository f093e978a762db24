"""What every store does, whatever keeps its rows (the fake, SQLite and PostgreSQL): cursor, arrivals, transactions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import Store
from tests.fakes.store import INSTALLATION
from tests.state_stores import CASE_UUID, OBJECTS, PATIENT, QUESTION, T0, arrival, instance, opened, running


def test_a_new_store_has_read_nothing(store: Store) -> None:
    """The cursor of a new store is empty."""
    with store.unit() as unit:
        assert unit.cursor() == {}


def test_the_cursor_moves_by_segment(store: Store) -> None:
    """The cursor keeps the last record of each segment, of a recycled one too."""
    with store.unit() as unit:
        for ref in (SpoolRef(1, 1, 0), SpoolRef(1, 1, 4096), SpoolRef(2, 1, 8), SpoolRef(1, 2, 0)):
            unit.advance(ref)
    with store.unit() as unit:
        assert unit.cursor() == {1: SpoolRef(1, 2, 0), 2: SpoolRef(2, 1, 8)}


def test_a_record_has_one_end(store: Store) -> None:
    """Saying a record's end again changes nothing."""
    first = arrival("1.2.3", end=End.NOT_RELEVANT)
    with store.unit() as unit:
        unit.arrived(first)
        unit.arrived(arrival("1.2.3", end=End.OWN))
    with store.unit() as unit:
        assert unit.arrivals() == [first]


def test_an_arrival_comes_back_equal(store: Store) -> None:
    """Place, time to the microsecond, association, UID, end and reason are kept."""
    said = Arrival(SpoolRef(7, 3, 2**40), T0.replace(microsecond=123456), "run/2", "1.9", End.QUARANTINED, "torn – why")
    with store.unit() as unit:
        unit.arrived(said)
    with store.unit() as unit:
        assert unit.arrivals() == [said]


def test_an_installation_has_one_identity(store: Store) -> None:
    """The identity stays."""
    for _ in range(2):
        with store.unit() as unit:
            assert unit.installation() == INSTALLATION


def test_a_failed_unit_leaves_nothing(store: Store) -> None:
    """An error takes back everything that the unit did."""
    with store.unit() as unit:
        case = running(unit)

    def fail() -> None:
        with store.unit() as unit:
            unit.advance(SpoolRef(1, 1, 0))
            unit.association_opened("run/1", "MAMMO1", T0)
            unit.add_instance(opened(unit, 1), instance(), arrival(), T0)
            unit.save_findings(case, {"x": 1})
            unit.save_result(case, T0, {"n": 1}, {"pacs": OBJECTS})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.unit() as unit:
        assert (unit.cursor(), unit.arrivals(), unit.find_instance("1.2.3")) == ({}, [], None)
        assert unit.newest_case(QUESTION, PatientKey("EXAMPLE", "4712")) is None
        assert unit.case(case.id) == case
        assert (unit.findings(case.id), unit.summary(case.id), list(unit.outbox_of(case.id))) == ({}, {}, [])


def test_times_come_back_in_utc(store: Store) -> None:
    """Whatever zone a time is given in, it is the same moment, in UTC."""
    berlin = datetime(2026, 11, 21, 10, 0, 0, 7, tzinfo=timezone(timedelta(hours=1)))
    with store.unit() as unit:
        case = unit.open_case(QUESTION, PATIENT, berlin, CASE_UUID)
    with store.unit() as unit:
        stored = unit.case(case.id).opened_at
    assert stored == berlin == T0.replace(microsecond=7)
    assert stored.utcoffset() == UTC.utcoffset(None)
