"""Objects on their way to a PACS in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.archive import StoreOutcome
from agent.core.case import Case, CaseEvent, CaseState, IllegalTransition
from agent.core.dimse_status import C_STORE, spell
from agent.core.errors import StaleCase, Transient, Unanswered
from agent.core.firewall import RETIRED
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.deliver import sending
from agent.deliver.verdict import NOT_OFFERED
from agent.dimse.part10 import Part
from tests.delivery import DAY_S, Clock, Delivery, delivering
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


class Hanging(FakePacs):
    """Never answers some objects; each costs a minute."""

    clock: Clock
    mute: frozenset[str] = frozenset()
    keeps = False

    def _answer(self, part: Part, encoded: bytes, failed: set[str]) -> StoreOutcome:
        if part.sop_instance_uid in self.mute:
            if self.keeps:
                self.kept[part.sop_instance_uid] = encoded
            self.clock.pass_s(60)
            raise Unanswered("no response to C-STORE within 60 s")
        return super()._answer(part, encoded, failed)


def hanging(d: Delivery, *cases: Case) -> None:
    """Let the last object of each case be one that is never answered."""
    assert isinstance(d.pacs, Hanging)
    d.pacs.clock, d.pacs.mute = d.clock, frozenset(d.uids(case)[-1] for case in cases)


def test_objects_that_are_never_answered_starve_nobody() -> None:
    """Of thirty good cases one comes while eight such are tried first; the others are done within two minutes each."""
    d = Delivery(pacs=Hanging())
    bad = [d.case(n) for n in range(1, 9)]
    hanging(d, *bad)
    took = []
    for n in range(100, 130):
        good, begun = d.case(n), d.clock()
        while d.now(good).state is not CaseState.DONE and d.clock() - begun < timedelta(hours=1):
            d.courier.tick()
            d.clock.pass_s(0.25)
        took.append((d.clock() - begun).total_seconds())
        d.clock.pass_s(600)
    assert took[0] < 600
    assert max(took[1:]) < 120
    assert [d.status(case) for case in bad] == [[CONFIRMED] * 3 + [WAITING]] * 8


def test_what_was_stored_and_never_answered_counts_as_out() -> None:
    """Given up, it may lie in the archive all the same: the next version names it."""
    d = Delivery(pacs=Hanging(), changes={"give_up_after_s": DAY_S})
    case = d.case(captures=0)
    hanging(d, case)
    d.pacs.keeps = True  # type: ignore[attr-defined]
    for _ in range(24 * 60):
        d.courier.tick()
        d.clock.pass_s(61)
    assert (d.now(case).state, d.status(case)) == (CaseState.FAILED, [CONFIRMED, REFUSED])
    with d.store.unit() as unit:
        assert set(unit.references(case.id)) == {"sr:100", "text_sr:101"}


def test_nothing_was_sent_while_there_was_no_association() -> None:
    """Whatever was tried: a later version names nobody, and the version may be run again."""
    d = Delivery(pacs=FakePacs(down=True), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert (d.now(case).state, {i.attempts for i in d.items(case)}) == (CaseState.FAILED, {0})
    with d.store.unit() as unit:
        assert unit.references(case.id) == {}
        assert unit.apply(unit.case(case.id), CaseEvent.RERUN, d.clock()).state is CaseState.READY


def test_what_leaves_was_noted_before() -> None:
    """An object is on its way only once the state says that it may have been seen; what follows is not."""
    d = Delivery(confirm="none")
    case = d.case()
    seen: list[list[int]] = []
    answer = d.pacs._answer

    def looking(*of):  # type: ignore[no-untyped-def]
        seen.append([i.attempts for i in d.items(case)])
        return answer(*of)

    d.pacs._answer = looking  # type: ignore[method-assign]
    d.courier.tick()
    assert seen == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_destination_that_ends_every_association_at_once_is_left_alone() -> None:
    """Nothing left: it is the destination's fault, and no object's."""
    d = Delivery(confirm="none")
    cases = [d.case(1), d.case(2)]

    def ended(*_: object, **__: object):  # type: ignore[no-untyped-def]
        d.pacs.associations.append("store")
        raise Transient("accepted none of the presentation contexts")
        yield

    d.pacs.store = ended  # type: ignore[assignment,method-assign]
    d.courier.tick()
    d.courier.tick()
    assert d.pacs.associations == ["store"]
    assert {i.attempts for case in cases for i in d.items(case)} == {0}
    assert "none of the presentation contexts" in d.items(cases[0])[0].error


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0124])
def test_refused_object_fails_the_case_when_the_rest_is_in(status: int) -> None:
    """One refusal for a reason of its own is for a person, with the status; the others are sent all the same."""
    d = Delivery(confirm="none")
    case = d.case()
    d.pacs.status[d.uids(case)[1]] = status
    d.courier.tick()
    assert d.status(case) == [CONFIRMED, REFUSED, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.FAILED
    assert d.now(case).reason == f"pacs text_sr:101: C-STORE status {spell(C_STORE, status)}"


@pytest.mark.parametrize(
    "pacs",
    [FakePacs(refuse_sop_classes=frozenset({COMPREHENSIVE_3D_SR})), FakePacs(status={COMPREHENSIVE_3D_SR: 0x0122})],
)
def test_class_that_is_not_offered_is_recorded_and_the_case_done(pacs: FakePacs) -> None:
    """A PACS without Comprehensive 3D SR gets the rest; the row says what it did not take."""
    d = Delivery(confirm="none", pacs=pacs)
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.items(case)[0].error == NOT_OFFERED
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: {NOT_OFFERED}"


def test_destination_that_takes_nothing_yet_is_tried_until_it_does() -> None:
    """A PACS that is being set up refuses every class: nothing is given up, and the outbox says why it waits."""
    classes = frozenset({COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.88.22"})
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=classes))
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [WAITING] * 4
    assert "none of the presentation contexts" in d.items(case)[0].error
    assert d.now(case).state is CaseState.DELIVERING
    d.pacs.refuse_sop_classes = frozenset()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_destination_that_never_takes_anything_fails_the_case() -> None:
    """After the time to give up."""
    classes = frozenset({COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.88.22"})
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=classes))
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(7 * DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    assert "none of the presentation contexts" in d.now(case).reason


def test_object_that_is_no_part_10_file_is_refused_with_its_case() -> None:
    """Bytes that cannot be sent fail the case instead of blocking the outbox; other cases go."""
    d = Delivery(confirm="none")
    bad, good = d.case(1), d.case(2)
    original = d.pacs.store
    broken = d.uids(bad)[0].encode()
    d.pacs.store = lambda parts, **_: original([p[:50] if broken in p else p for p in parts])  # type: ignore[method-assign]
    d.courier.tick()
    assert d.now(bad).state is CaseState.FAILED
    assert "not a Part 10 file" in d.now(bad).reason
    assert d.now(good).state is CaseState.DONE


def test_destination_that_is_down_is_asked_once_for_all_cases() -> None:
    """No association for one case means none for the others: one probe, then the backoff."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True))
    cases = [d.case(n) for n in range(1, 6)]
    for _ in range(10):
        assert d.courier.tick() == 0
    assert d.pacs.associations == ["store"]
    assert [d.status(c) for c in cases] == [[WAITING] * 4] * 5
    assert "rejected" in d.items(cases[0])[0].error


