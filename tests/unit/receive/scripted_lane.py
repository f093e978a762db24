"""A lane that is fed by a script, and what came of it."""

import time
from collections.abc import Callable
from uuid import UUID

from agent.receive.complaints import Level
from agent.receive.intake import Intake
from agent.receive.journal import Journal
from agent.receive.lane import Lane, LaneSettings, Outcome, Wire
from agent.receive.settings import Service
from tests.fakes.drafts import FakeChannel
from tests.pdus import SC, pdu, pdv, store_rq

EVERYTHING: frozenset[Service] = frozenset({"store", "echo", "commit"})
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CONTEXTS = {
    1: (SC.decode().rstrip("\0"), EXPLICIT),
    3: ("1.2.840.10008.1.1", IMPLICIT),
    5: ("1.2.840.10008.1.20.1", IMPLICIT),
}
BEGUN = pdu(pdv(1, 3, store_rq()))
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
        may: frozenset[Service] = EVERYTHING,
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
        intake = Intake(log, {"peer": "127.0.0.1"}, may, contexts, complain=self._complain)
        limits = LaneSettings(frozenset(contexts), max_pdu, peer_max_pdu, 300, 30, 900)
        self.outcome: Outcome = Lane(self.wire, intake, limits, monotonic).serve()
        self.tally = intake.tally

    def _complain(self, event: str, reason: str, *, level: Level = "warning", **ids: str) -> None:
        self.complaints.append((level, event, reason, ids))

    @property
    def sent(self) -> bytes:
        """What was answered."""
        return self.wire.sent

    @property
    def payloads(self) -> list[bytes]:
        """What was stored."""
        return self.channel.payloads
