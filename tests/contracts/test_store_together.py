"""What is looked up or written together answers as if it were done one by one; both stores."""

from datetime import timedelta

import pytest

from agent.core.demographics import Demographics
from agent.core.errors import StaleCase
from agent.core.identities import Retirement
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import Store
from tests.state_stores import MINUTE, OBJECTS, PATIENT, QUESTION, T0, arrival, instance, opened, running

OTHER = PatientKey("EXAMPLE", "4712")
SAID = Demographics("DOE^JANE", None, "F")


def test_what_is_expected_is_found_as_before(store: Store) -> None:
    """A known instance, one that comes meanwhile, one that never came, and a result of ours."""
    with store.unit() as unit:
        unit.save_result(running(unit, 1), T0, {}, {"pacs": OBJECTS})
        unit.add_instance(opened(unit), instance(), arrival(), T0)
    with store.unit() as unit:
        unit.expect(["1.2.3", "1.2.4", "1.2.5", "2.25.1", ""])
        assert unit.find_instance("1.2.3") is not None
        assert unit.find_instance("1.2.4") is None
        assert [unit.is_own(uid) for uid in ("1.2.3", "2.25.1")] == [False, True]
        case = unit.newest_case(QUESTION, PATIENT)
        assert case is not None
        unit.add_instance(case, instance("1.2.4"), arrival("1.2.4", 8), T0)
        found = unit.find_instance("1.2.4")
        assert found is not None
        assert found.ref.offset == 8
        assert unit.find_instance("1.2.5") is None
        unit.expect([])


def test_a_run_of_instances_moves_the_case_step_by_step(store: Store) -> None:
    """Each is in the history and in the version, and the case is due after the last."""
    with store.unit() as unit:
        case = opened(unit)
        for n in range(3):
            at = T0 + timedelta(seconds=n)
            case = unit.add_instance(case, instance(f"1.2.{n}"), arrival(f"1.2.{n}", n, at), at + MINUTE)
        assert unit.newest_case(QUESTION, PATIENT) == case
        assert [one.instance.sop_instance_uid for one in unit.instances(case.id)] == ["1.2.0", "1.2.1", "1.2.2"]
    with store.unit() as unit:
        assert unit.case(case.id) == case
        assert case.due_at == T0 + timedelta(seconds=2) + MINUTE
        assert sum(unit.tally(case.id).values()) == 3
        assert [one.end for one in unit.arrivals()] == [End.COLLECTED] * 3


def test_news_for_a_case_that_moved_on_is_refused(store: Store) -> None:
    """Whoever read it before the last news cannot add to it, in the same unit and in another one."""
    with store.unit() as unit:
        case = opened(unit)
        unit.add_instance(case, instance(), arrival(at=T0 + MINUTE), T0)
        with pytest.raises(StaleCase):
            unit.add_instance(case, instance("1.2.4"), arrival("1.2.4", 8), T0)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.add_instance(case, instance("1.2.4"), arrival("1.2.4", 8), T0)


def test_bytes_that_came_again_are_where_they_came_last(store: Store) -> None:
    """The place changes, nothing else, and an association that closes before it opens is closed."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.association_closed("run/1", T0)
        unit.association_opened("run/1", "MAMMO1", T0)
        stored = unit.find_instance("1.2.3")
        assert stored is not None
        unit.place(stored, arrival(offset=99).ref)
        again = unit.find_instance("1.2.3")
        assert again is not None
        assert (again.ref.offset, again.instance, again.received_at) == (99, stored.instance, stored.received_at)
        assert not unit.has_open_association(case.id)


def test_a_patient_on_her_own_is_alone(store: Store) -> None:
    """One name under one key, with studies that nobody shares."""
    with store.unit() as unit:
        assert not unit.is_alone(PATIENT)
        unit.note_identity(PATIENT, SAID, T0)
        unit.note_study("1.2", PATIENT)
        assert unit.is_alone(PATIENT)


@pytest.mark.parametrize("company", ["name", "study", "retired", "surviving", "barred", "ruled", "variant"])
def test_a_patient_in_company_is_not(store: Store, company: str) -> None:
    """Another name, a shared study, a merge either way, a ruling, or an object that waits for one."""
    with store.unit() as unit:
        unit.note_identity(PATIENT, SAID, T0)
        unit.note_study("1.2", PATIENT)
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        assert unit.is_alone(PATIENT)
        if company == "name":
            unit.note_identity(PATIENT, Demographics("ROE^MARY", None, "F"), T0)
        elif company == "study":
            unit.note_study("1.2", OTHER)
        elif company == "retired":
            unit.retire(Retirement(T0, "1", PATIENT, OTHER))
        elif company == "surviving":
            unit.retire(Retirement(T0, "1", OTHER, PATIENT))
        elif company == "barred":
            unit.bar_study("1.2", PATIENT, "left out")
        elif company == "ruled":
            ruled = unit.identity(PATIENT, SAID)
            assert ruled is not None
            unit.rule_identity(type(ruled)(ruled.key, ruled.demographics, ruled.seen_at, OTHER))
        else:
            unit.add_variant(instance(patient=OTHER), arrival("1.2.3", 8), other_pixels=True)
        assert not unit.is_alone(PATIENT)
        assert unit.case(case.id).patient == PATIENT