def test_probes_of_a_destination_that_is_down_become_rare() -> None:
    """In eight hours, ticking each second or so, at most one probe a minute on average; never later than 5 minutes."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True))
    for n in range(1, 30):
        d.case(n)
    for _ in range(8 * 60 * 6):
        d.courier.tick()
        d.clock.pass_s(10)
    assert 8 * 60 / 5 - 5 <= len(d.pacs.associations) <= 8 * 60
    d.pacs.down = False
    d.clock.pass_s(300)
    assert d.courier.tick() == 29 * 4


def test_backlog_is_drained_as_soon_as_the_destination_answers() -> None:
    """After refused associations the oldest case goes first, and no case waits for a backoff of its own."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_first=3))
    cases = [d.case(n, captures=0) for n in (1, 2, 3)]
    for _ in range(20):
        d.courier.tick()
        d.clock.pass_s(10)
    assert [d.now(c).state for c in cases] == [CaseState.DONE] * 3
    assert d.pacs.requests == [uid for c in cases for uid in d.uids(c)]


def test_restart_probes_once() -> None:
    """The breaker is gone with the process; the outbox is not."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_first=1))
    case = d.case()
    other = d.case(2)
    d.courier.tick()
    d.restart()
    d.courier.tick()
    assert d.now(other).state is CaseState.DONE
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_destination_that_is_down_is_given_up_after_its_time() -> None:
    """After `give_up_after_s` the case fails with the reason; before, it does not."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(DAY_S - 1)
    d.courier.tick()
    assert d.now(case).state is CaseState.DELIVERING
    d.clock.pass_s(301)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    assert d.now(case).reason.startswith("pacs sr:100: given up: the fake PACS rejected the association")
    assert d.status(case) == [REFUSED] * 4


