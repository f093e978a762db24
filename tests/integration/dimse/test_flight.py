"""Several objects under way at once, over real sockets, to peers that answer as a script says."""

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace

import pytest
from pynetdicom import AE, evt
from pynetdicom.acse import ACSE
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from pynetdicom.presentation import build_context

from agent.core.errors import Transient, Unanswered, Unreachable
from agent.dimse.association import Peer, Timeouts, association
from agent.dimse.client import PacsClient
from agent.dimse.flight import Flight
from agent.dimse.part10 import split
from agent.dimse.still import hold_still
from agent.dimse.store import store
from tests.archives import AGENT, QUICK
from tests.fakes.objects import COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE, dataset_bytes, one_result
from tests.scripted_scp import C_ECHO_RSP, SHORT, Conversation, Request, Script, ScriptedScp, until_it_failed

OBJECTS = one_result(1, captures=5)
PARTS = [o.encoded for o in OBJECTS]
UIDS = [o.sop_instance_uid for o in OBJECTS]
PAIRS = tuple(dict.fromkeys((o.sop_class_uid, o.transfer_syntax_uid) for o in OBJECTS))
CONTEXTS = [build_context(sop_class, syntax) for sop_class, syntax in PAIRS]


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def to(scp: ScriptedScp, timeouts: Timeouts = QUICK, **how: int) -> PacsClient:
    """Return the agent's client of a scripted peer."""
    return PacsClient(AGENT, "SCRIPTED", "127.0.0.1", scp.port, timeouts=timeouts, **how)


def three_at_once(talk: Conversation) -> None:
    """Take three, see that no fourth comes, and answer the last one first; so again until the end."""
    held: list[Request] = []
    for _ in UIDS:
        held.append(talk.take())
        if len(held) == 3 or held[-1].sop_instance_uid == UIDS[-1]:
            assert talk.is_quiet()
            while held:
                talk.answer(held.pop())


def test_as_many_are_under_way_as_the_peer_allows_and_answers_may_come_in_any_order() -> None:
    """Of a window of three, three leave before the first answer and no fourth; each answer finds its object."""
    with ScriptedScp((three_at_once,), window=3) as scp:
        outcomes = list(to(scp).store(PARTS))
    assert {o.status for o in outcomes} == {0}
    order = [UIDS.index(o.sop_instance_uid) for o in outcomes]
    assert order == [2, 1, 0, 5, 4, 3, 6]
    assert scp.windows == [(8, 1)]


def test_status_belongs_to_the_object_of_its_message_id() -> None:
    """Answers in another order carry different statuses."""

    def backwards(talk: Conversation) -> None:
        held = [talk.take() for _ in UIDS]
        for number, request in reversed(list(enumerate(held))):
            talk.answer(request, 0xB000 + number)

    with ScriptedScp((backwards,), window=0) as scp:
        outcomes = list(to(scp).store(PARTS))
    assert {o.sop_instance_uid: o.status for o in outcomes} == {uid: 0xB000 + n for n, uid in enumerate(UIDS)}


def test_an_outcome_is_there_as_soon_as_its_answer_is() -> None:
    """The second object's comes out while the first is still unanswered: its answer waits for that."""
    is_out = threading.Event()

    def second_first(talk: Conversation) -> None:
        held = [talk.take() for _ in UIDS]
        talk.answer(held.pop(1))
        assert is_out.wait(10)
        for request in held:
            talk.answer(request)

    with ScriptedScp((second_first,), window=8) as scp, closing(to(scp).store(PARTS)) as outcomes:
        assert next(outcomes).sop_instance_uid == UIDS[1]
        is_out.set()
        assert {o.sop_instance_uid for o in outcomes} == {*UIDS} - {UIDS[1]}


def test_datasets_arrive_as_the_bytes_they_were() -> None:
    """Several at once are not mixed up: each UID has its own dataset."""
    arrived: dict[str, bytes] = {}

    def keep(talk: Conversation) -> None:
        for _ in UIDS:
            request = talk.take()
            arrived[request.sop_instance_uid] = request.dataset
            talk.answer(request)

    with ScriptedScp((keep,), window=4, announced=512) as scp:
        list(to(scp).store(PARTS))
    assert arrived == {o.sop_instance_uid: dataset_bytes(o.encoded) for o in OBJECTS}


