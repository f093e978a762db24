"""What every store does about where received bytes lie."""

from dataclasses import replace

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.identities import Standing
from agent.core.instance import GONE, End, SpoolRef
from agent.core.ports import Store, Unit
from agent.core.retention import Holder, OwedCopy, Resident
from tests.state_stores import MINUTE, T0, arrival, instance, opened


def _holder(case: Case) -> Holder:
    return Holder(case.case_uuid, case.version, case.state, case.changed_at)


def _collected(unit: Unit, uid: str, offset: int, n: int = 0) -> Case:
    return unit.add_instance(opened(unit, n), instance(uid), arrival(uid, offset), T0)


def test_a_segment_that_nothing_is_read_from_has_no_residents(store: Store) -> None:
    """What arrived and is no instance of a case is not needed; nor is another use of the segment."""
    with store.unit() as unit:
        unit.arrived(arrival("1.9", 8))
        _collected(unit, "1.1", 16)
        assert unit.residents(1, 2) == []
        assert unit.residents(2, 1) == []
        assert [one.ref for one in unit.residents(1, 1)] == [SpoolRef(1, 1, 16)]


def test_a_resident_names_every_version_that_holds_it(store: Store) -> None:
    """In order of place, each with the versions and their states."""
    with store.unit() as unit:
        second = _collected(unit, "1.2", 16, 1)
        first = _collected(unit, "1.1", 8)
        later = unit.open_version(first, T0)
        closed = unit.apply(first, CaseEvent.WITHDRAWN, T0)
        assert closed.state is CaseState.CLOSED
        assert unit.residents(1, 1, to_change=True) == [
            Resident(SpoolRef(1, 1, 8), (_holder(closed), _holder(later))),
            Resident(SpoolRef(1, 1, 16), (_holder(second),)),
        ]


def test_an_instance_that_no_case_holds_any_more_is_a_resident_of_nobody(store: Store) -> None:
    """It stands there, held by no version."""
    with store.unit() as unit:
        case = _collected(unit, "1.1", 8)
        stored = unit.find_instance("1.1")
        assert stored is not None
        unit.unlink(case, stored)
        assert unit.residents(1, 1) == [Resident(SpoolRef(1, 1, 8))]


def test_what_waits_for_a_decision_is_held_by_the_versions_of_what_it_contradicts(store: Store) -> None:
    """Once it is decided, nobody holds it."""
    with store.unit() as unit:
        case = _collected(unit, "1.1", 8)
        other = replace(instance("1.1"), sha256="cd" * 32)
        unit.add_variant(other, arrival("1.1", 24), other_pixels=True)
        assert unit.residents(1, 1) == [
            Resident(SpoolRef(1, 1, 8), (_holder(case),)),
            Resident(SpoolRef(1, 1, 24), (_holder(case),), awaits_decision=True),
        ]
        (variant,) = unit.variants("1.1")
        unit.settle_variant(variant, Standing.DROPPED)
        assert unit.residents(1, 1)[1] == Resident(SpoolRef(1, 1, 24))


def test_bytes_move(store: Store) -> None:
    """What was at a place is at another from then on, for whoever looks; what lies elsewhere stays."""
    with store.unit() as unit:
        case = _collected(unit, "1.1", 8)
        unit.add_variant(replace(instance("1.1"), sha256="cd" * 32), arrival("1.1", 24), other_pixels=True)
        unit.add_instance(case, instance("1.2"), arrival("1.2", 16), T0)
        assert unit.find_instance("1.1") is not None
        moved = {SpoolRef(1, 1, 8): SpoolRef(-1, 1, 800), SpoolRef(1, 1, 24): SpoolRef(-1, 1, 900)}
        unit.move_bytes({**moved, SpoolRef(1, 2, 16): SpoolRef(-1, 1, 1000)})
    with store.unit() as unit:
        assert [one.ref for one in unit.instances(case.id)] == [SpoolRef(-1, 1, 800), SpoolRef(1, 1, 16)]
        assert [one.ref for one in unit.variants("1.1")] == [SpoolRef(-1, 1, 900)]
        assert [one.ref for one in unit.residents(-1, 1)] == list(moved.values())
        assert [one.ref for one in unit.residents(1, 1)] == [SpoolRef(1, 1, 16)]


