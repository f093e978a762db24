"""Objects on their way to a PACS in memory."""

from dataclasses import replace

import pytest

from agent.core.case import CaseState
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.deliver import sending
from tests.delivery import DAY_S, Delivery, delivering
from tests.fakes.objects import COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE, result_object
from tests.fakes.pacs import FakePacs

SC = Kind.SECONDARY_CAPTURE
WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


def test_everything_is_sent_over_one_association_in_sending_order() -> None:
    """SR first, then text SR, then captures: one association, released."""
    d = Delivery(confirm="none")
    case = d.case()
    assert d.courier.tick() == 4
    assert d.pacs.requests == d.uids(case)
    assert d.pacs.associations == ["store"]
    assert d.pacs.released == 1


def test_all_cases_of_a_tick_share_an_association_that_knows_what_they_need() -> None:
    """Three cases and their read-back: one association, with every class that is due; nothing due, none."""
    d = Delivery()
    cases = [d.case(n) for n in (1, 2, 3)]
    assert d.courier.tick() == 24
    assert {d.now(case).state for case in cases} == {CaseState.DONE}
    assert (d.pacs.associations, d.pacs.released) == (["store"], 1)
    assert [sop_class for sop_class, _ in d.pacs.proposed] == [COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE]
    d.courier.tick()
    assert len(d.pacs.associations) == 1


def test_association_that_is_lost_between_two_cases_is_opened_again() -> None:
    """The second case notices nothing; the third one's loss in between is its own."""
    d = Delivery(confirm="none", pacs=FakePacs(break_after=4))
    cases = [d.case(n, captures) for n, captures in ((1, 2), (2, 2), (3, 3))]
    assert d.courier.tick() == 12
    assert [d.now(case).state for case in cases] == [CaseState.DONE, CaseState.DONE, CaseState.DELIVERING]
    assert d.status(cases[2]) == [CONFIRMED] * 4 + [WAITING]
    assert [i.attempts for case in cases for i in d.items(case)] == [1] * 13


def test_answers_in_another_order_settle_their_own_objects() -> None:
    """Of three under way the last is answered first: each status finds its object."""
    d = Delivery(confirm="none", pacs=FakePacs(window=3))
    case = d.case()
    d.pacs.status[d.uids(case)[0]] = 0xC000
    assert d.courier.tick() == 4
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.pacs.requests == d.uids(case)


def test_failure_that_may_pass_holds_nothing_that_is_under_way_or_follows() -> None:
    """Three are under way when the third is answered first, with a failure: the others are stored all the same."""
    d = Delivery(confirm="none", pacs=FakePacs(window=3))
    case = d.case()
    d.pacs.status[d.uids(case)[2]] = 0xA700
    assert d.courier.tick() == 3
    assert d.status(case) == [CONFIRMED, CONFIRMED, WAITING, CONFIRMED]
    d.pacs.status.clear()
    d.clock.pass_s(10)
    assert d.courier.tick() == 1
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 5


def test_object_waits_for_what_it_needs() -> None:
    """A report on our own picture leaves after the picture was answered, though eight may be under way."""
    picture, report, other = (result_object(kind, n) for n, kind in enumerate((SC, Kind.SR, SC), 1))
    answered: list[str] = []
    d = Delivery(confirm="none", pacs=FakePacs(window=8))
    delivering(d.store, {"pacs": [picture, replace(report, needs=(picture.sop_instance_uid,)), other]})
    settle = sending._settle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "_settle", lambda *of: (answered.append(of[1].sop_instance_uid), settle(*of))[1])
        assert d.courier.tick() == 3
    assert answered == [one.sop_instance_uid for one in (picture, other, report)]


def test_stored_bytes_are_those_of_the_result() -> None:
    """What arrives is what was encoded."""
    d = Delivery(confirm="none")
    case = d.case()
    d.courier.tick()
    with d.store.unit() as unit:
        assert d.pacs.kept == {o.sop_instance_uid: o.encoded for o in unit.result_objects(case.id)}


def test_case_is_done_with_the_last_response_where_no_proof_is_wanted() -> None:
    """With `confirm: none` the C-STORE response is the proof."""
    d = Delivery(confirm="none")
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE


def test_nothing_is_sent_twice() -> None:
    """A second tick has nothing to do."""
    d = Delivery(confirm="none")
    d.case()
    d.courier.tick()
    assert d.courier.tick() == 0
    assert len(d.pacs.requests) == 4
    assert d.pacs.associations == ["store"]


