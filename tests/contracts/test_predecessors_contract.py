"""A new version names the objects of the version before, in every store."""

from collections.abc import Sequence

import pytest

from agent.core.case import CaseEvent
from agent.core.ports import OutboxStatus, Store
from agent.core.result import Kind
from tests.state_stores import MINUTE, T0, delivering, opened, result_object, running


def test_the_first_version_supersedes_none(store: Store) -> None:
    """Nor does its own result count as one."""
    with store.unit() as unit:
        assert unit.superseded(delivering(unit)) is None


def test_the_newest_version_that_has_objects_is_superseded(store: Store) -> None:
    """A version between that failed without a result is passed over, and another case's never counts."""
    with store.unit() as unit:
        first = delivering(unit)
        delivering(unit, 1)
        second = unit.open_version(first, T0 + MINUTE)
        unit.apply(second, CaseEvent.COMPLETE, T0)
        failed = unit.claim(T0, T0 + MINUTE, "worker")
        assert failed is not None
        unit.apply(failed, CaseEvent.GAVE_UP, T0, reason="gone")
        third = unit.open_version(unit.case(second.id), T0 + MINUTE)
        assert unit.superseded(third) == first.id


@pytest.mark.parametrize(
    ("ends", "superseded"),
    [
        ([[OutboxStatus.REFUSED]] * 3, False),
        ([[OutboxStatus.WAITING, OutboxStatus.REFUSED]] * 3, False),
        ([[OutboxStatus.REFUSED], [OutboxStatus.REFUSED], []], True),
        ([[OutboxStatus.REFUSED], [OutboxStatus.REFUSED], [OutboxStatus.CONFIRMED]], True),
        ([[OutboxStatus.REFUSED], [OutboxStatus.REFUSED], [OutboxStatus.SENT]], True),
        ([[OutboxStatus.REFUSED], [OutboxStatus.REFUSED], [OutboxStatus.SENT, OutboxStatus.REFUSED]], True),
    ],
    ids=["refused", "given up", "one on its way", "one confirmed", "one sent", "one stored, then given up"],
)
def test_only_what_a_destination_has_or_may_get_is_superseded(
    store: Store, ends: Sequence[Sequence[OutboxStatus]], superseded: bool
) -> None:
    """A version that nobody stored, and nobody is to get any more, is no predecessor."""
    with store.unit() as unit:
        first = delivering(unit)
        for item, statuses in zip(unit.outbox_of(first.id), ends, strict=True):
            for status in statuses:
                unit.settle(item, status, T0)
        following = unit.open_version(first, T0 + MINUTE)
        assert unit.superseded(following) == (first.id if superseded else None)


def test_a_version_that_is_sent_again_is_superseded(store: Store) -> None:
    """It was given up, and a person asked for it."""
    with store.unit() as unit:
        first = delivering(unit)
        for item in unit.outbox_of(first.id):
            unit.settle(item, OutboxStatus.REFUSED, T0)
        failed = unit.apply(first, CaseEvent.GAVE_UP, T0, reason="refused")
        following = unit.open_version(failed, T0 + MINUTE)
        assert unit.superseded(following) is None
        unit.apply(failed, CaseEvent.RESEND, T0 + MINUTE)
        assert unit.superseded(following) == first.id


def test_a_newer_result_supersedes_the_older_one(store: Store) -> None:
    """Version 3 follows version 2, not version 1."""
    with store.unit() as unit:
        first = delivering(unit)
        second = unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker")
        assert claimed is not None
        assert claimed.id == second.id
        unit.save_result(claimed, T0, {}, {"pacs": [result_object("2.25.77")]})
        third = unit.open_version(unit.case(claimed.id), T0 + MINUTE)
        assert unit.superseded(third) == second.id


def test_the_objects_of_a_version_are_named_by_role(store: Store) -> None:
    """As another study refers to them; a version without a result has none."""
    with store.unit() as unit:
        first = delivering(unit)
        following = unit.open_version(first, T0)
        assert unit.references(first.id) == {o.role: o.reference for o in unit.result_objects(first.id)}
        assert set(unit.references(first.id)) == {"sr:L", "text_sr:", "secondary_capture:L"}
        assert unit.references(following.id) == {}


def test_who_has_each_object_is_known(store: Store) -> None:
    """A destination that refused one does not; nobody has one of a version without a result."""
    with store.unit() as unit:
        case = running(unit)
        sr, capture = result_object("2.25.90"), result_object("2.25.91", Kind.SECONDARY_CAPTURE, "L")
        case = unit.save_result(case, T0, {}, {"pacs": [sr, capture], "vna": [sr, capture]})
        refused = [i for i in unit.outbox_of(case.id) if (i.destination, i.sop_instance_uid) == ("vna", "2.25.91")]
        unit.settle(refused[0], OutboxStatus.REFUSED, T0)
        assert unit.held_by(case.id) == {"2.25.90": {"pacs", "vna"}, "2.25.91": {"pacs"}}
        assert unit.held_by(unit.open_version(case, T0).id) == {}


def test_the_version_before_is_the_newest_that_is_not_closed(store: Store) -> None:
    """Neither a withdrawn one counts, nor a later one, nor another case's."""
    with store.unit() as unit:
        first = opened(unit)
        opened(unit, 1)
        assert unit.predecessor(first) is None
        second = unit.open_version(first, T0 + MINUTE)
        third = unit.open_version(second, T0 + MINUTE)
        assert unit.predecessor(third) == second
        unit.apply(second, CaseEvent.WITHDRAWN, T0)
        assert unit.predecessor(third) == first
        unit.apply(first, CaseEvent.WITHDRAWN, T0)
        assert unit.predecessor(third) is None
