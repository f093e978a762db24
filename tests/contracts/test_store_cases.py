"""What every store does with cases and their versions."""

from uuid import uuid4

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import StaleCase
from agent.core.patient import PatientKey
from agent.core.ports import Store
from tests.state_stores import CASE_UUID, MINUTE, PATIENT, QUESTION, T0, arrival, instance, opened


def test_a_patient_without_a_case(store: Store) -> None:
    """There is no newest case of a patient of whom nothing is known."""
    with store.unit() as unit:
        assert unit.newest_case(QUESTION, PATIENT) is None


def test_a_case_is_opened(store: Store) -> None:
    """A new case is version 1, collecting, unclaimed, and not scheduled."""
    with store.unit() as unit:
        case = unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
    assert (case.case_uuid, case.version, case.question, case.patient) == (CASE_UUID, 1, QUESTION, PATIENT)
    assert (case.state, case.attempt, case.opened_at, case.changed_at) == (CaseState.COLLECTING, 0, T0, T0)
    assert (case.due_at, case.ready_at, case.reason) == (None, None, "")
    with store.unit() as unit:
        assert unit.case(case.id) == case == unit.newest_case(QUESTION, PATIENT)


@pytest.mark.parametrize("other", [("nsln", PATIENT), (QUESTION, PatientKey("OTHER", PATIENT.patient_id))])
def test_cases_are_kept_apart(store: Store, other: tuple[str, PatientKey]) -> None:
    """Another question, or the same Patient ID of another issuer, is another case."""
    with store.unit() as unit:
        unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
        assert unit.newest_case(*other) is None


def test_an_open_case_goes_before_a_closed_one(store: Store) -> None:
    """A case that was opened later and is all over does not hide the one that goes on."""
    with store.unit() as unit:
        going_on = unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
        closed = unit.open_case(QUESTION, PATIENT, T0 + MINUTE, uuid4())
        closed = unit.apply(closed, CaseEvent.WITHDRAWN, T0 + MINUTE)
        assert unit.newest_case(QUESTION, PATIENT) == going_on
        unit.apply(going_on, CaseEvent.WITHDRAWN, T0 + MINUTE)
        assert unit.newest_case(QUESTION, PATIENT) == closed


def test_the_newest_case_is_the_one_opened_last(store: Store) -> None:
    """A new version of an older case does not make it the newest one; of the newest, the newest version counts."""
    with store.unit() as unit:
        old = unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
        new = unit.open_case(QUESTION, PATIENT, T0 + MINUTE, uuid4())
        second = unit.open_version(new, T0 + MINUTE)
        unit.open_version(old, T0 + 2 * MINUTE)
        assert unit.newest_case(QUESTION, PATIENT) == second


def test_a_case_uuid_is_used_once(store: Store) -> None:
    """Opening a case under a UUID that exists is refused."""
    with store.unit() as unit:
        unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.open_case(QUESTION, PATIENT, T0, CASE_UUID)


def test_a_version_is_opened_once(store: Store) -> None:
    """Two callers cannot both open the next version."""
    with store.unit() as unit:
        case = opened(unit)
        assert unit.open_version(case, T0).version == 2
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.open_version(case, T0)


def test_an_unknown_case_is_a_key_error(store: Store) -> None:
    """Asking for a case that is not there is the caller's mistake."""
    with pytest.raises(KeyError), store.unit() as unit:
        unit.case(99)


def test_a_locked_case_is_the_case(store: Store) -> None:
    """Locking returns the version as it stands; one that is not there is the caller's mistake."""
    with store.unit() as unit:
        case = opened(unit)
        assert unit.lock(case.id) == unit.lock(case.id) == case
    with pytest.raises(KeyError), store.unit() as unit:
        unit.lock(99)


def test_the_next_version_begins_with_the_instances_of_the_last(store: Store) -> None:
    """Version n+1 collects what version n had, without what was quarantined, and leaves version n as it was."""
    with store.unit() as unit:
        case = opened(unit)
        for n, uid in enumerate(("1.1", "1.2", "1.3")):
            case = unit.add_instance(case, instance(uid), arrival(uid, n), T0)
        first, second, third = unit.instances(case.id)
        unit.mark_left_out(case, first, "other side", quarantined=False)
        unit.mark_left_out(case, second, "no pixels", quarantined=True)
        following = unit.open_version(case, T0 + MINUTE)
        assert (following.version, following.case_uuid, following.patient) == (2, case.case_uuid, case.patient)
        assert (following.state, following.attempt, following.due_at) == (CaseState.COLLECTING, 0, None)
        assert unit.instances(following.id) == [first, third]
        assert unit.instances(case.id) == [first, second, third]
        assert unit.case(case.id) == case


def test_findings_are_kept_with_the_version(store: Store) -> None:
    """What the decision rested on comes back as JSON says it, the last word only."""
    findings = {"asked": True, "missing": ["US"], "facts": {"ki67_percent": {"value": 20.5}}, "cutoff": None}
    with store.unit() as unit:
        case = opened(unit)
        assert unit.findings(case.id) == {}
        unit.save_findings(case, {"asked": False})
        unit.save_findings(case, findings)
    with store.unit() as unit:
        assert unit.findings(case.id) == findings
