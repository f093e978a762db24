"""What every store does, whatever keeps its rows: the fake, SQLite and PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from agent.core.case import ANSWERED, CaseEvent, CaseState, IllegalTransition
from agent.core.errors import Permanent, StaleCase
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, Store
from tests.fakes.store import INSTALLATION
from tests.state_stores import (
    CASE_UUID,
    MINUTE,
    OBJECTS,
    PATIENT,
    QUESTION,
    T0,
    arrival,
    delivering,
    instance,
    opened,
    ready,
    result_object,
    running,
)

WAITING = [OutboxStatus.WAITING]


def roles(items: Sequence[OutboxItem]) -> list[str]:
    """Return what the items hold, in their order."""
    return [item.role for item in items]


# what the spool said


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


# cases


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


# associations


def test_an_open_association_holds_its_case(store: Store) -> None:
    """A case waits for the association that brings its instances, and only for that."""
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        unit.association_opened("run/2", "MAMMO1", T0)
        mine = unit.add_instance(opened(unit), instance(), arrival(), T0)
        other = opened(unit, 1)
        assert unit.has_open_association(mine.id)
        assert not unit.has_open_association(other.id)
        unit.association_closed("run/1", T0 + MINUTE)
        assert not unit.has_open_association(mine.id)


def test_a_repeated_instance_holds_its_case(store: Store) -> None:
    """A second association that sends an instance again holds the case, too."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        assert not unit.has_open_association(case.id)
        unit.association_opened("run/2", "MAMMO1", T0)
        unit.arrived(arrival(offset=1, association_id="run/2", end=End.DUPLICATE))
        assert unit.has_open_association(case.id)


def test_a_restarted_receiver_has_no_association(store: Store) -> None:
    """What was open when the receiver died is over; a record read twice does not open it again."""
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.receiver_started(T0 + MINUTE)
        unit.association_opened("run/1", "MAMMO1", T0)
        assert not unit.has_open_association(case.id)


def test_a_restart_leaves_the_associations_of_the_new_run(store: Store) -> None:
    """An association that opened after the start, and was read before it, stays open."""
    with store.unit() as unit:
        unit.association_opened("run2/1", "MAMMO1", T0 + 2 * MINUTE)
        case = unit.add_instance(opened(unit), instance(), arrival(association_id="run2/1"), T0)
        unit.receiver_started(T0 + MINUTE)
        assert unit.has_open_association(case.id)