def test_warning_counts_as_stored() -> None:
    """0xB000 is stored."""
    d = Delivery(confirm="none", pacs=FakePacs(status={SECONDARY_CAPTURE: 0xB000}))
    case = d.case()
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_lack_of_resources_holds_the_object_alone_and_is_tried_again() -> None:
    """After 0xA700 the rest goes on; later the object goes, and only that."""
    d = Delivery(confirm="none")
    case = d.case()
    second = d.uids(case)[1]
    d.pacs.status[second] = 0xA700
    assert d.courier.tick() == 3
    assert d.pacs.requests == d.uids(case)
    assert d.pacs.released == 1
    assert d.status(case) == [CONFIRMED, WAITING, CONFIRMED, CONFIRMED]
    assert "0xA700" in d.items(case)[1].error
    d.pacs.status.clear()
    d.clock.pass_s(9)
    assert d.courier.tick() == 0
    d.clock.pass_s(1)
    assert d.courier.tick() == 1
    assert d.pacs.requests[4:] == [second]
    assert [i.attempts for i in d.items(case)] == [1, 2, 1, 1]
    assert d.now(case).state is CaseState.DONE


def test_backoff_doubles_and_is_jittered() -> None:
    """Each failure waits longer, by half to the whole of the ceiling."""
    d = Delivery(confirm="none", pacs=FakePacs(status={COMPREHENSIVE_3D_SR: 0xA700}), random=lambda: 0.0)
    case = d.case()
    waits = []
    for _ in range(4):
        d.courier.tick()
        next_at = d.items(case)[0].next_at
        waits.append((next_at - d.clock()).total_seconds())
        d.clock.at = next_at
    assert waits == [5, 10, 20, 40]


def test_lost_connection_keeps_what_was_answered() -> None:
    """Objects with a response stay sent; the rest waits."""
    d = Delivery(confirm="none", pacs=FakePacs(break_after=2))
    case = d.case()
    assert d.courier.tick() == 2
    assert d.status(case) == [CONFIRMED, CONFIRMED, WAITING, WAITING]
    assert d.now(case).state is CaseState.DELIVERING


def test_a_case_in_trouble_does_not_hold_the_next() -> None:
    """Another case goes in the same tick, and so does what is not in trouble."""
    d = Delivery(confirm="none")
    bad, good = d.case(1), d.case(2)
    d.pacs.status[d.uids(bad)[0]] = 0xA700
    assert d.courier.tick() == 7
    assert d.now(good).state is CaseState.DONE
    assert d.now(bad).state is CaseState.DELIVERING


def test_what_always_fails_is_given_up_alone_and_what_needs_it_goes() -> None:
    """The rest is in at once; what needs the failed object waits untried as long as there is hope, and then goes."""
    first, second, third = (result_object(SC, n) for n in (1, 2, 3))
    needing = replace(second, needs=(first.sop_instance_uid,))
    d = Delivery(changes={"give_up_after_s": DAY_S}, pacs=FakePacs(status={first.sop_instance_uid: 0x0110}))
    case = delivering(d.store, {"pacs": [first, needing, third]})
    d.courier.tick()
    assert d.status(case) == [WAITING, WAITING, CONFIRMED]
    for _ in range(24 * 60 + 10):
        d.courier.tick()
        d.clock.pass_s(60)
        waits = d.items(case)[1]
        assert waits.status is not WAITING or waits.attempts == 0
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED]
    assert d.pacs.requests.count(second.sop_instance_uid) == 1
    assert d.now(case).reason == f"pacs {first.role}: given up: C-STORE status 0x0110, processing failure"


def test_what_needs_an_object_that_waits_says_so() -> None:
    """It is due with the other one, and no attempt is counted."""
    first, second = (result_object(SC, n) for n in (1, 2))
    d = Delivery(pacs=FakePacs(status={first.sop_instance_uid: 0xA700}))
    case = delivering(d.store, {"pacs": [first, replace(second, needs=(first.sop_instance_uid,))]})
    d.courier.tick()
    d.courier.tick()
    tried, waits = d.items(case)
    assert (waits.next_at, waits.attempts) == (tried.next_at, 0)
    assert waits.error == f"waits for {first.role}, which it needs"
    d.pacs.status.clear()
    d.clock.at = tried.next_at
    while d.courier.tick():
        pass
    assert d.now(case).state is CaseState.DONE