def test_destination_that_is_down_does_not_hold_another() -> None:
    """The other one has everything; the case waits for the first."""
    vna = FakePacs()
    d = Delivery(confirm="none", pacs=FakePacs(down=True), archives={"vna": vna})
    case = d.case(destinations=("pacs", "vna"))
    d.courier.tick()
    assert d.status(case, "vna") == [CONFIRMED] * 4
    assert d.status(case, "pacs") == [WAITING] * 4
    assert d.now(case).state is CaseState.DELIVERING
    d.pacs.down = False
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    assert len(vna.requests) == 4


def test_each_destination_can_be_served_alone() -> None:
    """A task for each destination serves that one only."""
    vna = FakePacs()
    d = Delivery(confirm="none", archives={"vna": vna})
    d.case(destinations=("pacs", "vna"))
    assert d.courier.destinations["vna"].tick() == 4
    assert len(vna.requests) == 4
    assert d.pacs.requests == []


@pytest.mark.parametrize("event", [CaseEvent.CONFLICT_FOUND, CaseEvent.WITHDRAWN])
def test_nothing_leaves_of_a_case_that_is_held_or_withdrawn(event: CaseEvent) -> None:
    """Objects of such a case stay here."""
    d = Delivery(confirm="none")
    case = d.case()
    with d.store.unit() as unit:
        unit.apply(case, event, d.clock())
    assert d.courier.tick() == 0
    assert d.pacs.associations == []


def test_case_that_is_held_between_look_and_send_stays_here() -> None:
    """The case is looked at again just before its bytes are read."""
    d = Delivery(confirm="none")
    case = d.case()
    items = d.items(case)
    with d.store.unit() as unit:
        unit.apply(case, CaseEvent.CONFLICT_FOUND, d.clock())
    route = d.courier.destinations["pacs"]._route
    assert sending.send_case(route, items) == 0
    assert d.pacs.associations == []


def test_case_whose_result_is_gone_is_passed_over() -> None:
    """An item that vanished while it was sent does not hold the next case."""
    d = Delivery(confirm="none")
    gone, good = d.case(1), d.case(2)
    original = d.pacs.store

    def store(parts, **_):  # type: ignore[no-untyped-def]
        if d.uids(gone)[0].encode() in parts[0]:
            raise StaleCase("outbox item is gone")
        return original(parts)

    d.pacs.store = store  # type: ignore[method-assign]
    assert d.courier.tick() == 4
    assert d.now(good).state is CaseState.DONE
    assert d.now(gone).state is CaseState.DELIVERING


def test_state_that_is_away_is_no_fault_of_the_destination() -> None:
    """The error goes up to the task runner; when the state is back, nothing is lost and the PACS was not bothered."""
    d = Delivery(confirm="none")
    case = d.case()
    d.store.away = True  # type: ignore[attr-defined]
    with pytest.raises(Transient, match="database"):
        d.courier.tick()
    assert d.pacs.associations == []
    d.store.away = False  # type: ignore[attr-defined]
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    ("point", "hit", "answered", "requested_again"),
    [
        ("deliver.before_first_store", 1, 0, 4),
        ("deliver.between_stores", 1, 1, 3),
        ("deliver.between_stores", 3, 3, 1),
        ("deliver.after_last_store", 1, 4, 0),
    ],
)
def test_kill_at_a_boundary_sends_only_the_rest(
    monkeypatch: pytest.MonkeyPatch, point: str, hit: int, answered: int, requested_again: int
) -> None:
    """What was answered before the kill is not sent again; what was not, is, once, under the same UID."""
    hits: list[str] = []

    def killing(name: str) -> None:
        hits.append(name)
        if (name, hits.count(name)) == (point, hit):
            raise Killed

    monkeypatch.setattr(sending, "crashpoint", killing)
    d = Delivery(confirm="none")
    case = d.case()
    with pytest.raises(Killed):
        d.courier.tick()
    assert len(d.pacs.requests) == answered
    monkeypatch.setattr(sending, "crashpoint", lambda name: None)
    d.restart()
    assert d.courier.tick() == requested_again
    assert d.pacs.requests == d.uids(case)
    assert d.now(case).state is CaseState.DONE