@pytest.mark.parametrize("times", [1, 2])
def test_an_end_that_is_read_before_its_beginning_stands(store: Store, times: int) -> None:
    """Segments are read one after another: a beginning that comes after its end opens nothing."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        for _ in range(times):
            unit.association_closed("run/1", T0 + MINUTE)
        assert not unit.has_open_association(case.id)
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        assert not unit.has_open_association(case.id)


# one door


def test_an_event_moves_a_case_and_is_noted(store: Store) -> None:
    """State, schedule, reason and history change together."""
    with store.unit() as unit:
        case = unit.apply(opened(unit), CaseEvent.NOT_ASKED, T0, reason="no cancer", due_at=T0 + MINUTE)
    assert (case.state, case.due_at, case.reason) == (CaseState.DORMANT, T0 + MINUTE, "no cancer")
    with store.unit() as unit:
        assert unit.case(case.id) == case
        (change,) = unit.history(case.id)
    assert (change.at, change.event, change.attempt, change.reason) == (T0, CaseEvent.NOT_ASKED, 0, "no cancer")
    assert (change.from_state, change.to_state) == (CaseState.COLLECTING, CaseState.DORMANT)


def test_an_event_that_cannot_happen_changes_nothing(store: Store) -> None:
    """An event that the table does not have is refused."""
    with store.unit() as unit:
        case = opened(unit)
    with pytest.raises(IllegalTransition), store.unit() as unit:
        unit.apply(case, CaseEvent.RESULT_SAVED, T0)
    with store.unit() as unit:
        assert (unit.case(case.id), list(unit.history(case.id))) == (case, [])


def test_a_case_that_moved_on_is_stale(store: Store) -> None:
    """Who looked at another state may write nothing at all."""
    with store.unit() as unit:
        old = unit.add_instance(opened(unit), instance(), arrival(), T0)
        now = unit.apply(old, CaseEvent.COMPLETE, T0)
        (stored,) = unit.instances(old.id)
        writes = (
            lambda: unit.apply(old, CaseEvent.NOT_ASKED, T0),
            lambda: unit.postpone(old, T0, "later"),
            lambda: unit.save_findings(old, {"x": 1}),
            lambda: unit.mark_left_out(old, stored, "why", quarantined=True),
            lambda: unit.mark_used(old, ["1.2.3"]),
        )
        for write in writes:
            with pytest.raises(StaleCase):
                write()
        assert unit.case(old.id) == now
        assert unit.findings(old.id) == {}
        assert unit.arrivals() == [arrival()]


def test_news_since_the_decision_makes_it_stale(store: Store) -> None:
    """A case in which an image arrived while it was judged is not complete."""
    with store.unit() as unit:
        judged = opened(unit)
    with store.unit() as unit:
        changed = unit.add_instance(judged, instance(), arrival(at=T0 + MINUTE), T0 + 2 * MINUTE)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.apply(judged, CaseEvent.COMPLETE, T0 + MINUTE)
    with store.unit() as unit:
        assert unit.case(judged.id) == changed


def test_a_case_knows_when_it_was_complete(store: Store) -> None:
    """COMPLETE sets the time, a retry keeps it, new images clear it."""
    with store.unit() as unit:
        case = ready(unit, at=T0 + MINUTE)
        assert case.ready_at == T0 + MINUTE
        claimed = unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-1")
        assert claimed is not None
        again = unit.apply(claimed, CaseEvent.RETRY_DUE, T0 + 2 * MINUTE)
        assert again.ready_at == T0 + MINUTE
        assert unit.add_instance(again, instance(), arrival(), T0).ready_at is None


def test_a_reason_stays_while_the_state_does(store: Store) -> None:
    """An image that joins a held case does not wipe out why it is held; leaving the state does."""
    with store.unit() as unit:
        held = unit.apply(opened(unit), CaseEvent.CONFLICT_FOUND, T0, reason="two patients")
        held = unit.add_instance(held, instance(), arrival(), T0)
        assert (held.state, held.reason) == (CaseState.HELD, "two patients")
        assert unit.apply(held, CaseEvent.RESOLVED, T0).reason == ""


def test_a_case_is_postponed(store: Store) -> None:
    """Looking again later changes schedule and reason, nothing else, and is no event."""
    with store.unit() as unit:
        case = opened(unit)
        later = unit.postpone(case, T0 + MINUTE, "waits for US")
        assert (later.due_at, later.reason, later.state) == (T0 + MINUTE, "waits for US", CaseState.COLLECTING)
        assert unit.case(case.id) == later
        assert list(unit.history(case.id)) == []


def test_due_cases_come_longest_due_first(store: Store) -> None:
    """Only cases of the states asked for, whose time has come, in order, up to the limit."""
    with store.unit() as unit:
        late, early, future = (
            unit.postpone(opened(unit, n), T0 + minutes * MINUTE, "") for n, minutes in enumerate((2, 1, 9))
        )
        unit.apply(opened(unit, 3), CaseEvent.NOT_ASKED, T0, due_at=T0)
        opened(unit, 4)  # not scheduled
        now = T0 + 2 * MINUTE
        assert unit.due([CaseState.COLLECTING], now, 9) == [early, late]
        assert unit.due([CaseState.COLLECTING], now, 1) == [early]
        assert len(unit.due([CaseState.COLLECTING, CaseState.DORMANT], now, 9)) == 3
        assert unit.due([CaseState.COLLECTING], T0 + 9 * MINUTE, 9)[-1] == future
        assert unit.due([CaseState.READY], now, 9) == []


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


# leases


def test_nothing_is_ready(store: Store) -> None:
    """Without a READY case there is nothing to claim."""
    with store.unit() as unit:
        opened(unit)
        assert unit.claim(T0, T0 + MINUTE, "worker-1") is None


def test_the_longest_waiting_case_is_claimed(store: Store) -> None:
    """Cases are claimed in the order in which they were complete, each once."""
    with store.unit() as unit:
        second, first = ready(unit, 0, T0 + 2 * MINUTE), ready(unit, 1, T0 + MINUTE)
        claimed = [unit.claim(T0 + 3 * MINUTE, T0 + 9 * MINUTE, "worker-1") for _ in range(3)]
    assert [case and case.id for case in claimed] == [first.id, second.id, None]


def test_a_claim_is_a_lease(store: Store) -> None:
    """A claimed case runs, counts an attempt, and has its lease's end."""
    with store.unit() as unit:
        case = running(unit)
        assert (case.state, case.attempt, case.due_at) == (CaseState.RUNNING, 1, T0 + MINUTE)
        assert unit.case(case.id) == case
        assert "worker-1" in unit.history(case.id)[-1].reason