def test_bytes_are_no_longer_kept(store: Store) -> None:
    """The instance stays, and says that its bytes are gone, until they arrive again."""
    with store.unit() as unit:
        case = _collected(unit, "1.1", 8)
        unit.move_bytes({})
        unit.forget_bytes([SpoolRef(1, 1, 8)])
        (gone,) = unit.instances(case.id)
        assert gone.ref == GONE
        assert gone.is_gone
        assert unit.residents(1, 1) == []
        unit.place(gone, SpoolRef(4, 1, 8))
        (back,) = unit.instances(case.id)
        assert not back.is_gone


def test_a_record_whose_copy_is_owed_stays(store: Store) -> None:
    """In its segment, needed whatever the cases say, until the copy was made; owing it twice is owing it once."""
    first, second = SpoolRef(1, 1, 8), SpoolRef(2, 1, 8)
    with store.unit() as unit:
        unit.owe_copy(second, "why", T0 + MINUTE)
        for _ in range(2):
            unit.owe_copy(first, "why not", T0)
        assert unit.owed_copies() == [OwedCopy(first, "why not", T0), OwedCopy(second, "why", T0 + MINUTE)]
        assert unit.residents(1, 1) == [Resident(first, awaits_copy=True)]
    with store.unit() as unit:
        unit.settle_copy(first)
        assert [one.ref for one in unit.owed_copies()] == [second]
        assert unit.residents(1, 1) == []


def test_a_record_that_was_not_read_is_taken_back_once(store: Store) -> None:
    """Its end goes with what is owed, and it may get another; of what is not owed the end stays."""
    late, other = arrival("1.1", 8), arrival("1.2", 24)
    with store.unit() as unit:
        for one in (late, other):
            unit.arrived(replace(one, end=End.QUARANTINED, reason="not read"))
        unit.owe_copy(late.ref, "not read", T0, is_unread=True)
        assert unit.owed_copies() == [OwedCopy(late.ref, "not read", T0, is_unread=True)]
    with store.unit() as unit:
        assert [unit.take_back(ref) for ref in (late.ref, late.ref, other.ref)] == [True, False, False]
        unit.arrived(late)
    with store.unit() as unit:
        assert {one.ref: one.end for one in unit.arrivals()} == {late.ref: late.end, other.ref: End.QUARANTINED}
        assert unit.owed_copies() == []


def test_how_far_a_hidden_place_reaches_is_noted(store: Store) -> None:
    """With what is owed; of what is not nothing is noted."""
    hidden, other = SpoolRef(1, 1, 9), SpoolRef(2, 1, 9)
    with store.unit() as unit:
        unit.owe_copy(hidden, "not read", T0, is_unread=True)
        for ref in (hidden, other):
            unit.bound_hidden(ref, 4096)
    with store.unit() as unit:
        assert unit.owed_copies() == [OwedCopy(hidden, "not read", T0, until=4096, is_unread=True)]


def test_a_record_is_given_up_once(store: Store) -> None:
    """Its end stays, with both reasons; what is not owed cannot be given up."""
    late = arrival("1.1", 8)
    with store.unit() as unit:
        unit.arrived(replace(late, end=End.QUARANTINED, reason="not read"))
        unit.owe_copy(late.ref, "not read", T0, is_unread=True)
    with store.unit() as unit:
        assert [unit.give_up_copy(late.ref, "given up by someone: dead") for _ in range(2)] == [True, False]
        (kept,) = unit.arrivals()
        assert (kept.end, kept.reason) == (End.QUARANTINED, "not read; given up by someone: dead")
        assert unit.owed_copies() == []
        assert not unit.take_back(late.ref)


def test_a_record_may_be_owed_and_read_from(store: Store) -> None:
    """One of other pixels waits for a person, and for its copy."""
    with store.unit() as unit:
        case = _collected(unit, "1.1", 8)
        unit.add_variant(replace(instance("1.1"), sha256="cd" * 32), arrival("1.1", 24), other_pixels=True)
        unit.owe_copy(SpoolRef(1, 1, 24), "why", T0)
        assert unit.residents(1, 1) == [
            Resident(SpoolRef(1, 1, 8), (_holder(case),)),
            Resident(SpoolRef(1, 1, 24), awaits_copy=True),
            Resident(SpoolRef(1, 1, 24), (_holder(case),), awaits_decision=True),
        ]
