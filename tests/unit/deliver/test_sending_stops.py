"""Cases of which nothing more leaves: held, withdrawn, merged; and processes that die."""

import pytest

from agent.core.case import CaseEvent, CaseState, IllegalTransition
from agent.core.errors import StaleCase, Transient
from agent.core.firewall import RETIRED
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.deliver import sending
from tests.delivery import DAY_S, Delivery
from tests.fakes.pacs import FakePacs

SC = Kind.SECONDARY_CAPTURE
WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


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