def test_object_leaves_only_after_what_it_needs_was_answered() -> None:
    """The third needs the first: it and those behind it wait; then they go on together."""

    def held_up(talk: Conversation) -> None:
        first, second = talk.take(), talk.take()
        assert talk.is_quiet()
        talk.answer(first)
        third = talk.take()
        assert third.sop_instance_uid == UIDS[2]
        for request in (third, second):
            talk.answer(request)

    with ScriptedScp((held_up,), window=8) as scp:
        outcomes = list(to(scp).store(PARTS, needs={UIDS[2]: [UIDS[0]]}))
    assert {o.status for o in outcomes} == {0}
    assert len(outcomes) == len(UIDS)


@pytest.mark.parametrize(
    ("status", "left"), [(0xA700, [3, 4, 5, 6]), (0xB000, [2, 3, 4, 5, 6]), (0xC000, [2, 3, 4, 5, 6])]
)
def test_object_stays_while_what_it_needs_may_still_come(status: int, left: list[int]) -> None:
    """Where the needed one failed for now, what needs it stays, and what needs that; where for good, it goes."""

    def fail_the_first(talk: Conversation) -> None:
        talk.answer(talk.take(), status)

    needs = {UIDS[2]: [UIDS[0]], UIDS[1]: [UIDS[2]], UIDS[3]: ["2.25.99"]}
    parts = [PARTS[0], PARTS[2], *([PARTS[1]] if status == 0xA700 else []), *PARTS[3:]]
    with ScriptedScp((fail_the_first,), window=8) as scp:
        outcomes = list(to(scp).store(parts, needs=needs))
    assert [UIDS.index(o.sop_instance_uid) for o in outcomes] == [0, *left]


def test_whether_to_send_is_asked_right_before_each_and_answers_under_way_still_come() -> None:
    """After three the answer is no: nothing more leaves, three outcomes come, and the association is released."""
    asked: list[int] = []

    def may_send(_: str) -> bool:
        asked.append(1)
        return len(asked) <= 3

    with ScriptedScp((three_at_once,), window=3) as scp:
        outcomes = to(scp).store(PARTS, may_send=may_send)
        assert {o.sop_instance_uid for o in outcomes} == set(UIDS[:3])
        assert len(asked) == 4
    assert not scp.conversations[0].aborted


def test_class_that_is_not_accepted_holds_nobody_up() -> None:
    """It has no status; the others are stored."""
    with ScriptedScp(window=3, accepts=lambda _, abstract: abstract != ENHANCED_SR) as scp:
        outcomes = {o.sop_instance_uid: o.status for o in to(scp).store(PARTS)}
    assert outcomes == dict.fromkeys(UIDS, 0) | {UIDS[1]: None}


@pytest.mark.parametrize(("window", "proposed"), [(None, 8), (1, 8), (8, 1)])
def test_one_at_a_time_where_the_peer_or_we_want_no_more(window: int | None, proposed: int) -> None:
    """No answer, an answer of one, or nothing proposed."""

    def one_at_a_time(talk: Conversation) -> None:
        for _ in UIDS:
            request = talk.take()
            assert talk.is_quiet()
            talk.answer(request)

    with ScriptedScp((one_at_a_time,), window=window) as scp:
        outcomes = list(to(scp, max_operations=proposed).store(PARTS))
    assert [o.sop_instance_uid for o in outcomes] == UIDS
    assert scp.windows == [(8, 1) if proposed > 1 else None]


def test_connection_that_drops_with_three_under_way_keeps_what_was_answered() -> None:
    """Two answered, three not: two outcomes and an error; sent again, all are there, under their UIDs."""

    def two_of_five(talk: Conversation) -> None:
        held = [talk.take() for _ in range(5)]
        talk.answer(held[3])
        talk.answer(held[0])
        talk.drop()

    with ScriptedScp((two_of_five, Conversation.answer_all), window=5) as scp:
        stored, failed = until_it_failed(to(scp).store(PARTS))
        assert "ended the association" in str(failed)
        assert not isinstance(failed, Unreachable)
        assert stored == [UIDS[3], UIDS[0]]
        again = list(to(scp).store([p for p, uid in zip(PARTS, UIDS, strict=True) if uid not in stored]))
    assert {o.sop_instance_uid for o in again} == {*UIDS} - {*stored}