def test_kill_between_store_and_note_leaves_a_result_that_cannot_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PACS may have the object, although no attempt was counted: new content must not follow under its UID."""
    d = Delivery(confirm="none")
    case = d.case()

    def killing(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(sending, "_settle", killing)
    with pytest.raises(Killed):
        d.courier.tick()
    assert list(d.pacs.kept) == d.uids(case)[:1]
    assert [(i.status, i.attempts) for i in d.items(case)] == [(WAITING, 1)] + [(WAITING, 0)] * 3
    with d.store.unit() as unit:
        failed = unit.apply(unit.case(case.id), CaseEvent.GAVE_UP, d.clock())
    with pytest.raises(IllegalTransition, match="resend"), d.store.unit() as unit:
        unit.apply(failed, CaseEvent.RERUN, d.clock())


def test_result_that_was_never_about_to_leave_may_change() -> None:
    """What the courier did not touch, because the destination was left alone, is not final."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True))
    d.case(1)
    d.courier.tick()
    untouched = d.case(2)
    d.courier.tick()
    with d.store.unit() as unit:
        failed = unit.apply(unit.case(untouched.id), CaseEvent.GAVE_UP, d.clock())
        assert unit.apply(failed, CaseEvent.RERUN, d.clock()).state is CaseState.READY


def test_a_case_that_is_withdrawn_sends_nothing_more() -> None:
    """A merge while objects leave stops the rest: what is on its way is the last one."""
    d = Delivery(confirm="none")
    case = d.case()
    crashed = []

    def withdraw(point: str) -> None:
        if point == "deliver.between_stores" and not crashed:
            crashed.append(point)
            with d.store.unit() as unit:
                unit.withdraw(unit.case(case.id), d.clock(), "its patient was merged")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "crashpoint", withdraw)
        d.courier.tick()
    assert len(d.pacs.requests) == 1
    d.clock.pass_s(DAY_S)
    assert d.courier.tick() == 0


def test_what_is_merged_while_the_association_opens_does_not_leave() -> None:
    """The firewall is asked right before the first object, too, and withdraws the version."""
    d = Delivery(confirm="none")
    case = d.case()
    merge = Retirement(d.clock(), "M1", case.patient, PatientKey("EXAMPLE", "P9"))
    store = d.pacs.store

    def merged_meanwhile(parts, **how):  # type: ignore[no-untyped-def]
        with d.store.unit() as unit:
            unit.retire(merge)
        return store(parts, **how)

    d.pacs.store = merged_meanwhile  # type: ignore[method-assign]
    d.courier.tick()
    assert d.pacs.requests == []
    assert (d.now(case).state, d.now(case).reason) == (CaseState.CLOSED, RETIRED)


def test_what_was_merged_before_is_not_even_tried() -> None:
    """No association is opened for it."""
    d = Delivery(confirm="none")
    case = d.case()
    with d.store.unit() as unit:
        unit.retire(Retirement(d.clock(), "M1", case.patient, PatientKey("EXAMPLE", "P9")))
    d.courier.tick()
    assert (d.pacs.associations, d.now(case).state) == ([], CaseState.CLOSED)


@pytest.mark.parametrize(("kind", "after"), [(Kind.REJECTION, REFUSED), (SC, WAITING)])
def test_a_rejection_of_what_is_not_there_is_not_tried_again(kind: Kind, after: OutboxStatus) -> None:
    """0xA773 is no lack of resources then; the case is done with the rest."""
    odd = replace(result_object(SC, 1), kind=kind)
    d = Delivery(confirm="none", pacs=FakePacs(status={odd.sop_instance_uid: 0xA773}))
    case = delivering(d.store, {"pacs": [odd, result_object(SC, 2)]})
    d.courier.tick()
    assert d.status(case) == [after, CONFIRMED]
    assert d.now(case).state is (CaseState.DONE if kind is Kind.REJECTION else CaseState.DELIVERING)
