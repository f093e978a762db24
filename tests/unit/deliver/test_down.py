"""Destinations that are down, and those that are not."""

from agent.core.case import CaseState
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from tests.delivery import DAY_S, Delivery
from tests.fakes.pacs import FakePacs

SC = Kind.SECONDARY_CAPTURE
WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


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
