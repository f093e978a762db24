"""How long the PDUs are that we send, and several large objects at once, over real sockets."""

import threading
import time

import pytest

from agent.core.errors import Unreachable
from agent.dimse.association import LONGEST_PDU
from agent.dimse.still import AssociationLost
from tests.archives import client
from tests.fakes.objects import SECONDARY_CAPTURE, dataset_bytes, one_result, part10
from tests.scripted_scp import SHORT, Conversation, ScriptedScp, until_it_failed

SMALL = one_result(1)[0]
BIG = part10(SECONDARY_CAPTURE, "2.25.7") + b"\x00" * 3_000_000


@pytest.mark.parametrize(
    ("announced", "longest"),
    [(4096, 4096), (131072, 131072), (0, LONGEST_PDU), (0xFFFFFFFF, LONGEST_PDU), (None, 16384), (128, 128)],
)
def test_pdus_are_as_long_as_the_peer_takes_them(announced: int | None, longest: int) -> None:
    """Full PDUs are exactly what was announced, up to a bound of ours, and none is longer; the bytes arrive."""
    arrived: list[bytes] = []
    encoded = BIG if announced != 128 else SMALL.encoded

    def keep(talk: Conversation) -> None:
        request = talk.take()
        arrived.append(request.dataset)
        talk.answer(request)

    with ScriptedScp((keep,), announced=announced) as scp:
        assert [o.status for o in client("SCRIPTED", scp.port).store([encoded])] == [0]
    assert arrived == [dataset_bytes(encoded)]
    assert scp.largest_pdu == longest
    assert scp.offered_pdu[0] >= 131072


def test_peer_whose_pdus_hold_nothing_is_not_reached() -> None:
    """A maximum length that leaves no room for a fragment is an error in its configuration."""
    with ScriptedScp(announced=6) as scp, pytest.raises(Unreachable, match="PDUs of 6 bytes"):
        list(client("SCRIPTED", scp.port).store([SMALL.encoded]))
    assert scp.conversations[0].pdu_lengths == []


def test_large_objects_at_once_arrive_whole() -> None:
    """Three of several megabytes under way: the peer takes all of them before it answers the first."""
    large = [part10(SECONDARY_CAPTURE, f"2.25.{n}") + bytes([n]) * 4_000_000 for n in (7, 8, 9)]
    arrived: list[bytes] = []

    def all_first(talk: Conversation) -> None:
        held = [talk.take() for _ in large]
        arrived.extend(one.dataset for one in held)
        for request in held:
            talk.answer(request)

    with ScriptedScp((all_first,), window=3, announced=0) as scp:
        assert [o.status for o in client("SCRIPTED", scp.port).store(large)] == [0] * 3
    assert arrived == [dataset_bytes(encoded) for encoded in large]


def test_peer_that_stops_reading_with_some_under_way_does_not_hold_us() -> None:
    """The first object is answered, of the large ones behind it nothing is read: our write is bounded."""
    is_over = threading.Event()

    def deaf(talk: Conversation) -> None:
        talk.answer(talk.take())
        is_over.wait(20)

    large = [part10(SECONDARY_CAPTURE, f"2.25.{n}") + bytes(12_000_000) for n in (7, 8)]
    began = time.monotonic()
    with ScriptedScp((deaf,), window=3) as scp:
        stored, failed = until_it_failed(
            client("SCRIPTED", scp.port, SHORT).store(
                [SMALL.encoded, *large], needs={"2.25.7": [SMALL.sop_instance_uid]}
            )
        )
        is_over.set()
    assert (stored, type(failed)) == ([SMALL.sop_instance_uid], AssociationLost)
    assert time.monotonic() - began < 8