def test_a_retry_waits_for_its_time(store: Store) -> None:
    """A case that is tried again later is not claimed before."""
    with store.unit() as unit:
        unit.apply(running(unit), CaseEvent.RETRY_DUE, T0, due_at=T0 + 5 * MINUTE)
        assert unit.claim(T0 + 4 * MINUTE, T0 + 9 * MINUTE, "worker-1") is None
        again = unit.claim(T0 + 5 * MINUTE, T0 + 9 * MINUTE, "worker-1")
        assert again is not None
        assert again.attempt == 2


def test_a_lease_ends(store: Store) -> None:
    """A lease is over when its time is, unless it is renewed."""
    with store.unit() as unit:
        case = running(unit)
        assert unit.expired_leases(T0 + MINUTE - timedelta(seconds=1)) == []
        assert unit.expired_leases(T0 + MINUTE) == [case]
        unit.renew(case, T0 + 2 * MINUTE)
        assert unit.expired_leases(T0 + MINUTE) == []
        assert [c.id for c in unit.expired_leases(T0 + 2 * MINUTE)] == [case.id]


def test_a_renewed_lease_still_saves(store: Store) -> None:
    """The worker goes on with the case that it claimed."""
    with store.unit() as unit:
        case = running(unit)
        unit.renew(case, T0 + 2 * MINUTE)
        assert unit.save_result(case, T0, {}, {}).state is CaseState.DELIVERING


@pytest.mark.parametrize("reclaimed", [False, True])
def test_a_lost_lease_cannot_be_renewed(store: Store, reclaimed: bool) -> None:
    """After its lease ended, and after another worker took over, a worker renews nothing."""
    with store.unit() as unit:
        case = running(unit)
        unit.apply(case, CaseEvent.LEASE_EXPIRED, T0 + MINUTE)
        if reclaimed:
            unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.renew(case, T0 + 9 * MINUTE)


def test_only_a_lease_is_renewed(store: Store) -> None:
    """A case that is not running has no lease."""
    with store.unit() as unit:
        case = ready(unit)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.renew(case, T0)


@pytest.mark.parametrize("reclaimed", [False, True])
def test_a_paused_worker_saves_nothing(store: Store, reclaimed: bool) -> None:
    """A worker that was stopped past its lease finds its case stale, and nothing of its result stays."""
    with store.unit() as unit:
        case = running(unit)
    with store.unit() as unit:
        now = unit.apply(case, CaseEvent.LEASE_EXPIRED, T0 + MINUTE)
        now = (reclaimed and unit.claim(T0 + MINUTE, T0 + 2 * MINUTE, "worker-2")) or now
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.save_result(case, T0 + 2 * MINUTE, {"n": 1}, {"pacs": OBJECTS})
    with store.unit() as unit:
        assert unit.case(case.id) == now
        assert (list(unit.result_objects(case.id)), list(unit.outbox_of(case.id))) == ([], [])
        assert unit.summary(case.id) == {}
        assert not unit.is_own("2.25.1")


