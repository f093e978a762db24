"""What every store does with the instances of a case, and with those that are left out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from agent.core.case import ANSWERED, CaseEvent, CaseState, IllegalTransition
from agent.core.identities import Retirement
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import Store
from tests.state_stores import CASE_UUID, MINUTE, PATIENT, QUESTION, T0, arrival, instance, opened, running


def test_an_instance_is_added(store: Store) -> None:
    """Row, arrival and event stand together; the case is due when it has been quiet."""
    header, came = instance(), arrival(at=T0 + MINUTE)
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), header, came, T0 + 2 * MINUTE)
    assert (case.state, case.changed_at, case.due_at) == (CaseState.COLLECTING, T0 + MINUTE, T0 + 2 * MINUTE)
    with store.unit() as unit:
        assert unit.case(case.id) == case
        stored = unit.find_instance("1.2.3")
        assert stored is not None
        assert (stored.instance, stored.ref, stored.received_at) == (header, came.ref, came.received_at)
        assert unit.instances(case.id) == [stored]
        assert unit.arrivals() == [came]
        assert [(c.at, c.event) for c in unit.history(case.id)] == [(T0 + MINUTE, CaseEvent.INSTANCE_STORED)]


def test_an_unknown_instance_is_not_found(store: Store) -> None:
    """An arrival that belongs to no case is no instance of one."""
    with store.unit() as unit:
        unit.arrived(arrival("1.2.3", end=End.NOT_RELEVANT))
        assert unit.find_instance("1.2.3") is None
        assert unit.instances(99) == []


@pytest.mark.parametrize(
    ("path", "has"),
    [
        ((), True),
        ((CaseEvent.CONFLICT_FOUND,), True),
        ((CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED), True),
        ((CaseEvent.NOT_ASKED, CaseEvent.EXPIRED), False),
    ],
)
def test_a_closed_case_has_no_instance_any_more(store: Store, path: Sequence[CaseEvent], has: bool) -> None:
    """An instance is looked for in versions that are not closed."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.arrived(arrival("1.9", 1, end=End.NOT_RELEVANT))
        for event in path:
            case = unit.apply(case, event, T0, due_at=T0)
        assert unit.has_open_case("1.2.3") is has
        assert not unit.has_open_case("1.9")


def test_any_open_version_has_the_instance(store: Store) -> None:
    """A closed version does not hide another one that holds the instance."""
    with store.unit() as unit:
        first = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.open_version(first, T0)
        unit.apply(first, CaseEvent.WITHDRAWN, T0)
        assert unit.has_open_case("1.2.3")


def test_a_withdrawn_version_of_a_case_that_stands_has_its_instances(store: Store) -> None:
    """What came after an answer and changed nothing is known all the same: it may be corrected."""
    with store.unit() as unit:
        first = opened(unit)
        for event in (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED):
            first = unit.apply(first, event, T0, due_at=T0)
        second = unit.add_instance(unit.open_version(first, T0), instance(), arrival(), T0)
        unit.apply(second, CaseEvent.WITHDRAWN, T0)
        assert unit.has_open_case("1.2.3")


def test_an_instance_lies_where_it_arrived_last(store: Store) -> None:
    """The bytes of a closed case may be gone: added again, the instance is the same one at the new place."""
    with store.unit() as unit:
        old = unit.add_instance(opened(unit), instance(), arrival(), T0)
        before = unit.find_instance("1.2.3")
        unit.apply(old, CaseEvent.WITHDRAWN, T0)
        again = arrival(offset=7, at=T0 + MINUTE)
        new = unit.add_instance(opened(unit, 1), instance(), again, T0)
        after = unit.find_instance("1.2.3")
        assert before is not None and after is not None
        assert (after.id, after.instance) == (before.id, before.instance)
        assert (after.ref, after.received_at) == (again.ref, again.received_at)
        assert unit.instances(new.id) == unit.instances(old.id) == [after]
        assert [(a.ref, a.end) for a in unit.arrivals()] == [(SpoolRef(1, 1, n), End.COLLECTED) for n in (0, 7)]


