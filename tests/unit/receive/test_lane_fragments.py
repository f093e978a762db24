"""The loop, fed by a script: any fragmentation of the same messages gives the same records and responses."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.receive.lane import Ending, Outcome
from agent.receive.lane.buffer import LEAST_BYTES
from agent.receive.lane.framing import AbortReason
from tests.pdus import RELEASE_RQ, echo_rq, echo_rsp, pdu, pdv, store_rq, store_rsp
from tests.unit.receive.scripted_lane import BEGUN, STORE, Served

pytestmark = pytest.mark.usefixtures("quiet")


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    return [
        data[a:b] for a, b in pairwise([0, *sorted(place % (len(data) + 1) for place in places), len(data)]) if b > a
    ]


def _packed(values: list[bytes], sizes: Iterator[int], limit: int) -> bytes:
    """Put data values into PDUs, some to each, none longer than the limit."""
    stream, body = b"", b""
    for value in values:
        if body and (len(body) + len(value) > limit or next(sizes) % 3 == 0):
            stream, body = stream + pdu(body), b""
        body += value
    return stream + pdu(body)


def _fragmented(context_id: int, control: int, data: bytes, cuts: list[int], has_empty_end: bool) -> list[bytes]:
    parts = _cut(data, cuts) or [b""]
    parts = [part[at : at + 3000] for part in parts for at in range(0, max(len(part), 1), 3000)]
    if has_empty_end:
        parts.append(b"")
    return [pdv(context_id, control | (2 if n == len(parts) - 1 else 0), part) for n, part in enumerate(parts)]


CUTS = st.lists(st.integers(0, 1 << 16), max_size=6)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 9000), CUTS, CUTS, st.booleans(), st.booleans()), min_size=1, max_size=5),
    st.lists(st.integers(0, 1 << 16), min_size=1, max_size=40),
    CUTS,
)
def test_any_fragmentation_gives_the_same_records_and_responses(
    messages: list[tuple[int, list[int], list[int], bool, bool]], sizes: list[int], reads: list[int]
) -> None:
    """However messages lie in fragments, fragments in PDUs and PDUs in reads."""
    values: list[bytes] = []
    payloads, answers = [], b""
    for number, (size, command_cuts, data_cuts, has_empty_end, is_echo) in enumerate(messages, 1):
        if is_echo:
            values += _fragmented(3, 1, echo_rq(number), command_cuts, has_empty_end)
            answers += echo_rsp(number)
            continue
        payloads.append(bytes(n * number % 251 for n in range(size)))
        values += _fragmented(1, 1, store_rq(b"1.%d" % number, number), command_cuts, has_empty_end)
        values += _fragmented(1, 0, payloads[-1], data_cuts, has_empty_end)
        answers += store_rsp(b"1.%d" % number, number)
    cycle = (sizes[n % len(sizes)] for n in range(1 << 20))
    stream = _packed(values, cycle, 4096)
    served = Served(*_cut(stream + RELEASE_RQ, reads))
    assert served.payloads == payloads
    assert served.sent == answers
    assert served.outcome.ending is Ending.HANDED_OVER
    assert served.outcome.unread + b"".join(filter(None, served.wire.pieces)) == RELEASE_RQ
    assert served.channel.abandoned == 0


@settings(max_examples=100)
@given(st.integers(0, 3 * len(STORE)), st.binary(max_size=60), st.integers(1, 50))
def test_any_bytes_end_in_an_outcome(keep: int, junk: bytes, step: int) -> None:
    """Behind any beginning of good messages; what was acknowledged before is kept, and nothing is half there."""
    stream = (STORE * 3)[:keep] + junk
    served = Served(*(stream[at : at + step] for at in range(0, len(stream), step)))
    assert served.payloads[: keep // len(STORE)] == [b"dataset"] * (keep // len(STORE))
    assert served.sent.count(store_rsp()) >= len(served.payloads) >= keep // len(STORE)


def test_a_large_object_goes_through_in_parts() -> None:
    """More than the buffer holds is written as it comes, and the rest committed."""
    payload = bytes(range(256)) * ((3 * LEAST_BYTES + 12345) // 256) + b"odd"
    data = b"".join(
        pdu(pdv(1, 2 if at + 4000 >= len(payload) else 0, payload[at : at + 4000]))
        for at in range(0, len(payload), 4000)
    )
    stream = pdu(pdv(1, 3, store_rq())) + data
    served = Served(*(stream[at : at + 100_001] for at in range(0, len(stream), 100_001)))
    assert served.payloads == [payload]
    assert served.sent == store_rsp()
    assert served.channel.calls == ["begin", *["write"] * 3, "commit"]


def test_many_small_fragments_hold_few_views() -> None:
    """They are written a thousand at a time."""
    stream = pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 0, b"x" * 16)) * 3000 + pdu(pdv(1, 2, b""))
    served = Served(stream)
    assert served.payloads == [b"x" * 48000]
    assert served.channel.calls.count("write") == 2


def test_an_empty_dataset_is_stored() -> None:
    """One fragment without a byte: the record says so."""
    served = Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"")))
    assert served.payloads == [b""]
    assert served.sent == store_rsp()


def test_a_pdu_longer_than_allowed_is_not_read() -> None:
    """It is an invalid parameter; what was begun is abandoned."""
    served = Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 0, b"half")) + pdu(bytes(4097)))
    assert served.outcome == Outcome(
        Ending.INVALID_PDU, reason=AbortReason.INVALID_PDU_PARAMETER_VALUE, why="a PDU longer than allowed"
    )
    assert (served.payloads, served.channel.abandoned, served.sent) == ([], 1, b"")


def test_a_pdu_of_the_greatest_length_is_taken() -> None:
    """The limit is of the body."""
    assert Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"z" * 4090))).payloads == [b"z" * 4090]


def test_a_response_keeps_to_what_the_peer_takes() -> None:
    """In several PDUs where one is too long."""
    response = store_rsp()[12:]
    parts = [response[at : at + 44] for at in range(0, len(response), 44)]
    expected = b"".join(pdu(pdv(1, 3 if n == len(parts) - 1 else 1, part)) for n, part in enumerate(parts))
    assert Served(STORE, peer_max_pdu=50).sent == expected


EMPTY = {"dataset": (BEGUN, pdu(pdv(1, 0, b""))), "command": (b"", pdu(pdv(1, 1, b"")))}


@pytest.mark.parametrize("of", EMPTY)
def test_a_message_of_many_empty_fragments_is_aborted(of: str) -> None:
    """A few are borne; nobody has a use for more."""
    begun, empty = EMPTY[of]
    rest = pdu(pdv(1, 2, b"dataset")) if begun else STORE
    served = Served(begun + empty * 256 + rest + begun + empty * 256 + rest)
    assert (served.payloads, served.outcome.ending) == ([b"dataset"] * 2, Ending.LOST)
    served = Served(begun + empty * 257 + rest)
    assert served.outcome == Outcome(Ending.INVALID_MESSAGE, why="fragments of next to nothing")
    assert (served.sent, served.payloads) == (b"", [])


def test_an_object_of_a_byte_a_fragment_is_aborted() -> None:
    """Each costs time, and a megabyte holds a hundred thousand of them."""
    served = Served(BEGUN + pdu(pdv(1, 0, b"xx")) * 1024 + pdu(pdv(1, 2, b"")))
    assert served.outcome == Outcome(Ending.INVALID_MESSAGE, why="fragments of next to nothing")
    assert (served.sent, served.payloads, served.channel.abandoned) == (b"", [], 1)
