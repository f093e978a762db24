"""The loop, fed by a script: any fragmentation of the same messages gives the same records and responses."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.receive.intake import MAX_REPORT_BYTES, Intake
from agent.receive.journal import Journal
from agent.receive.lane import Ending, Lane, LaneSettings, Outcome, Wire
from agent.receive.lane.buffer import LEAST_BYTES
from agent.receive.lane.framing import AbortReason
from agent.receive.lane.loop import LEAST_PROGRESS_BYTES
from agent.receive.lane.wire import Recalled
from tests.fakes.drafts import FakeChannel
from tests.pdus import (
    ABORT,
    CANCEL_RQ,
    FIND_RQ,
    RELEASE_RQ,
    SC,
    action_rq,
    action_rsp,
    command,
    echo_rq,
    echo_rsp,
    pdu,
    pdv,
    report_rq,
    report_rsp,
    store_rq,
    store_rsp,
)

EVERYTHING = frozenset({"store", "echo", "commit"})
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CONTEXTS = {
    1: (SC.decode().rstrip("\0"), EXPLICIT),
    3: ("1.2.840.10008.1.1", IMPLICIT),
    5: ("1.2.840.10008.1.20.1", IMPLICIT),
}
STORE = pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"dataset"))


class ScriptedWire(Wire):
    """Brings given pieces, then the end of the connection; a None is a timeout. Keeps what is sent."""

    def __init__(self, pieces: list[bytes | None], before_read: Callable[["ScriptedWire"], None] | None = None) -> None:
        self.pieces = pieces
        self.before_read = before_read
        self.sent = b""
        self.expected: list[bool] = []

    def receive(self, into: memoryview, deadline: float, *, is_expected: bool) -> int:
        """Bring the next piece, as much of it as there is room for."""
        self.expected.append(is_expected)
        if self.before_read is not None:
            self.before_read(self)
        piece = self.pieces.pop(0) if self.pieces else b""
        if piece is None:
            raise TimeoutError("told to")
        count = min(len(piece), len(into))
        into[:count] = piece[:count]
        if count < len(piece):
            self.pieces.insert(0, piece[count:])
        return count

    def send(self, data: bytes, deadline: float) -> None:
        """Keep it."""
        self.sent += data


class Served:
    """What came of a script."""

    def __init__(
        self,
        *pieces: bytes | None,
        wire: ScriptedWire | None = None,
        channel: FakeChannel | None = None,
        may: frozenset[str] = EVERYTHING,
        max_pdu: int = 4096,
        peer_max_pdu: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
        contexts: dict[int, tuple[str, str]] = CONTEXTS,
    ) -> None:
        self.complaints: list[tuple[str, str, str, dict[str, str]]] = []
        self.channel = channel or FakeChannel()
        self.wire = wire or ScriptedWire(list(pieces))
        log = Journal(self.channel, UUID(int=7)).association()
        log.open({"peer": "127.0.0.1"})
        intake = Intake(log, {"peer": "127.0.0.1"}, may, contexts, complain=self._complain)  # type: ignore[arg-type]
        limits = LaneSettings(frozenset(contexts), max_pdu, peer_max_pdu, 300, 30, 900)
        self.outcome: Outcome = Lane(self.wire, intake, limits, monotonic).serve()
        self.tally = intake.tally

    def _complain(self, event: str, reason: str, *, level: str = "warning", **ids: str) -> None:
        self.complaints.append((level, event, reason, ids))

    @property
    def sent(self) -> bytes:
        """What was answered."""
        return self.wire.sent

    @property
    def payloads(self) -> list[bytes]:
        """What was stored."""
        return self.channel.payloads


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


def test_a_record_says_what_the_object_is() -> None:
    """UIDs without padding, the context's transfer syntax, the association, the parties."""
    served = Served(STORE)
    assert served.channel.records[-1] == (
        RecordKind.INSTANCE,
        {
            "association_id": f"{UUID(int=7)}/1",
            "peer": "127.0.0.1",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7",
            "sop_instance_uid": "1.2.3",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        },
        b"dataset",
    )
    assert served.outcome.ending is Ending.LOST


