"""What a PACS does not answer, and associations that end at once."""

from datetime import timedelta

from agent.core.archive import StoreOutcome
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Transient, Unanswered
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.dimse.part10 import Part
from tests.delivery import DAY_S, Clock, Delivery
from tests.fakes.pacs import FakePacs

SC = Kind.SECONDARY_CAPTURE
WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


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