def test_two_questions_share_an_instance(store: Store) -> None:
    """An instance that two cases use is one instance."""
    with store.unit() as unit:
        one = unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
        two = unit.open_case("nsln", PATIENT, T0, uuid4())
        for case in (one, two):
            unit.add_instance(case, instance(), arrival(), T0)
        assert unit.instances(one.id) == unit.instances(two.id)
        assert len(unit.arrivals()) == 1


def test_instances_stand_in_order_of_arrival(store: Store) -> None:
    """Instances are listed as they were received."""
    with store.unit() as unit:
        case = opened(unit)
        for n, uid in enumerate(("1.9", "1.1", "1.5")):
            case = unit.add_instance(case, instance(uid), arrival(uid, n, T0 + n * MINUTE), T0)
        listed = [s.instance.sop_instance_uid for s in unit.instances(case.id)]
    assert listed == ["1.9", "1.1", "1.5"]


@pytest.mark.parametrize("path", [(), (CaseEvent.GAVE_UP,), (CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED)])
def test_a_fixed_version_takes_no_instance(store: Store, path: Sequence[CaseEvent]) -> None:
    """Adding to a version that was claimed is refused and leaves nothing."""
    with store.unit() as unit:
        case = running(unit)
        for event in path:
            case = unit.apply(case, event, T0)
    assert case.state in ANSWERED
    with pytest.raises(IllegalTransition), store.unit() as unit:
        unit.add_instance(case, instance(), arrival(), T0)
    with store.unit() as unit:
        assert (unit.instances(case.id), unit.arrivals(), unit.find_instance("1.2.3")) == ([], [], None)


def test_quarantine_changes_the_end_of_what_arrived(store: Store) -> None:
    """Every arrival of a quarantined instance ends in quarantine; a conflict keeps its own reason, others their end."""
    conflict = Arrival(SpoolRef(1, 1, 2), T0, "run/1", "1.2.3", End.QUARANTINED, "conflict")
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.arrived(arrival(offset=1, end=End.DUPLICATE))
        unit.arrived(conflict)
        unit.arrived(arrival("1.7", offset=3, end=End.NOT_RELEVANT))
        unit.mark_left_out(case, unit.instances(case.id)[0], "no pixels", quarantined=True)
        ends = [(a.end, a.reason) for a in unit.arrivals()]
    assert ends == [
        (End.QUARANTINED, "no pixels"),
        (End.QUARANTINED, "no pixels"),
        (End.QUARANTINED, "conflict"),
        (End.NOT_RELEVANT, ""),
    ]


def test_leaving_out_changes_no_end(store: Store) -> None:
    """An instance that a version does not use stays collected."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.mark_left_out(case, unit.instances(case.id)[0], "other side", quarantined=False)
        assert unit.arrivals() == [arrival()]


def test_what_could_not_be_read_is_known_by_its_patient(store: Store) -> None:
    """Quarantined arrivals of the patient, under a merged key too, but none whose UID is here, nor old ones."""
    old_key = PatientKey("EXAMPLE", "OLD")
    bad = replace(arrival("1.2.9", 5, end=End.QUARANTINED), patient=PATIENT, modality="MG", reason="truncated")
    merged = replace(bad, ref=SpoolRef(1, 1, 6), sop_instance_uid="1.2.10", patient=old_key)
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.retire(Retirement(T0, "M1", old_key, PATIENT))
        unit.arrived(bad)
        unit.arrived(merged)
        unit.arrived(replace(bad, ref=SpoolRef(1, 1, 7), sop_instance_uid="1.2.3"))
        unit.arrived(replace(bad, ref=SpoolRef(1, 1, 8), patient=PatientKey("EXAMPLE", "OTHER")))
        unit.arrived(replace(bad, ref=SpoolRef(1, 1, 9), received_at=T0 - timedelta(days=2)))
        assert list(unit.damaged(case)) == [bad, merged]


def test_the_bytes_of_an_instance_may_lie_elsewhere(store: Store) -> None:
    """They came again: from then on they are read from there."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.place(unit.instances(case.id)[0], SpoolRef(9, 2, 64))
        assert unit.instances(case.id)[0].ref == SpoolRef(9, 2, 64)
