"""The end of an association where the peer ends it, too, over real sockets."""

import threading
import time
from collections.abc import Iterator

import pytest
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT
from pynetdicom.presentation import build_context

from agent.core.services import VERIFICATION
from agent.dimse.association import Peer, Timeouts, association
from agent.dimse.still import hold_still
from tests.scripted_scp import Conversation, ScriptedScp

PATIENT = Timeouts(connect_s=5, association_s=20, response_s=20, pdu_s=20)
RELEASE_REQUEST, RELEASE_RESPONSE, ABORT, CLOSED = 5, 6, 7, 0
SOON_S = 5  # well below the association's timeout


@pytest.fixture(autouse=True)
def ends_soon_with_nothing_left() -> Iterator[None]:
    """No wait is as long as a timeout, and no thread is left."""
    before, began = set(threading.enumerate()), time.monotonic()
    yield
    until(lambda: not set(threading.enumerate()) - before)
    assert time.monotonic() - began < SOON_S


def until(is_so) -> None:  # type: ignore[no-untyped-def]
    """Wait until something is so, for as long as it may take."""
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def called(scp: ScriptedScp) -> Peer:
    """Return whom to call."""
    return Peer("SENTINODE", "SCRIPTED", "127.0.0.1", scp.port, PATIENT, 0)


CONTEXTS = [build_context(VERIFICATION)]


def test_peer_that_asked_first_is_answered() -> None:
    """Its request is there, unread, when we would ask ourselves: it gets its response, and none of ours."""
    took: list[int] = []
    is_open = threading.Event()

    def leaving(talk: Conversation) -> None:
        is_open.wait(SOON_S)
        talk.ask_for_release()
        took.extend([talk.take_pdu(), talk.take_pdu()])

    with ScriptedScp((leaving,)) as scp:
        with association(called(scp), CONTEXTS) as opened:
            hold_still(opened)
            is_open.set()
            until(opened.dul.peek_next_pdu)
        assert opened.is_released
        until(lambda: len(took) == 2)
    assert took == [RELEASE_RESPONSE, CLOSED]


def test_requests_that_cross_are_both_answered() -> None:
    """Release collision (PS3.8 7.2.2.7): the requestor, we, responds first, then the acceptor."""
    took: list[int] = []

    def crossing(talk: Conversation) -> None:
        took.append(talk.take_pdu())
        talk.ask_for_release()
        took.append(talk.take_pdu())
        talk.answer_release()
        took.append(talk.take_pdu())

    with ScriptedScp((crossing,)) as scp:
        with association(called(scp), CONTEXTS) as opened:
            pass
        assert opened.is_released
        until(lambda: len(took) == 3)
    assert took == [RELEASE_REQUEST, RELEASE_RESPONSE, CLOSED]


def test_peer_that_answers_a_crossing_request_out_of_turn_does_not_keep_us() -> None:
    """It asks and responds in one go."""

    def hasty(talk: Conversation) -> None:
        talk.take_pdu()
        talk.ask_for_release()
        talk.answer_release()
        talk.take_pdu()

    with ScriptedScp((hasty,)) as scp, association(called(scp), CONTEXTS) as opened:
        pass
    assert not opened.is_established


@pytest.mark.parametrize("how", [Conversation.abort, Conversation.drop], ids=["abort", "close"])
@pytest.mark.parametrize("asks_first", [False, True], ids=["at once", "after a request for release"])
def test_peer_that_is_gone_is_not_waited_for(how, asks_first: bool) -> None:  # type: ignore[no-untyped-def]
    """What it did is there, unread, when we would release."""
    is_open = threading.Event()

    def leaving(talk: Conversation) -> None:
        is_open.wait(SOON_S)
        if asks_first:
            talk.ask_for_release()
        how(talk)

    with ScriptedScp((leaving,)) as scp, association(called(scp), CONTEXTS) as opened:
        hold_still(opened)
        is_open.set()
        until(lambda: any(isinstance(one, A_ABORT | A_P_ABORT) for one in tuple(opened.dul.to_user_queue.queue)))
    assert not opened.is_established


def test_abort_of_an_association_that_is_gone_is_harmless() -> None:
    """There is nobody to tell."""
    is_open = threading.Event()

    def drop(talk: Conversation) -> None:
        is_open.wait(SOON_S)
        talk.drop()

    with ScriptedScp((drop,)) as scp, association(called(scp), CONTEXTS) as opened:
        hold_still(opened)
        is_open.set()
        until(opened.dul.peek_next_pdu)
        opened.abort()
    assert not opened.is_established
