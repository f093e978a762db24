"""What every store does with results: saved with their outbox, replaced only while nobody can have seen them."""

from dataclasses import replace

import pytest

from agent.core.case import CaseEvent, CaseState, IllegalTransition
from agent.core.errors import Permanent, StaleCase
from agent.core.ports import OutboxStatus, Store
from tests.state_stores import MINUTE, OBJECTS, T0, delivering, result_object, running


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


@pytest.mark.parametrize("status", [OutboxStatus.SENT, OutboxStatus.CONFIRMED])
def test_a_version_that_may_have_been_seen_is_not_run_again(store: Store, status: OutboxStatus) -> None:
    """Once one object was acknowledged, new content may not travel under its UID."""
    with store.unit() as unit:
        case = delivering(unit)
        unit.settle(unit.outbox_of(case.id)[0], status, T0)
        failed = unit.apply(case, CaseEvent.GAVE_UP, T0)
    with pytest.raises(IllegalTransition, match="resend"), store.unit() as unit:
        unit.apply(failed, CaseEvent.RERUN, T0)
    with store.unit() as unit:
        assert unit.case(case.id) == failed


def test_what_is_about_to_be_sent_is_final(store: Store) -> None:
    """Before anything left, with an attempt counted, the version can no longer be run again, whatever is answered."""
    with store.unit() as unit:
        case = delivering(unit)
        first, *rest = unit.outbox_of(case.id)
        unit.about_to_send([first], T0)
        assert unit.outbox_of(case.id) == [replace(first, attempts=1), *rest]
        unit.answered(first)
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


def test_a_lineage_is_kept_with_its_result(store: Store) -> None:
    """Beside the summary, in the unit that saves the result; a result that takes its place brings its own."""
    with store.unit() as unit:
        saved = unit.save_result(running(unit), T0, {}, {"pacs": OBJECTS})
        assert unit.lineage(saved.id) == {}
        unit.keep_lineage(saved, {"images": [{"left_out": ""}]})
        unit.keep_lineage(saved, {"images": []})
    with store.unit() as unit:
        assert unit.lineage(saved.id) == {"images": []}
        assert unit.lineage(saved.id + 1) == {}


def test_nobody_keeps_a_lineage_of_a_case_that_moved_on(store: Store) -> None:
    """The worker whose case was taken away writes nothing about it."""
    with store.unit() as unit:
        claimed = running(unit)
        unit.save_result(claimed, T0, {}, {"pacs": OBJECTS})
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.keep_lineage(claimed, {"images": []})
    with store.unit() as unit:
        assert unit.lineage(claimed.id) == {}