def test_an_object_is_logged_once() -> None:
    """At debug level, by its UID and its association's id; one that is refused is complained of besides."""
    with capture_logs() as log:
        Served(STORE)
        channel = FakeChannel()
        channel.fail_at = {"commit"}
        served = Served(STORE, channel=channel)
    ids = {"association_id": f"{UUID(int=7)}/1", "sop_instance_uid": "1.2.3"}
    assert log == [
        {"event": "instance_stored", "log_level": "debug", **ids},
        {"event": "instance_refused", "log_level": "debug", "reason": "told to", **ids},
    ]
    assert served.complaints == [("error", "instance_refused", "told to", {"sop_instance_uid": "1.2.3"})]


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


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of objects are stored here; one test looks at the log."""
    with capture_logs():
        yield


@pytest.mark.parametrize("call", ["begin", "write", "commit"])
def test_a_full_disk_refuses_one_object_after_it_was_taken(call: str) -> None:
    """0xA700 for it, whichever call fails; the next one of the association is stored."""
    channel = FakeChannel()
    channel.fail_at = {call}
    data = pdu(pdv(1, 0, b"y" * 4000)) * 300 + pdu(pdv(1, 2, b"end"))

    def heal_once_answered(wire: ScriptedWire) -> None:
        if wire.sent:
            channel.fail_at = set()

    wire = ScriptedWire([pdu(pdv(1, 3, store_rq(message_id=1))) + data, STORE], heal_once_answered)
    served = Served(wire=wire, channel=channel)
    assert served.sent == store_rsp(message_id=1, status=0xA700) + store_rsp()
    assert channel.payloads == [b"dataset"]


def test_what_the_caller_may_not_do_is_refused_after_it_was_taken() -> None:
    """Object and echo alike; what may be done is done."""
    echo = pdu(pdv(3, 3, echo_rq()))
    served = Served(STORE + echo, may=frozenset({"echo"}))
    assert served.sent == store_rsp(status=0x0124) + echo_rsp()
    assert served.payloads == []
    served = Served(STORE + echo, may=frozenset({"store"}))
    assert served.sent == store_rsp() + echo_rsp(status=0x0124)
    assert served.payloads == [b"dataset"]


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        (pdu(pdv(1, 3, store_rq(x0800=0x0101))), store_rsp(status=0xC000)),
        (pdu(pdv(1, 3, store_rq(b"")) + pdv(1, 2, b"x")), store_rsp(b"", status=0xC000)),
        (pdu(pdv(1, 3, store_rq(b"1" * 256)) + pdv(1, 2, b"x")), store_rsp(b"1" * 256, status=0xC000)),
        (pdu(pdv(3, 3, store_rq()) + pdv(3, 2, b"x")), store_rsp(status=0x0122, context_id=3)),
        (pdu(pdv(5, 3, store_rq()) + pdv(5, 2, b"x")), store_rsp(status=0x0122, context_id=5)),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_the_association_goes_on(stream: bytes, answer: bytes) -> None:
    """Without dataset, without a UID, with an endless one, over the contexts for verification and commitment."""
    served = Served(stream + STORE)
    assert served.sent == answer + store_rsp()
    assert served.payloads == [b"dataset"]


def test_a_uid_of_255_is_stored() -> None:
    """Real modalities send UIDs that are too long."""
    assert Served(pdu(pdv(1, 3, store_rq(b"1" * 255)) + pdv(1, 2, b"x"))).payloads == [b"x"]


def test_a_response_keeps_to_what_the_peer_takes() -> None:
    """In several PDUs where one is too long."""
    response = store_rsp()[12:]
    parts = [response[at : at + 44] for at in range(0, len(response), 44)]
    expected = b"".join(pdu(pdv(1, 3 if n == len(parts) - 1 else 1, part)) for n, part in enumerate(parts))
    assert Served(STORE, peer_max_pdu=50).sent == expected


def _reports(served: Served) -> list[tuple[dict[str, str], bytes]]:
    return [(meta, data) for kind, meta, data in served.channel.records if kind is RecordKind.EVENT_REPORT]


def _report(information: bytes, context_id: int = 5, **changes: bytes | int | None) -> bytes:
    parts = [information[at : at + 4000] for at in range(0, len(information), 4000)] or [b""]
    data = (pdv(context_id, 2 if n == len(parts) - 1 else 0, part) for n, part in enumerate(parts))
    return pdu(pdv(context_id, 3, report_rq(**changes))) + b"".join(map(pdu, data))


def test_an_event_report_is_kept_as_it_came() -> None:
    """Between objects, in parts, or without information at all; the record says what it is."""
    information = bytes(range(256)) * 100
    served = Served(STORE + _report(information) + pdu(pdv(5, 3, report_rq(x0800=0x0101))) + STORE)
    meta = {"association_id": f"{UUID(int=7)}/1", "event_type_id": "2", "transfer_syntax_uid": IMPLICIT}
    assert _reports(served) == [(meta, information), (meta, b"")]
    assert served.sent == store_rsp() + report_rsp() * 2 + store_rsp()
    assert served.payloads == [b"dataset"] * 2


@pytest.mark.parametrize("surplus", [0, 1, 3 * LEAST_BYTES])
def test_no_more_of_a_report_is_held_than_it_may_have(surplus: int) -> None:
    """One that is longer is taken to its end, refused and forgotten; the next one is kept."""
    served = Served(_report(bytes(MAX_REPORT_BYTES + surplus)) + _report(b"short"))
    assert [len(data) for _, data in _reports(served)] == ([] if surplus else [MAX_REPORT_BYTES]) + [5]
    assert [event for _, event, _, _ in served.complaints] == ["event_report_refused"] * bool(surplus)
    assert served.sent == report_rsp(status=0x0213 if surplus else 0) + report_rsp()


def test_a_report_that_is_not_kept_is_refused() -> None:
    """Without leave, over the context of another SOP class, without a type; nothing of it is recorded."""
    refused = Served(_report(b"x"), may=frozenset({"store", "echo"}))
    assert refused.sent == report_rsp(status=0x0124)
    elsewhere = Served(_report(b"x", context_id=1))
    assert elsewhere.sent == report_rsp(status=0x0118, context_id=1)
    typeless = Served(_report(b"x", x1002=None))
    assert typeless.sent == report_rsp(status=0x0113, event_type=None)
    assert _reports(refused) == _reports(elsewhere) == _reports(typeless) == []


def test_a_report_that_ends_half_way_leaves_nothing() -> None:
    """Nor an answer."""
    served = Served(pdu(pdv(5, 3, report_rq())) + pdu(pdv(5, 0, b"half")) + ABORT)
    assert (served.sent, _reports(served)) == (b"", [])


def test_a_request_to_commit_to_storage_is_refused() -> None:
    """N-ACTION: this is no archive; its dataset is dropped, however long, and the association goes on."""
    served = Served(pdu(pdv(5, 3, action_rq())) + pdu(pdv(5, 0, bytes(4000))) * 1000 + pdu(pdv(5, 2, b"")) + STORE)
    assert served.sent == action_rsp() + store_rsp()
    assert served.payloads == [b"dataset"]


@pytest.mark.parametrize(("field", "context_id"), [(FIND_RQ, 1), (0x0021, 3), (0x0110, 5), (0x7FFF, 1)])
def test_any_other_request_is_refused(field: int, context_id: int) -> None:
    """As an unrecognised operation, behind its whole dataset, and the association goes on."""
    rq, rsp = {0x0100: field, 0x0110: 5, 0x0800: 1}, {0x0100: field | 0x8000, 0x0120: 5, 0x0800: 0x0101, 0x0900: 0x0211}
    served = Served(pdu(pdv(context_id, 3, command(rq)) + pdv(context_id, 0, b"more")) + pdu(pdv(context_id, 2, b"")))
    assert served.sent == pdu(pdv(context_id, 3, command(rsp)))
    assert served.outcome.ending is Ending.LOST


@pytest.mark.parametrize("field", [0x8001, CANCEL_RQ])
def test_what_has_no_response_gets_none(field: int) -> None:
    """A cancel, and a response to what was never asked: dropped with the dataset, and the association goes on."""
    message = pdu(pdv(1, 3, command({0x0100: field, 0x0120: 5, 0x0800: 1, 0x0900: 0}))) + pdu(pdv(1, 2, b"data"))
    served = Served(message + STORE)
    assert (served.sent, served.payloads) == (store_rsp(), [b"dataset"])


def test_a_pdu_longer_than_allowed_is_not_read() -> None:
    """It is an invalid parameter; what was begun is abandoned."""
    served = Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 0, b"half")) + pdu(bytes(4097)))
    assert served.outcome == Outcome(
        Ending.INVALID_PDU, reason=AbortReason.INVALID_PDU_PARAMETER_VALUE, why="a PDU longer than allowed"
    )
    assert (served.payloads, served.channel.abandoned, served.sent) == ([], 1, b"")


@pytest.mark.parametrize("end", [RELEASE_RQ, ABORT])
def test_the_end_within_an_object_abandons_it(end: bytes) -> None:
    """A release, an abort: pynetdicom reads it, and nothing of the object is kept."""
    served = Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 0, b"half")) + end)
    assert served.outcome.ending is Ending.HANDED_OVER
    assert served.outcome.unread == end
    assert (served.payloads, served.channel.abandoned, served.sent) == ([], 1, b"")


def test_a_pdu_of_the_greatest_length_is_taken() -> None:
    """The limit is of the body."""
    assert Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"z" * 4090))).payloads == [b"z" * 4090]


def test_a_silence_within_a_message_is_a_stall_though_its_pdus_are_whole() -> None:
    """A sender may pause between messages, not behind a command or within a dataset; what came of it is forgotten."""
    begun, half = pdu(pdv(1, 3, store_rq())), pdu(pdv(1, 0, b"data"))
    for pieces in ([begun, None], [begun, half, None], [pdu(pdv(1, 1, store_rq()[:20])), None]):
        served = Served(*pieces)
        assert served.outcome == Outcome(Ending.STALLED, why="told to")
        assert (served.sent, served.payloads) == (b"", [])
        assert served.channel.abandoned == (pieces[0] is begun)


def test_a_timeout_between_messages_is_idleness_and_within_a_pdu_a_stall() -> None:
    """Even where the PDU is the first of a message."""
    assert Served(STORE, None).outcome.ending is Ending.IDLE
    assert Served(STORE[:8], None).outcome == Outcome(Ending.STALLED, why="told to")


def test_acknowledging_at_once_begins_with_a_message() -> None:
    """Between messages nobody waits for an acknowledgement of TCP's."""
    served = Served(STORE[:3], STORE[3:90], STORE[90:])
    assert served.wire.expected == [False, True, True, False]


