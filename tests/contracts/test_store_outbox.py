"""What every store does with the outbox: what is due, sent again, confirmed."""

from dataclasses import replace

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent, StaleCase
from agent.core.ports import OutboxStatus, Settled, Store, Unit
from agent.core.result import Kind
from tests.state_stores import MINUTE, OBJECTS, T0, WAITING, delivering, result_object, roles, running

NOT_KEPT = Settled(OutboxStatus.WAITING, "the destination did not commit to keep it")


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
        assert (again.id, again.attempts, again.error) == (item.id, 0, "refused association")
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


def test_what_was_sent_least_comes_first(store: Store) -> None:
    """Never sent ones of any case before those that were sent once, and these before one that was sent twice."""
    with store.unit() as unit:
        first, second = delivering(unit, 0), delivering(unit, 1)
        sr, text, _ = unit.outbox_of(first.id)
        for tried in ([sr, text], [sr]):
            unit.about_to_send(tried, T0)
        found = unit.outbox("pacs", WAITING, T0, 9)
        assert [(i.case_id, i.attempts) for i in found] == [
            (first.id, 0),
            *[(second.id, 0)] * 3,
            (first.id, 1),
            (first.id, 2),
        ]
        assert roles(found[-2:]) == ["text_sr:", "sr:L"]
        assert unit.outbox("pacs", WAITING, T0, 5) == found[:5]


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
        with pytest.raises(StaleCase):
            unit.answered(item)
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
        assert list(unit.committed("2.25.99", [done], {failed: NOT_KEPT}, T0 + MINUTE)) == [items[0].case_id]
    with store.unit() as unit:
        after = unit.outbox_of(items[0].case_id)
    assert [i.status for i in after] == [OutboxStatus.CONFIRMED, OutboxStatus.WAITING, OutboxStatus.SENT]
    assert [i.attempts for i in after] == [0, 0, 0]
    assert after[1].error
    assert after[1].next_at == T0 + MINUTE


def test_a_late_commitment_confirms_but_does_not_requeue(store: Store) -> None:
    """A late report confirms what is queued again; a late failure does not undo a confirmation."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)[:2]
        unit.expect_commitment("2.25.99", items, T0)
        unit.settle(items[0], OutboxStatus.CONFIRMED, T0)
        unit.committed("2.25.99", [items[1].sop_instance_uid], {items[0].sop_instance_uid: NOT_KEPT}, T0 + MINUTE)
        assert [i.status for i in unit.outbox_of(items[0].case_id)[:2]] == [OutboxStatus.CONFIRMED] * 2


@pytest.mark.parametrize("transaction_uid", ["2.25.99", "2.25.100"])
def test_a_commitment_speaks_of_what_was_asked(store: Store, transaction_uid: str) -> None:
    """An unknown transaction, and an instance that was not asked about, change nothing."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)
        unit.expect_commitment("2.25.99", items[:1], T0)
        concerned = unit.committed(
            transaction_uid, [items[1].sop_instance_uid, "1.2.3"], {items[2].sop_instance_uid: NOT_KEPT}, T0
        )
        assert list(concerned) == ([items[0].case_id] if transaction_uid == "2.25.99" else [])
        assert unit.outbox_of(items[0].case_id) == items


def test_a_failure_counts_once_a_transaction(store: Store) -> None:
    """Repeated after the object was stored again it says nothing; one of a later transaction does."""
    with store.unit() as unit:
        item = unit.outbox_of(delivering(unit).id)[0]
        uid = item.sop_instance_uid

        def sent_and_failed(transaction_uid: str) -> OutboxStatus:
            unit.settle(item, OutboxStatus.SENT, T0)
            unit.committed(transaction_uid, [], {uid: NOT_KEPT}, T0)
            return unit.outbox_of(item.case_id)[0].status

        unit.expect_commitment("2.25.99", [item], T0)
        unit.expect_commitment("2.25.100", [item], T0)
        assert sent_and_failed("2.25.99") is OutboxStatus.WAITING
        assert sent_and_failed("2.25.99") is OutboxStatus.SENT
        assert sent_and_failed("2.25.100") is OutboxStatus.SENT, "asked before it was sent again"
        unit.expect_commitment("2.25.101", [item], T0)
        assert unit.asked([item]) == {item.id: 1}
        assert sent_and_failed("2.25.101") is OutboxStatus.WAITING
        assert unit.asked([item]) == {}
        unit.committed("2.25.99", [uid], {}, T0)
        assert unit.outbox_of(item.case_id)[0].status is OutboxStatus.WAITING


def test_what_is_to_be_asked_about_again_keeps_its_time(store: Store) -> None:
    """A failure that leaves an item SENT does not make it due."""
    with store.unit() as unit:
        item = unit.outbox_of(delivering(unit).id)[0]
        unit.settle(item, OutboxStatus.SENT, T0, next_at=T0 + 9 * MINUTE)
        unit.expect_commitment("2.25.99", [item], T0)
        unit.committed("2.25.99", [], {item.sop_instance_uid: Settled(OutboxStatus.SENT, "duplicate")}, T0)
        after = unit.outbox_of(item.case_id)[0]
    assert (after.status, after.next_at, after.error) == (OutboxStatus.SENT, T0 + 9 * MINUTE, "duplicate")


def test_queueing_again_closes_what_was_asked(store: Store) -> None:
    """A report that comes after it confirms nothing."""
    with store.unit() as unit:
        items = unit.outbox_of(delivering(unit).id)
        unit.expect_commitment("2.25.99", items, T0)
        assert unit.asked(items) == {item.id: 1 for item in items}
        unit.queue_again(items[0].case_id, T0)
        unit.committed("2.25.99", [item.sop_instance_uid for item in items], {}, T0)
        assert (unit.asked(items), unit.underway()) == ({}, {"pacs": 3})


