"""The loop, fed by a script: how an association ends, and how long each part of it may take."""

from typing import Any

import pytest

from agent.receive.lane import Ending, Outcome
from agent.receive.lane.loop import LEAST_PROGRESS_BYTES
from agent.receive.lane.wire import Recalled
from tests.fakes.drafts import FakeChannel
from tests.pdus import ABORT, RELEASE_RQ, pdu, pdv, store_rq
from tests.unit.receive.scripted_lane import BEGUN, STORE, ScriptedWire, Served

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(("last", "end"), [(RELEASE_RQ, "released"), (ABORT, "aborted"), (b"", "lost"), (None, "idle")])
def test_the_end_has_a_name(last: bytes | None, end: str) -> None:
    """A word for the log."""
    assert Served(STORE, last).outcome.end == end


@pytest.mark.parametrize("end", [RELEASE_RQ, ABORT])
def test_the_end_within_an_object_abandons_it(end: bytes) -> None:
    """A release, an abort: pynetdicom reads it, and nothing of the object is kept."""
    served = Served(pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 0, b"half")) + end)
    assert served.outcome.ending is Ending.HANDED_OVER
    assert served.outcome.unread == end
    assert (served.payloads, served.channel.abandoned, served.sent) == ([], 1, b"")


def test_a_recall_ends_it() -> None:
    """What is half there is abandoned."""

    def recall_at_last(wire: ScriptedWire) -> None:
        if not wire.pieces:
            raise Recalled

    served = Served(wire=ScriptedWire([STORE, STORE[:-3]], recall_at_last))
    assert served.outcome == Outcome(Ending.RECALLED)
    assert (served.payloads, served.channel.abandoned) == ([b"dataset"], 1)


def test_a_response_that_is_not_taken_ends_it() -> None:
    """There is no use in saying more to who reads nothing."""

    class Deaf(ScriptedWire):
        def send(self, data: bytes, deadline: float) -> None:
            raise TimeoutError("told to")

    assert Served(wire=Deaf([STORE])).outcome == Outcome(Ending.UNTAKEN, why="told to")


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
