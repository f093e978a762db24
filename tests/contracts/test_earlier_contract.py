"""Which earlier versions may have left something in an archive, in every store."""

from agent.core.case import Case, CaseEvent
from agent.core.ports import OutboxStatus, Store, Unit
from tests.state_stores import MINUTE, T0, delivering, opened, result_object


def following(unit: Unit, before: Case) -> Case:
    """Answer the next version of a case, with one object that is on its way."""
    unit.apply(unit.open_version(before, T0), CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    return unit.save_result(claimed, T0, {}, {"pacs": [result_object(f"2.25.100.{claimed.id}")]})


def test_a_first_version_has_none_before_it(store: Store) -> None:
    """Nor does its own result count as one."""
    with store.unit() as unit:
        assert unit.earlier(delivering(unit)) == []


def test_every_version_with_objects_counts_the_newest_first(store: Store) -> None:
    """One without a result does not, nor another case's."""
    with store.unit() as unit:
        first = delivering(unit)
        delivering(unit, 1)
        second = following(unit, first)
        empty = unit.open_version(second, T0)
        assert [c.id for c in unit.earlier(empty)] == [second.id, first.id]
        assert [c.id for c in unit.earlier(second)] == [first.id]


def test_what_nobody_has_or_will_get_does_not_count(store: Store) -> None:
    """Refused, or withdrawn before anything left; what was stored before it was withdrawn counts."""
    with store.unit() as unit:
        refused, withdrawn, stored = (delivering(unit, n) for n in range(3))
        for item in unit.outbox_of(refused.id):
            unit.settle(item, OutboxStatus.REFUSED, T0)
        unit.settle(unit.outbox_of(stored.id)[0], OutboxStatus.SENT, T0)
        later = [unit.open_version(one, T0 + MINUTE) for one in (refused, withdrawn, stored)]
        for one in (withdrawn, stored):
            unit.withdraw(unit.case(one.id), T0 + MINUTE, "merged")
        assert [[c.id for c in unit.earlier(one)] for one in later] == [[], [], [stored.id]]


def test_what_left_and_was_never_answered_counts(store: Store) -> None:
    """It may be there, whatever became of it: given up, withdrawn, or refused when it was sent again."""
    with store.unit() as unit:
        given_up, withdrawn, answered, again = (delivering(unit, n) for n in range(4))
        for case in (given_up, withdrawn, answered, again, again):
            unit.about_to_send(unit.outbox_of(case.id)[:1], T0)
        for case in (answered, again):
            unit.answered(unit.outbox_of(case.id)[0])
        for case in (given_up, answered, again):
            for item in unit.outbox_of(case.id):
                unit.settle(item, OutboxStatus.REFUSED, T0)
        later = [unit.open_version(one, T0 + MINUTE) for one in (given_up, withdrawn, answered, again)]
        unit.withdraw(unit.case(withdrawn.id), T0 + MINUTE, "merged")
        assert [[c.id for c in unit.earlier(one)] for one in later] == [[given_up.id], [withdrawn.id], [], [again.id]]
        assert [unit.superseded(one) for one in later] == [given_up.id, withdrawn.id, None, again.id]
        assert [len(unit.references(one.id)) for one in (given_up, withdrawn, answered, again)] == [1, 1, 0, 1]


def test_absorbed_cases_count_beside_its_own(store: Store) -> None:
    """After a merge both patients' results are earlier ones of the case that stays; nobody else's."""
    with store.unit() as unit:
        mine, theirs = delivering(unit), delivering(unit, 1)
        other = opened(unit, 2)
        unit.absorb(theirs, mine.case_uuid)
        later = unit.open_version(mine, T0 + MINUTE)
        assert [c.id for c in unit.earlier(later)] == [theirs.id, mine.id]
        assert unit.earlier(other) == []
