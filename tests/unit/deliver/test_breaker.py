"""When a destination that was not reached is called again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.case import CaseState
from agent.core.errors import Transient, Unanswered
from agent.core.ports import OutboxStatus
from agent.core.retry import RetryPolicy
from agent.deliver.breaker import Breaker
from tests.delivery import DAY_S, T0, Clock, Delivery
from tests.fakes.pacs import FakePacs

POLICY = RetryPolicy(10, 300, DAY_S)


def pauses(breaker: Breaker, count: int) -> list[float]:
    """Fail again as soon as the breaker lets through, and return the seconds between."""
    clock = Clock(T0)
    found = []
    for _ in range(count):
        breaker.failed(clock())
        before = clock()
        while breaker.is_open(clock()):
            clock.pass_s(0.25)
        found.append((clock() - before).total_seconds())
    return found


def test_after_the_first_minute_it_is_one_call_a_minute() -> None:
    """Soon at first, for a short interruption; never as seldom as the backoff of an object."""
    assert pauses(Breaker(POLICY, lambda: 0.0), 7) == [5, 10, 20, 60, 60, 60, 60]
    assert pauses(Breaker(POLICY, lambda: 1.0), 5) == [10, 20, 66, 66, 66]


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40), st.floats(1, 300), st.floats(1, 20))
def test_whatever_the_jitter_no_two_calls_fall_into_a_minute(drawn: list[float], first_s: float, factor: float) -> None:
    """But within the first minute; and no pause is longer than a minute and a tenth."""
    policy = RetryPolicy(first_s, max(60.0, first_s * factor), DAY_S)
    numbers = iter(drawn * 10)
    breaker = Breaker(policy, lambda: next(numbers))
    found = pauses(breaker, 20)
    down = 0.0
    for pause in found:
        down += pause
        assert pause <= 66.25
        assert down <= 60 or pause >= 60


def test_a_site_that_wants_it_sooner_gets_it_sooner() -> None:
    """The longest delay of its own counts where it is shorter than a minute."""
    assert pauses(Breaker(RetryPolicy(1, 20, DAY_S), lambda: 0.0), 7) == [0.5, 1, 2, 4, 8, 20, 20]


def test_an_answer_begins_anew() -> None:
    """The next failure is a new interruption."""
    breaker = Breaker(POLICY, lambda: 1.0)
    pauses(breaker, 5)
    breaker.answered()
    assert breaker.down_since is None
    assert pauses(breaker, 1) == [10]


def test_one_that_only_answers_calls_is_not_called_sooner() -> None:
    """An echo is no proof that it takes what it is for."""
    breaker = Breaker(POLICY, lambda: 0.0)
    pauses(breaker, 5)
    breaker.let_through()
    assert not breaker.is_open(T0)
    assert pauses(breaker, 1) == [60]


def test_a_clock_that_is_set_back_does_not_prolong_an_outage() -> None:
    """An hour of winter is not a pause of an hour."""
    breaker = Breaker(POLICY, lambda: 1.0)
    breaker.failed(T0)
    assert breaker.is_open(T0)
    assert not breaker.is_open(T0 - timedelta(hours=1))


# with a courier


def test_a_call_touches_no_case() -> None:
    """The first attempt shows that the destination is away; from then on it is called by C-ECHO."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True))
    case, untouched = d.case(1), d.case(2)
    for _ in range(60):
        d.courier.tick()
        d.clock.pass_s(60)
    assert d.pacs.associations[0] == "store"
    assert set(d.pacs.associations[1:]) == {"echo"}
    assert {i.attempts for one in (case, untouched) for i in d.items(one)} == {0}
    assert ["rejected" in d.items(one)[0].error for one in (case, untouched)] == [True, False]


def test_all_is_due_when_it_is_back() -> None:
    """Also what was tried: nothing sits out a backoff of its own."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True))
    cases = [d.case(n) for n in (1, 2, 3)]
    for _ in range(10):
        d.courier.tick()
        d.clock.pass_s(66)
    d.pacs.down = False
    assert d.courier.tick() == 12
    assert {d.now(case).state for case in cases} == {CaseState.DONE}


def test_a_peer_that_answers_an_echo_badly_is_there() -> None:
    """It may offer no verification; whether it stores is seen by storing."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_first=1))
    case = d.case()
    d.courier.tick()

    def refuse() -> None:
        raise Transient("C-ECHO ended with status 0x0122")

    d.pacs.echo = refuse  # type: ignore[method-assign]
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_what_waited_too_long_is_given_up_while_it_is_still_down() -> None:
    """And what did not, is not; one that was stored and not proven, too."""
    d = Delivery(changes={"give_up_after_s": DAY_S})
    stored = d.case(1)
    has = d.pacs.has

    def gone(*uids: str) -> bool:
        d.pacs.down = True
        return has(*uids)

    d.pacs.has = gone  # type: ignore[method-assign]
    d.courier.tick()
    assert d.status(stored) == [OutboxStatus.SENT] * 4
    early, late = d.case(2), None
    for _ in range(24 * 60 + 2):
        late = late or (d.case(3) if d.clock() - T0 > timedelta(hours=12) else None)
        d.courier.tick()
        d.clock.pass_s(60)
    assert late is not None
    assert [d.now(case).state for case in (stored, early, late)] == [
        CaseState.FAILED,
        CaseState.FAILED,
        CaseState.DELIVERING,
    ]
    assert d.now(early).reason.startswith("pacs sr:200: given up: the fake PACS rejected the association")


def test_a_peer_that_leaves_one_object_unanswered_is_called_and_goes_on() -> None:
    """The object on which it hangs waits long; the next case goes as soon as an echo is answered, and not before."""
    d = Delivery(confirm="none")
    poison, good = d.case(1), d.case(2)
    store = d.pacs.store

    def hanging(parts, **how):  # type: ignore[no-untyped-def]
        if d.uids(poison)[0].encode() in parts[0]:
            assert how["may_send"](d.uids(poison)[0])
            raise Unanswered("no response to C-STORE: time ran out")
        yield from store(parts, **how)

    d.pacs.store = hanging  # type: ignore[method-assign]
    d.courier.tick()
    assert d.now(good).state is CaseState.DELIVERING
    assert (d.items(poison)[0].next_at - d.clock()).total_seconds() == 10 + 66
    assert [i.attempts for i in d.items(poison)] == [1, 0, 0, 0]
    d.pacs.down = True
    d.courier.tick()
    d.courier.tick()
    assert d.pacs.associations == ["echo"]
    d.pacs.down = False
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.now(good).state is CaseState.DONE


@pytest.mark.parametrize("confirm", ["read_back", "commitment"])
def test_what_was_stored_is_proven_as_soon_as_it_is_back(confirm: str) -> None:
    """No backoff of minutes for a proof that could not be asked for."""
    d = Delivery(confirm=confirm)
    case = d.case()
    d.pacs.has = d.pacs.request_commitment = _away(d)  # type: ignore[assignment,method-assign]
    d.courier.tick()
    assert [i.next_at for i in d.items(case)] == [d.clock()] * 4
    assert d.status(case) == [OutboxStatus.SENT] * 4


def _away(d: Delivery):  # type: ignore[no-untyped-def]
    def away(*_: object) -> None:
        d.pacs.down = True
        d.pacs._associate("proof")

    return away