# results and their way out


def test_a_result_is_saved_with_its_outbox(store: Store) -> None:
    """Objects, summary, outbox and state stand together, and the bytes are the same."""
    with store.unit() as unit:
        case = unit.save_result(running(unit), T0, {"answers": [{"side": "L"}]}, {"pacs": OBJECTS, "vna": OBJECTS[:1]})
    assert (case.state, case.due_at) == (CaseState.DELIVERING, None)
    with store.unit() as unit:
        assert tuple(unit.result_objects(case.id)) == OBJECTS
        assert unit.summary(case.id) == {"answers": [{"side": "L"}]}
        assert all(unit.is_own(o.sop_instance_uid) for o in OBJECTS)
        assert not unit.is_own("1.2.3")
        items = unit.outbox_of(case.id)
        assert [(i.destination, i.sop_instance_uid) for i in items] == [
            ("pacs", "2.25.1"),
            ("pacs", "2.25.2"),
            ("pacs", "2.25.3"),
            ("vna", "2.25.1"),
        ]
        assert [unit.encoded(item) for item in items] == [o.encoded for o in (*OBJECTS, OBJECTS[0])]


def test_an_item_says_what_it_holds(store: Store) -> None:
    """A new outbox item waits, untried, and repeats what sending needs to know."""
    with store.unit() as unit:
        case = unit.save_result(running(unit), T0 + MINUTE, {}, {"pacs": OBJECTS[2:]})
        (item,) = unit.outbox_of(case.id)
    assert (item.case_id, item.destination, item.status, item.attempts) == (case.id, "pacs", OutboxStatus.WAITING, 0)
    assert (item.next_at, item.queued_at, item.error) == (T0 + MINUTE, T0 + MINUTE, "")
    for name in ("kind", "role", "sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid"):
        assert getattr(item, name) == getattr(OBJECTS[2], name)
    assert item.transfer_syntax_uid == OBJECTS[2].transfer_syntax_uid


def test_a_result_without_destination(store: Store) -> None:
    """Without a destination nothing waits."""
    with store.unit() as unit:
        case = unit.save_result(running(unit), T0, {"n": 1}, {})
        assert (list(unit.outbox_of(case.id)), unit.summary(case.id)) == ([], {"n": 1})


def test_no_object_carries_the_uid_of_another(store: Store) -> None:
    """A UID that another version minted is refused, and nothing of the result stays."""
    with store.unit() as unit:
        unit.save_result(running(unit), T0, {}, {"pacs": OBJECTS})
        second = running(unit, 1)
    with pytest.raises(Permanent), store.unit() as unit:
        unit.save_result(second, T0, {}, {"pacs": [result_object("2.25.8"), OBJECTS[0]]})
    with store.unit() as unit:
        assert unit.case(second.id) == second
        assert not unit.is_own("2.25.8")


def test_no_two_objects_of_a_version_are_the_same(store: Store) -> None:
    """A version has one object of each axilla, kind, SOP class and index."""
    with store.unit() as unit:
        case = running(unit)
    with pytest.raises(Permanent), store.unit() as unit:
        unit.save_result(case, T0, {}, {"pacs": [result_object("2.25.8"), result_object("2.25.9")]})


def test_an_unsent_result_is_replaced(store: Store) -> None:
    """A version that failed before anything was tried may be run again."""
    with store.unit() as unit:
        failed = unit.apply(delivering(unit), CaseEvent.GAVE_UP, T0)
        unit.apply(failed, CaseEvent.RERUN, T0)
        case = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert case is not None
        unit.save_result(case, T0 + MINUTE, {"n": 2}, {"pacs": OBJECTS[:1]})
        assert (list(unit.result_objects(case.id)), unit.summary(case.id)) == ([OBJECTS[0]], {"n": 2})
        assert len(unit.outbox_of(case.id)) == 1