def test_a_recall_ends_it() -> None:
    """What is half there is abandoned."""

    def recall_at_last(wire: ScriptedWire) -> None:
        if not wire.pieces:
            raise Recalled

    served = Served(wire=ScriptedWire([STORE, STORE[:-3]], recall_at_last))
    assert served.outcome == Outcome(Ending.RECALLED)
    assert (served.payloads, served.channel.abandoned) == ([b"dataset"], 1)


BEGUN = pdu(pdv(1, 3, store_rq()))
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


class Line(ScriptedWire):
    """Brings a piece every so many seconds, as far as it is waited for, on a clock of its own."""

    def __init__(self, pieces: list[bytes | None], every_s: float) -> None:
        super().__init__(pieces)
        self.every_s = every_s
        self.seconds = 1000.0

    def receive(self, into: memoryview, deadline: float, *, is_expected: bool) -> int:
        """Bring the next piece in its time."""
        if self.seconds + self.every_s > deadline:
            self.seconds = deadline
            raise TimeoutError("told to")
        self.seconds += self.every_s
        return super().receive(into, deadline, is_expected=is_expected)


def _over(line: Line, **also: Any) -> Served:
    return Served(wire=line, monotonic=lambda: line.seconds, **also)


@pytest.mark.parametrize("size", [1, 1000, 4000])
def test_a_drip_within_an_object_is_a_stall(size: int) -> None:
    """Though every PDU is whole at once: 64 KiB of a message are to come in the time of one."""
    line = Line([BEGUN, *[pdu(pdv(1, 0, bytes(size)))] * 1000], 2)
    served = _over(line)
    assert served.outcome == Outcome(Ending.STALLED, why="told to")
    assert line.seconds == 1000 + 2 + 30  # the beginning came, and then nobody waited longer
    assert (served.sent, served.payloads, served.channel.abandoned) == (b"", [], 1)


