"""The loop that owns the socket in the data phase (PS3.8 section 9.2, state Sta6)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from agent.receive.lane.buffer import ReceiveBuffer
from agent.receive.lane.commands import MalformedCommand, encode_response
from agent.receive.lane.framing import (
    HEADER_BYTES,
    AbortReason,
    InvalidPdu,
    PduType,
    encode_command,
    fragments,
    header,
)
from agent.receive.lane.incoming import Incoming, OutOfOrder, Service
from agent.receive.lane.wire import Recalled, Wire

_ENDS_IN_ORDER: Final = (PduType.A_RELEASE_RQ, PduType.A_ABORT)
_KNOWN_TYPES: Final = frozenset(PduType)
LEAST_PROGRESS_BYTES: Final = 1 << 16
"""What must come of a message in a PDU's time: at 25 s 21 kbit/s, less than a modem has, and more than a drip."""


class Ending(Enum):
    """Why the loop ended."""

    HANDED_OVER = auto()
    """A release or an abort."""
    IDLE = auto()
    """Nothing came for the idle timeout."""
    LOST = auto()
    """The connection ended or failed."""
    STALLED = auto()
    """A PDU or a message was not complete in time, or too little of a message came in a PDU's time."""
    UNTAKEN = auto()
    """A response was not taken in time."""
    RECALLED = auto()
    """Somebody else ends the association."""
    INVALID_PDU = auto()
    """To be aborted as the upper layer's provider, with `reason`."""
    INVALID_MESSAGE = auto()
    """To be aborted as the upper layer's user."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the loop ended. `unread` is what came and is still to be read, from the beginning of that PDU on.

    `why` says what the peer did wrong, in words of our own.
    """

    ending: Ending
    unread: bytes = b""
    reason: AbortReason | None = None
    why: str = ""

    @property
    def end(self) -> str:
        """How the association ended, in a word."""
        if self.ending is Ending.HANDED_OVER:
            return "released" if self.unread[0] == PduType.A_RELEASE_RQ else "aborted"
        return self.ending.name.lower()


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What bounds the loop. `max_response_pdu_bytes` is the peer's limit, 0 for none."""

    context_ids: frozenset[int]
    max_pdu_bytes: int
    max_response_pdu_bytes: int
    idle_timeout_s: float
    pdu_timeout_s: float
    message_timeout_s: float


class _Ended(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.ending.name)
        self.outcome = outcome


