"""The counts of the gate: places of associations, connections that wait, complaints that are logged."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agent.receive.admission import Refusal
from agent.receive.caller import Caller
from agent.receive.complaints import TOLD_AGAIN_AFTER_S, Complaints
from agent.receive.quotas import Place, Quotas
from agent.receive.waiting import WaitingRoom


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 9)), max_size=60))
def test_places_are_never_more_than_there_are(steps: list[tuple[bool, str, int]]) -> None:
    """Whoever takes and gives back, in any order and twice; a refusal is right when it is given."""
    quotas = Quotas(5, 3)
    held: list[tuple[str, Place]] = []
    for takes, peer, which in steps:
        if not takes:
            if held:
                _, place = held.pop(which % len(held))
                place.give_back()
                place.give_back()
            continue
        own = sum(name == peer for name, _ in held)
        found = quotas.take((peer, "127.0.0.1"))
        if isinstance(found, Place):
            held.append((peer, found))
            assert own < 3 and len(held) <= 5
        else:
            assert found is (Refusal.TOO_MANY_OF_THIS_PEER if own == 3 else Refusal.TOO_MANY_ASSOCIATIONS)
    for _, place in held:
        place.give_back()
    assert not quotas._taken


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test opens."""
    with ExitStack() as opened:
        yield opened


def caller(stack: ExitStack, address: str, deadline: float = 0.0) -> Caller:
    """Return a connection from an address."""
    near, far = socket.socketpair()
    stack.callback(near.close)
    stack.callback(far.close)
    return Caller(near, (address, 1), deadline)


def test_who_has_most_loses_its_oldest(stack: ExitStack) -> None:
    """Not who came first, nor who came last."""
    room = WaitingRoom(4)
    other = caller(stack, "b")
    first, second, third, fourth = (caller(stack, "a") for _ in range(4))
    for one in (other, first, second, third):
        assert room.add(one) is None
    assert room.add(fourth) is first
    room.remove(first)
    assert list(room) == [other, second, third, fourth] and len(room) == 4
    for one in (second, third, fourth):
        room.remove(one)
    assert room.oldest_of_most() is other
    room.remove(other)
    assert room.oldest_of_most() is None


def test_requests_together_have_a_limit(stack: ExitStack) -> None:
    """Beyond it the largest goes."""
    room = WaitingRoom(4)
    small, large = caller(stack, "a"), caller(stack, "b")
    small.request += bytes(10)
    large.request += bytes(20)
    for one in (small, large):
        room.add(one)
    assert room.largest_beyond(30) is None
    assert room.largest_beyond(29) is large


def test_the_late_are_found(stack: ExitStack) -> None:
    """At their deadline, each its own."""
    room = WaitingRoom(4)
    soon, later = caller(stack, "a", 1.0), caller(stack, "a", 2.0)
    room.add(later)
    room.add(soon)
    assert room.overdue(0.9) == []
    assert room.overdue(1.0) == [soon]


def test_complaints_are_few() -> None:
    """The first of a kind at once, the others as one line at the end of its ten seconds."""
    now = [0.0]
    complaints = Complaints(lambda: now[0])
    with capture_logs() as logs:
        for _ in range(1000):
            complaints.tell("connection_refused", peer="192.0.2.1", reason="x")
        complaints.tell("connection_refused", peer="192.0.2.2", reason="x")
        complaints.sum_up()
        assert len(logs) == 2
        now[0] = TOLD_AGAIN_AFTER_S
        complaints.sum_up()
        assert [entry.get("more") for entry in logs] == [None, None, 999]
        complaints.tell("connection_refused", peer="192.0.2.1", reason="x")
    assert len(logs) == 4


def test_complaints_name_the_first_and_count_the_others() -> None:
    """Ids make no kind of their own; what is worse than a warning says so both times."""
    complaints = Complaints(lambda: 0.0)
    with capture_logs() as logs:
        for number in range(3):
            complaints.tell("refused", peer="a", reason="x", level="error", who={"name": "n"}, ids={"id": str(number)})
        complaints.sum_up(at_once=True)
    what = {"event": "refused", "log_level": "error", "peer": "a", "reason": "x", "name": "n"}
    assert logs == [what | {"id": "0"}, what | {"more": 2}]


def test_very_many_addresses_are_not_all_named() -> None:
    """Nor remembered."""
    complaints = Complaints(lambda: 0.0)
    with capture_logs() as logs:
        for number in range(5000):
            complaints.tell("connection_refused", peer=str(number), reason="x")
        complaints.sum_up(at_once=True)
    assert len(logs) < 260
    assert logs[-1]["peer"] == "others" and logs[-1]["more"] == 5000 - 257
