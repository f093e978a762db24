"""What every store does with the outbox: what is due, sent again, confirmed."""

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import StaleCase
from agent.core.ports import OutboxStatus, Settled, Store
from tests.state_stores import MINUTE, OBJECTS, T0, WAITING, delivering, roles

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
        assert list(unit.committed("2.25.99", [done], {failed: NOT_KEPT}, T0 + MINUTE)) == [items[0].case_id]
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