@pytest.mark.parametrize("status", list(OutboxStatus))
def test_a_version_that_may_have_been_seen_is_not_run_again(store: Store, status: OutboxStatus) -> None:
    """Once one object was tried, new content may not travel under its UID."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.settle(unit.outbox_of(case.id)[0], status, T0)
        failed = unit.apply(case, CaseEvent.GAVE_UP, T0)
    with pytest.raises(IllegalTransition, match="resend"), store.unit() as unit:
        unit.apply(failed, CaseEvent.RERUN, T0)
    with store.unit() as unit:
        assert unit.case(case.id) == failed


def test_what_is_about_to_be_sent_is_final(store: Store) -> None:
    """Before anything left, and without an attempt being counted, the version can no longer be run again."""
    with store.unit() as unit:
        case = delivering(unit)
        first, *rest = before = unit.outbox_of(case.id)
        unit.about_to_send([first], T0)
        assert unit.outbox_of(case.id) == before == [first, *rest]
        failed = unit.apply(case, CaseEvent.GAVE_UP, T0)
    with pytest.raises(IllegalTransition, match="resend"), store.unit() as unit:
        unit.apply(failed, CaseEvent.RERUN, T0)


def test_sending_again_does_not_make_a_result_unseen(store: Store) -> None:
    """What was queued again counts no attempts, and was seen all the same."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.about_to_send(unit.outbox_of(case.id), T0)
        again = unit.apply(unit.apply(case, CaseEvent.GAVE_UP, T0), CaseEvent.RESEND, T0)
        held = unit.apply(again, CaseEvent.CONFLICT_FOUND, T0)
        unit.apply(unit.apply(held, CaseEvent.RESOLVED, T0), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert claimed is not None
    with pytest.raises(Permanent, match="sent"), store.unit() as unit:
        unit.save_result(claimed, T0, {}, {"pacs": OBJECTS})


def test_a_sent_result_is_not_replaced(store: Store) -> None:
    """A held version of which something was sent cannot be answered anew."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.settle(unit.outbox_of(case.id)[0], OutboxStatus.SENT, T0)
        held = unit.apply(case, CaseEvent.CONFLICT_FOUND, T0)
        unit.apply(unit.apply(held, CaseEvent.RESOLVED, T0), CaseEvent.COMPLETE, T0)
        again = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert again is not None
    with pytest.raises(Permanent, match="sent"), store.unit() as unit:
        unit.save_result(again, T0, {"n": 9}, {"pacs": OBJECTS})
    with store.unit() as unit:
        assert (unit.summary(case.id), len(unit.result_objects(case.id))) == ({"n": 0}, 3)


def test_a_version_names_what_it_follows(store: Store) -> None:
    """The predecessors of a version are the objects of the newest earlier version that has any."""
    with store.unit() as unit:
        first = delivering(unit)
        without_result = unit.open_version(first, T0)
        third = unit.open_version(without_result, T0)
        assert unit.predecessors(first) == {}
        assert unit.predecessors(third) == {o.role: o.reference for o in unit.result_objects(first.id)}
        assert set(unit.predecessors(third)) == {"sr:L", "text_sr:", "secondary_capture:L"}


def test_the_outbox_is_read_by_destination_and_case(store: Store) -> None:
    """The oldest case comes first, its objects in sending order, up to the limit, of one destination."""
    with store.unit() as unit:
        first, second = delivering(unit, 0), delivering(unit, 1)
        items = unit.outbox("pacs", WAITING, T0, 4)
        assert [i.case_id for i in items] == [first.id] * 3 + [second.id]
        assert roles(items) == ["sr:L", "text_sr:", "secondary_capture:L", "sr:L"]
        assert unit.outbox("vna", WAITING, T0, 4) == []


def test_the_outbox_waits_for_the_time(store: Store) -> None:
    """An item is not due before its time."""
    with store.unit() as unit:
        case = delivering(unit)
        item = unit.outbox_of(case.id)[0]
        unit.settle(item, OutboxStatus.WAITING, T0, next_at=T0 + MINUTE, error="refused association")
        assert roles(unit.outbox("pacs", WAITING, T0, 9)) == ["text_sr:", "secondary_capture:L"]
        again = unit.outbox("pacs", WAITING, T0 + MINUTE, 9)[0]
        assert (again.id, again.attempts, again.error) == (item.id, 1, "refused association")
        assert (again.next_at, again.queued_at) == (T0 + MINUTE, T0)


def test_the_outbox_is_read_by_status(store: Store) -> None:
    """Sent items wait for proof, apart from those that wait to be sent; settled ones can be looked at."""
    with store.unit() as unit:
        sr, text, capture = unit.outbox_of(delivering(unit).id)
        unit.settle(sr, OutboxStatus.SENT, T0)
        unit.settle(text, OutboxStatus.CONFIRMED, T0)
        unit.settle(capture, OutboxStatus.REFUSED, T0, error="SOP class not supported")
        assert roles(unit.outbox("pacs", [OutboxStatus.SENT], T0, 9)) == ["sr:L"]
        assert unit.outbox("pacs", WAITING, T0, 9) == []
        assert len(unit.outbox("pacs", list(OutboxStatus), T0, 9)) == 3
        refused = unit.outbox_of(capture.case_id)[2]
        assert (refused.status, refused.error, refused.attempts) == (OutboxStatus.REFUSED, "SOP class not supported", 0)


@pytest.mark.parametrize("event", [CaseEvent.CONFLICT_FOUND, CaseEvent.WITHDRAWN, CaseEvent.GAVE_UP])
def test_nothing_leaves_of_a_case_that_is_stopped(store: Store, event: CaseEvent) -> None:
    """The objects of a held, withdrawn or failed case stay, but are not sent."""
    with store.unit() as unit:
        case = unit.apply(delivering(unit), event, T0)
        assert unit.outbox("pacs", list(OutboxStatus), T0, 9) == []
        assert len(unit.outbox_of(case.id)) == 3


@pytest.mark.parametrize("end", [CaseEvent.ALL_CONFIRMED, CaseEvent.GAVE_UP])
def test_sending_again_queues_every_object(store: Store, end: CaseEvent) -> None:
    """RESEND puts the stored bytes back into the outbox as if they had just been saved."""
    later = T0 + 60 * MINUTE
    with store.unit() as unit:
        case = delivering(unit)
        first, second, _ = unit.outbox_of(case.id)
        unit.settle(first, OutboxStatus.CONFIRMED, T0)
        unit.settle(second, OutboxStatus.WAITING, T0, next_at=later + MINUTE, error="out of resources")
        again = unit.apply(unit.apply(case, end, T0), CaseEvent.RESEND, later)
        assert again.state is CaseState.DELIVERING
        items = unit.outbox("pacs", WAITING, later, 9)
    assert [(i.attempts, i.queued_at, i.error) for i in items] == [(0, later, "")] * 3


@pytest.mark.parametrize("state", [CaseState.DELIVERING, CaseState.FAILED])
def test_queueing_again_changes_no_state(store: Store, state: CaseState) -> None:
    """All objects of the version, and of no other, wait anew; the case stays where it is."""
    later = T0 + 60 * MINUTE
    with store.unit() as unit:
        case, other = delivering(unit), delivering(unit, 1)
        if state is CaseState.FAILED:
            case = unit.apply(case, CaseEvent.GAVE_UP, T0)
        first, second, _ = unit.outbox_of(case.id)
        unit.settle(first, OutboxStatus.CONFIRMED, T0)
        unit.settle(second, OutboxStatus.WAITING, T0, next_at=later + MINUTE, error="out of resources")
        untouched = unit.outbox_of(other.id)
        unit.queue_again(case.id, later)
        items = unit.outbox_of(case.id)
        assert (unit.case(case.id), unit.outbox_of(other.id)) == (case, untouched)
    assert [(i.status, i.attempts, i.next_at, i.queued_at, i.error) for i in items] == [
        (OutboxStatus.WAITING, 0, later, later, "")
    ] * 3


def test_an_item_that_is_gone_cannot_be_settled(store: Store) -> None:
    """A courier that holds an item of a replaced result learns it."""
    with store.unit() as unit:
        case = delivering(unit)
        item = unit.outbox_of(case.id)[0]
        unit.apply(unit.apply(case, CaseEvent.GAVE_UP, T0), CaseEvent.RERUN, T0)
        again = unit.claim(T0, T0 + MINUTE, "worker-1")
        assert again is not None
        unit.save_result(again, T0, {}, {"pacs": OBJECTS})
        with pytest.raises(StaleCase):
            unit.settle(item, OutboxStatus.SENT, T0)
        with pytest.raises(StaleCase):
            unit.about_to_send([item], T0)
        with pytest.raises(KeyError):
            unit.encoded(item)


def test_a_commitment_confirms_and_requeues(store: Store) -> None:
    """What the destination keeps is confirmed, what it does not keep waits again, what it leaves out stays sent."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)
        for item in items:
            unit.settle(item, OutboxStatus.SENT, T0)
        unit.expect_commitment("2.25.99", items, T0)
        done, failed, _ = (i.sop_instance_uid for i in items)
        assert list(unit.committed("2.25.99", [done], [failed], T0 + MINUTE)) == [items[0].case_id]
    with store.unit() as unit:
        after = unit.outbox_of(items[0].case_id)
    assert [i.status for i in after] == [OutboxStatus.CONFIRMED, OutboxStatus.WAITING, OutboxStatus.SENT]
    assert [i.attempts for i in after] == [0, 1, 0]
    assert after[1].error
    assert after[1].next_at == T0 + MINUTE


def test_a_late_commitment_confirms_but_does_not_requeue(store: Store) -> None:
    """A late report confirms what is queued again; a late failure does not undo a confirmation."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)[:2]
        unit.expect_commitment("2.25.99", items, T0)
        unit.settle(items[0], OutboxStatus.CONFIRMED, T0)
        unit.committed("2.25.99", [items[1].sop_instance_uid], [items[0].sop_instance_uid], T0 + MINUTE)
        assert [i.status for i in unit.outbox_of(items[0].case_id)[:2]] == [OutboxStatus.CONFIRMED] * 2


@pytest.mark.parametrize("transaction_uid", ["2.25.99", "2.25.100"])
def test_a_commitment_speaks_of_what_was_asked(store: Store, transaction_uid: str) -> None:
    """An unknown transaction, and an instance that was not asked about, change nothing."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)
        unit.expect_commitment("2.25.99", items[:1], T0)
        concerned = unit.committed(
            transaction_uid, [items[1].sop_instance_uid, "1.2.3"], [items[2].sop_instance_uid], T0
        )
        assert list(concerned) == ([items[0].case_id] if transaction_uid == "2.25.99" else [])
        assert unit.outbox_of(items[0].case_id) == items


# the whole


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


def test_the_leases_of_a_worker_are_known(store: Store) -> None:
    """A worker that starts again finds what one of its name held, and nothing of another's."""
    with store.unit() as unit:
        case = running(unit)
        assert unit.leases_of("worker-1") == [case]
        assert unit.leases_of("worker-2") == []
        unit.apply(case, CaseEvent.LEASE_EXPIRED, T0, reason="the worker died")
        assert unit.leases_of("worker-1") == []