def test_a_failure_may_be_for_good(store: Store) -> None:
    """What becomes of the object is said with it."""
    with store.unit() as unit:
        item = unit.outbox_of(delivering(unit).id)[0]
        unit.settle(item, OutboxStatus.SENT, T0)
        unit.expect_commitment("2.25.99", [item], T0)
        unit.committed("2.25.99", [], {item.sop_instance_uid: Settled(OutboxStatus.REFUSED, "conflict")}, T0)
        after = unit.outbox_of(item.case_id)[0]
    assert (after.status, after.error) == (OutboxStatus.REFUSED, "conflict")


# objects in reserve


def with_reserve(unit: Unit, *destinations: str) -> Case:
    """Save an SR, one in reserve for it and a capture for each destination."""
    preferred, capture = result_object("2.25.1"), result_object("2.25.3", Kind.SECONDARY_CAPTURE, "L", 1)
    reserve = replace(
        result_object("2.25.2"),
        role="sr:L:comprehensive",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
        instead_of="2.25.1",
    )
    objects = [preferred, reserve, capture]
    return unit.save_result(running(unit), T0, {}, dict.fromkeys(destinations or ("pacs",), objects))


def test_an_object_in_reserve_is_spare(store: Store) -> None:
    """It is kept and known, and not among what is to be sent."""
    with store.unit() as unit:
        case = with_reserve(unit)
        assert [i.status for i in unit.outbox_of(case.id)] == [
            OutboxStatus.WAITING,
            OutboxStatus.SPARE,
            OutboxStatus.WAITING,
        ]
        assert [i.instead_of for i in unit.outbox_of(case.id)] == ["", "2.25.1", ""]
        assert [o.instead_of for o in unit.result_objects(case.id)] == ["", "2.25.1", ""]
        assert roles(unit.outbox("pacs", WAITING, T0, 9)) == ["sr:L", "secondary_capture:L"]


def test_a_spare_object_is_used_where_it_is_wanted(store: Store) -> None:
    """At that destination only, at once, with no attempt counted; a second time changes nothing."""
    later = T0 + MINUTE
    with store.unit() as unit:
        case = with_reserve(unit, "pacs", "vna")
        preferred, reserve, capture = (i for i in unit.outbox_of(case.id) if i.destination == "pacs")
        unit.use_spare(capture, later)
        assert unit.outbox("pacs", [OutboxStatus.SPARE], later, 9) == [reserve]
        unit.settle(preferred, OutboxStatus.REFUSED, later)
        unit.use_spare(preferred, later)
        (waiting,) = (i for i in unit.outbox_of(case.id) if i.id == reserve.id)
        assert (waiting.status, waiting.attempts, waiting.next_at) == (OutboxStatus.WAITING, 0, later)
        assert waiting.queued_at == later
        assert [i.status for i in unit.outbox("vna", list(OutboxStatus), later, 9)].count(OutboxStatus.SPARE) == 1
        unit.settle(waiting, OutboxStatus.CONFIRMED, later)
        unit.use_spare(preferred, later)
        assert [i.status for i in unit.outbox("pacs", [OutboxStatus.CONFIRMED], later, 9)] == [OutboxStatus.CONFIRMED]


def test_queueing_again_puts_the_reserve_back(store: Store) -> None:
    """As at first, whatever became of it."""
    with store.unit() as unit:
        case = with_reserve(unit)
        preferred = unit.outbox_of(case.id)[0]
        unit.settle(preferred, OutboxStatus.REFUSED, T0)
        unit.use_spare(preferred, T0)
        unit.settle(unit.outbox_of(case.id)[1], OutboxStatus.CONFIRMED, T0)
        unit.queue_again(case.id, T0 + MINUTE)
        after = unit.outbox_of(case.id)
    assert [i.status for i in after] == [OutboxStatus.WAITING, OutboxStatus.SPARE, OutboxStatus.WAITING]
    assert {(i.next_at, i.error) for i in after} == {(T0 + MINUTE, "")}


def test_an_object_in_reserve_for_one_that_is_not_sent_is_refused(store: Store) -> None:
    """Nobody would ever send it."""
    alone = replace(result_object("2.25.2"), instead_of="2.25.1")
    with pytest.raises(Permanent, match="stands for an object that its destination does not get"), store.unit() as unit:
        unit.save_result(running(unit), T0, {}, {"pacs": [alone]})


def test_only_what_a_destination_may_have_is_referred_to(store: Store) -> None:
    """Neither what was refused nor what stays in reserve; what was stored once, whatever came after."""
    with store.unit() as unit:
        case = with_reserve(unit)
        preferred, reserve, capture = unit.outbox_of(case.id)
        assert set(unit.references(case.id)) == {"sr:L", "secondary_capture:L"}
        unit.settle(preferred, OutboxStatus.REFUSED, T0)
        unit.settle(capture, OutboxStatus.REFUSED, T0)
        following = unit.open_version(case, T0 + MINUTE)
        assert unit.references(case.id) == {}
        assert unit.superseded(following) is None
        unit.use_spare(preferred, T0)
        assert set(unit.references(case.id)) == {"sr:L:comprehensive"}
        assert unit.superseded(following) == case.id
        unit.settle(reserve, OutboxStatus.SENT, T0)
        unit.settle(reserve, OutboxStatus.REFUSED, T0)
        assert set(unit.references(case.id)) == {"sr:L:comprehensive"}


def test_nothing_of_a_version_that_was_withdrawn_in_time_is_referred_to(store: Store) -> None:
    """It never left, and never will."""
    with store.unit() as unit:
        case = unit.apply(with_reserve(unit), CaseEvent.WITHDRAWN, T0)
        assert unit.references(case.id) == {}