def test_answer_that_never_comes_costs_the_response_timeout() -> None:
    """All but one answered: those stand, and the wait for the last is bounded."""

    def all_but_the_second(talk: Conversation) -> None:
        held = [talk.take() for _ in UIDS]
        for request in [*held[:1], *held[2:]]:
            talk.answer(request)
        talk.take()

    began = time.monotonic()
    with ScriptedScp((all_but_the_second,), window=8) as scp:
        stored, failed = until_it_failed(to(scp, SHORT).store(PARTS))
        assert (type(failed), str(failed)) == (Unanswered, "no response to C-STORE within 0.5 s")
        assert time.monotonic() - began < 4
    assert stored == [UIDS[0], *UIDS[2:]]
    assert scp.conversations[0].aborted


@pytest.mark.parametrize("how", [{"message_id": 99}, {"field": C_ECHO_RSP}], ids=["unknown ID", "C-ECHO-RSP"])
def test_message_that_answers_nothing_ends_the_association(how: dict[str, int]) -> None:
    """Whoever answers what was not asked is not to be trusted with the rest."""

    def confused(talk: Conversation) -> None:
        talk.answer(talk.take(), **how)
        while True:
            talk.take()

    with ScriptedScp((confused,), window=2) as scp, pytest.raises(Transient, match="another message"):
        list(to(scp).store(PARTS))
    assert scp.conversations[0].aborted


def answered_twice(talk: Conversation) -> None:
    """Store the first object and refuse the second; the first one's answer comes again before the second's."""
    first = talk.take()
    talk.answer(first)
    second = talk.take()
    talk.answer(second, message_id=first.message_id)
    talk.answer(second, 0xA900)


def answered_twice_at_once(talk: Conversation) -> None:
    """Answer the first object twice, and refuse the second."""
    first = talk.take()
    talk.answer(first)
    talk.answer(first)
    talk.answer(talk.take(), 0xA900)


@pytest.mark.parametrize("window", [8, None], ids=["several at once", "one at a time"])
@pytest.mark.parametrize("script", [answered_twice, answered_twice_at_once])
def test_second_answer_is_not_taken_for_that_of_the_next_object(script: Script, window: int | None) -> None:
    """The first object is stored; the second, of a later call on the same association, was refused."""
    with ScriptedScp((script,), window=window) as scp, to(scp).session(PAIRS) as session:
        assert [o.status for o in session.store(PARTS[:1])] == [0]
        with suppress(Transient):  # the association is aborted, unless pynetdicom dropped the second answer before
            assert [o.status for o in session.store(PARTS[1:2])] == [0xA900]
    assert len(scp.conversations) == 1


def test_each_request_on_an_association_has_a_message_id_of_its_own() -> None:
    """Over several calls of a session."""
    ids: list[int] = []

    def keep(talk: Conversation) -> None:
        for _ in PARTS:
            request = talk.take()
            ids.append(request.message_id)
            talk.answer(request)

    with ScriptedScp((keep,), window=8) as scp, to(scp).session(PAIRS) as session:
        for part in PARTS:
            assert [o.status for o in session.store([part])] == [0]
    assert ids == list(range(1, len(PARTS) + 1))


def test_message_that_nobody_asked_for_ends_the_association_before_the_next_request() -> None:
    """A second answer that waits to be read is not left for the next object."""
    may_follow = threading.Event()

    def twice(talk: Conversation) -> None:
        first = talk.take()
        talk.answer(first)
        assert may_follow.wait(10)
        talk.answer(first)

    peer = Peer(AGENT, "SCRIPTED", "127.0.0.1", 0, QUICK, 0)
    with ScriptedScp((twice,)) as scp, association(replace(peer, port=scp.port), CONTEXTS) as opened:
        flight = Flight(opened)
        assert [o.status for o in store(flight, [split(PARTS[0])], {}, lambda uid: True)] == [0]
        hold_still(opened)
        may_follow.set()
        until(lambda: flight.has_answer)
        with pytest.raises(Transient, match="nobody asked for"):
            list(store(flight, [split(PARTS[1])], {}, lambda uid: True))
        assert not opened.is_established
    until(lambda: scp.conversations[0].aborted)