def test_a_slow_line_is_not_cut() -> None:
    """At just the least rate, in small PDUs, each behind a pause; and again in the next object."""
    part = pdu(pdv(1, 0, bytes(4000)))
    every_s = 30 / (LEAST_PROGRESS_BYTES // len(part) + 1)
    served = _over(Line([BEGUN, *[part] * 100, pdu(pdv(1, 2, b"end"))] * 2, every_s))
    assert [len(payload) for payload in served.payloads] == [400_003] * 2
    assert served.outcome.ending is Ending.LOST


def test_a_slow_message_of_few_bytes_has_the_time_of_a_pdu() -> None:
    """And each has its own: whoever sends one small object after another is never too slow."""
    served = _over(Line([BEGUN, pdu(pdv(1, 2, b"dataset"))] * 50, 29))
    assert served.payloads == [b"dataset"] * 50


def test_a_message_that_is_kept_open_at_the_least_rate_ends_some_day() -> None:
    """All of it has a time, too: else a peer would hold what it sent for as long as it liked."""
    part = pdu(pdv(1, 0, bytes(4000)))
    line = Line([BEGUN, *[part] * 1000], 30 / (LEAST_PROGRESS_BYTES // len(part) + 1))
    served = _over(line)
    assert served.outcome == Outcome(Ending.STALLED, why="told to")
    assert 1900 < line.seconds <= 1900 + line.every_s  # the beginning was waited for, too
    assert (served.sent, served.payloads, served.channel.abandoned) == (b"", [], 1)


def test_each_message_has_its_own_time() -> None:
    """Of hundreds, one behind the other without a pause, each is as slow as it may be."""
    part, count = pdu(pdv(1, 0, bytes(4000))), 400
    line = Line([BEGUN, *[part] * count, pdu(pdv(1, 2, b"end"))] * 5, 1.7)
    served = _over(line)
    assert [len(payload) for payload in served.payloads] == [4000 * count + 3] * 5


def test_the_time_of_our_disk_is_not_the_peers() -> None:
    """A write that takes minutes cuts no sender off that is as quick as it may be slow."""
    line = Line([], 1)

    class SlowDisk(FakeChannel):
        def check(self, call: str) -> None:
            line.seconds += 500
            super().check(call)

    stream = BEGUN + pdu(pdv(1, 0, bytes(4000))) * 800 + pdu(pdv(1, 2, b"end"))
    line.pieces = [stream[at : at + 7001] for at in range(0, len(stream), 7001)]
    served = _over(line, channel=SlowDisk())
    assert [len(payload) for payload in served.payloads] == [3_200_003]
    assert served.channel.calls.count("write") > 1


def test_a_response_that_is_not_taken_ends_it() -> None:
    """There is no use in saying more to who reads nothing."""

    class Deaf(ScriptedWire):
        def send(self, data: bytes, deadline: float) -> None:
            raise TimeoutError("told to")

    assert Served(wire=Deaf([STORE])).outcome == Outcome(Ending.UNTAKEN, why="told to")


CT = b"1.2.840.10008.5.1.4.1.1.2\0"


def test_an_object_of_a_class_that_was_not_negotiated_is_refused() -> None:
    """Whichever it is: another storage SOP class, a service, a private one; the association goes on."""
    for other in (CT, b"1.2.840.10008.1.1\0", b"1.2.3.4\0"):
        served = Served(pdu(pdv(1, 3, store_rq(x0002=other)) + pdv(1, 2, b"x")) + STORE)
        refused = command(
            {0x0002: other, 0x0100: 0x8001, 0x0120: 7, 0x0800: 0x0101, 0x0900: 0x0122, 0x1000: b"1.2.3\0"}
        )
        assert served.sent == pdu(pdv(1, 3, refused)) + store_rsp()
        assert served.payloads == [b"dataset"]
        assert [(event, reason) for _, event, reason, _ in served.complaints] == [
            ("instance_refused", "a SOP class that was not negotiated")
        ]


def test_an_object_over_another_context_of_its_association_is_stored() -> None:
    """What it is was agreed on; so it is with padding that is none."""
    contexts = CONTEXTS | {7: (CT.decode().rstrip("\0"), EXPLICIT)}
    for sop_class in (CT, SC.replace(b"\0", b" ")):
        served = Served(pdu(pdv(1, 3, store_rq(x0002=sop_class)) + pdv(1, 2, b"x")), contexts=contexts)
        assert served.payloads == [b"x"]


def test_what_was_stored_is_counted() -> None:
    """Objects and their bytes, also those that came in parts; what was refused is not among them."""
    large = BEGUN + pdu(pdv(1, 0, bytes(4000))) * 600 + pdu(pdv(1, 2, b"end"))
    served = Served(large + STORE + pdu(pdv(1, 3, store_rq(b""))) + pdu(pdv(1, 2, b"x")))
    assert (served.tally.objects, served.tally.bytes) == (2, 600 * 4000 + 3 + 7)


@pytest.mark.parametrize(("last", "end"), [(RELEASE_RQ, "released"), (ABORT, "aborted"), (b"", "lost"), (None, "idle")])
def test_the_end_has_a_name(last: bytes | None, end: str) -> None:
    """A word for the log."""
    assert Served(STORE, last).outcome.end == end