class Lane:
    """Serves the requests of one association, in the thread that calls. No message is held whole, however long it is.

    Parameters
    ----------
    wire
        The connection.
    service
        Who answers.
    settings
        Limits.
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(
        self, wire: Wire, service: Service, settings: LaneSettings, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wire = wire
        self._service = service
        self._settings = settings
        self._monotonic = monotonic
        self._buffer = ReceiveBuffer(settings.max_pdu_bytes)
        self._incoming = Incoming(service)
        self._pdu_has_s: float | None = None  # what is left of the time of the PDU that has begun
        self._missing = 0  # bytes that are still to come of the message in a PDU's time; less: none
        self._progress_has_s = 0.0  # for these
        self._message_has_s: float | None = None  # for all of the message that has begun
        # all of waiting alone: what our disk takes is no fault of the peer

    def serve(self) -> Outcome:
        """Answer requests until something else is due. A message that is incomplete then is abandoned."""
        try:
            while True:
                self._take_pdu()
        except _Ended as end:
            return end.outcome
        except Recalled:
            return Outcome(Ending.RECALLED)
        except InvalidPdu as error:
            return Outcome(Ending.INVALID_PDU, reason=error.reason, why=str(error))
        except (OutOfOrder, MalformedCommand) as error:
            return Outcome(Ending.INVALID_MESSAGE, why=str(error))
        except TimeoutError as error:
            return Outcome(Ending.STALLED, why=str(error))
        except OSError as error:  # all of TLS's among them
            return Outcome(Ending.LOST, why=type(error).__name__)
        finally:
            self._incoming.abandon()

    def _take_pdu(self) -> None:
        """Take one P-DATA-TF PDU."""
        buffer = self._buffer
        if buffer.filled < HEADER_BYTES:
            self._need(HEADER_BYTES)
        kind, length = header(buffer.peek(0, HEADER_BYTES))
        if kind != PduType.P_DATA_TF:
            self._end_at(kind)
        if length > self._settings.max_pdu_bytes:
            raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE, "a PDU longer than allowed")
        if buffer.filled < HEADER_BYTES + length:
            self._need(HEADER_BYTES + length)
        self._pdu_has_s = None
        body = buffer.peek(HEADER_BYTES, HEADER_BYTES + length)
        buffer.use_up(HEADER_BYTES + length)
        for fragment in fragments(body):
            if fragment.context_id not in self._settings.context_ids:
                raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE)
            if self._incoming.take(fragment):
                self._respond(fragment.context_id)

    def _end_at(self, kind: int) -> None:
        """End at a PDU that carries no data."""
        if kind in _ENDS_IN_ORDER:
            raise _Ended(Outcome(Ending.HANDED_OVER, bytes(self._buffer.peek(0, self._buffer.filled))))
        raise InvalidPdu(AbortReason.UNEXPECTED_PDU if kind in _KNOWN_TYPES else AbortReason.UNRECOGNIZED_PDU)

    def _respond(self, context_id: int) -> None:
        """Finish a message that is complete, and send its response where there is to be one."""
        incoming, settings = self._incoming, self._settings
        request = incoming.request
        assert request is not None  # noqa: S101 - it is complete
        status = incoming.finish()
        incoming.clear()
        self._missing, self._message_has_s = 0, None
        if request.message_id is not None:
            response = encode_command(context_id, encode_response(request, status), settings.max_response_pdu_bytes)
            try:
                self._wire.send(response, self._monotonic() + settings.pdu_timeout_s)
            except TimeoutError as error:
                raise _Ended(Outcome(Ending.UNTAKEN, why=str(error))) from None
        self._service.answered(request, status)

    def _need(self, count: int) -> None:
        """Receive until so many bytes are there.

        Raises
        ------
        OSError
            If they are not in time, or the connection failed.
        """
        buffer, incoming, settings = self._buffer, self._incoming, self._settings
        while buffer.filled < count:
            if not buffer.fits(max(count, HEADER_BYTES + settings.max_pdu_bytes)):
                incoming.flush()
            if not incoming.holds_views:
                buffer.compact()
            self._receive()

    def _receive(self) -> None:
        """Receive what is there. Between messages a sender may pause; one begun goes on within a PDU's time.

        Bytes are counted as they come, fragments of no use among them: `Incoming` takes few of those.
        """
        now = self._monotonic()
        is_idle = not self._buffer.filled and self._incoming.context_id is None
        deadline = now + (self._settings.idle_timeout_s if is_idle else self._has_s())
        try:
            count = self._wire.receive(self._buffer.tail(), deadline, is_expected=not is_idle)
        except TimeoutError:
            if not is_idle:
                raise
            raise _Ended(Outcome(Ending.IDLE)) from None
        if not count:
            raise _Ended(Outcome(Ending.LOST))
        if self._pdu_has_s is not None and self._message_has_s is not None:
            waited_s = self._monotonic() - now
            self._pdu_has_s -= waited_s
            self._progress_has_s -= waited_s
            self._message_has_s -= waited_s
        self._missing -= count
        self._buffer.received(count)

    def _has_s(self) -> float:
        """Return how long may be waited for more of a PDU or message that has begun."""
        if self._missing <= 0:
            self._missing, self._progress_has_s = LEAST_PROGRESS_BYTES, self._settings.pdu_timeout_s
        if self._pdu_has_s is None:
            self._pdu_has_s = self._settings.pdu_timeout_s
        if self._message_has_s is None:
            self._message_has_s = self._settings.message_timeout_s
        return min(self._pdu_has_s, self._progress_has_s, self._message_has_s)