@pytest.mark.parametrize("named", ["2.25.77", UIDS[1]], ids=["unknown", "another under way"])
def test_answer_that_names_another_object_than_its_request_ends_the_association(named: str) -> None:
    """Affected SOP Instance UID and Message ID must agree."""

    def confused(talk: Conversation) -> None:
        held = [talk.take(), talk.take()]
        talk.answer(held[0], names=named)
        talk.take()

    with ScriptedScp((confused,), window=2) as scp, pytest.raises(Transient, match="names another object"):
        list(to(scp).store(PARTS[:2]))
    until(lambda: scp.conversations[0].aborted)


def test_answer_may_name_its_object() -> None:
    """As most peers do; padded as UIDs are."""

    def proper(talk: Conversation) -> None:
        for _ in PARTS:
            request = talk.take()
            talk.answer(request, names=request.sop_instance_uid)

    with ScriptedScp((proper,)) as scp:
        assert [o.status for o in to(scp).store(PARTS)] == [0] * len(PARTS)


def test_whoever_stops_listening_with_some_under_way_aborts() -> None:
    """The generator is closed after the first outcome: what is under way ends with the association."""

    def first_of_three(talk: Conversation) -> None:
        held = [talk.take() for _ in range(3)]
        talk.answer(held[0])

    with ScriptedScp((first_of_three,), window=3) as scp:
        outcomes = to(scp).store(PARTS)
        assert next(outcomes).sop_instance_uid == UIDS[0]
        outcomes.close()
    assert scp.conversations[0].aborted


def test_peer_that_wants_to_release_instead_of_answering_is_not_waited_for() -> None:
    """A-RELEASE-RQ with a request under way: the object was not stored."""

    def leaving(talk: Conversation) -> None:
        talk.take()
        talk.ask_for_release()

    began = time.monotonic()
    with ScriptedScp((leaving,)) as scp, pytest.raises(Transient, match="ended the association"):
        list(to(scp).store(PARTS))
    assert time.monotonic() - began < QUICK.response_s / 2


@pytest.fixture
def granting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Have pynetdicom's acceptor grant a window of four; what it stores, with the Message ID."""

    def four(acse: ACSE) -> AsynchronousOperationsWindowNegotiation:
        item = AsynchronousOperationsWindowNegotiation()
        item.maximum_number_operations_invoked, item.maximum_number_operations_performed = 4, 1
        return item

    monkeypatch.setattr(ACSE, "_check_async_ops", four)
    return []


def test_acceptor_of_another_make_stores_what_is_under_way(granting: list[tuple[int, str]]) -> None:
    """Pynetdicom as acceptor takes from its queue what came while it was busy."""

    def keep(event: evt.Event) -> int:
        granting.append((event.request.MessageID, str(event.request.AffectedSOPInstanceUID)))  # type: ignore[union-attr,arg-type]
        return 0

    ae = AE(ae_title="PEER")
    for sop_class in (COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE):
        ae.add_supported_context(sop_class)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        peer = PacsClient(AGENT, "PEER", "127.0.0.1", server.server_address[1], timeouts=QUICK)
        outcomes = list(peer.store(PARTS))
    finally:
        server.shutdown()
    assert [(o.sop_instance_uid, o.status) for o in outcomes] == [(uid, 0) for uid in UIDS]
    assert granting == list(enumerate(UIDS, 1))


def test_acceptor_that_negotiates_one_gets_one() -> None:
    """Pynetdicom answers every window with one operation; ours proposes eight."""
    asked: list[tuple[int, int]] = []
    ae = AE(ae_title="PEER")
    ae.add_supported_context(SECONDARY_CAPTURE)
    handlers = [(evt.EVT_ASYNC_OPS, lambda event: asked.append((event.nr_invoked, event.nr_performed)) or (1, 1))]
    handlers.append((evt.EVT_C_STORE, lambda event: 0))
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        peer = PacsClient(AGENT, "PEER", "127.0.0.1", server.server_address[1], timeouts=QUICK)
        assert [o.status for o in peer.store(PARTS[2:])] == [0] * 5
    finally:
        server.shutdown()
    assert asked == [(8, 1)]
