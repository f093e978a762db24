"""An association whose data phase is served by the lane."""

import socket
import threading
import time
from contextlib import suppress
from typing import Protocol, cast

import structlog
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

from agent.core.boundary import contained
from agent.receive.complaints import Complaints, Level
from agent.receive.failing import EndingProvider
from agent.receive.intake import Intake, Tally
from agent.receive.journal import AssociationLog
from agent.receive.lane import Ending, Lane, LaneSettings, Outcome, Wire
from agent.receive.lane.framing import encode_abort
from agent.receive.settings import ReceiverSettings, Service

_log = structlog.get_logger()


class RewindableSocket(Protocol):
    """The socket that pynetdicom reads, as the lane leaves it."""

    socket: socket.socket | None

    def unread(self, data: bytes) -> None:
        """Take back what was read ahead."""

    def drop(self) -> None:
        """Close without a farewell later."""

    def turn_deaf(self) -> None:
        """Understand nothing more."""

    def end_with(self, pdu: bytes) -> None:
        """Send a last PDU, and understand nothing more."""


class LanedAssociation(Association):
    """An association as acceptor. It may do nothing until `may` is set.

    The socket belongs to one of two: pynetdicom's provider before and after the data phase, the lane in between.
    """

    def __init__(
        self, ae: ApplicationEntity, log: AssociationLog, settings: ReceiverSettings, complaints: Complaints
    ) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.log = log
        self._complaints = complaints
        self.may: frozenset[Service] = frozenset()
        self.sop_classes: frozenset[str] | None = None  # that may be stored; None: all
        self._settings = settings
        self._opened_at: float | None = None  # on the monotonic clock
        self._tally = Tally()
        self._how_it_ended = "aborted"  # before there were data
        self._is_recalled = threading.Event()
        self._wire: Wire | None = None
        self.provider = EndingProvider(self, self._recall)
        self.dul = self.provider
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout  # they set its timers

    @property
    def parties(self) -> dict[str, str]:
        """Who calls whom, from where."""
        request = cast(A_ASSOCIATE, self.requestor.primitive)
        return {
            "calling_ae_title": str(request.calling_ae_title).strip(),
            "called_ae_title": str(request.called_ae_title).strip(),
            "peer": self.requestor.address,
        }

    def complain(self, event: str, reason: str, *, level: Level = "warning", **ids: str | int) -> None:
        """Warn of this association; `ids` say of what in it."""
        ids["association_id"] = self.log.association_id
        self._complaints.tell(event, peer=self.requestor.address, reason=reason, level=level, ids=ids)

    def opened(self) -> None:
        """Note that it was accepted."""
        self._opened_at = time.monotonic()

    def tell_end(self) -> None:
        """Log how it ended, if it was accepted."""
        if self._opened_at is not None:
            _log.info(
                "association_closed",
                association_id=self.log.association_id,
                peer=self.requestor.address,
                objects=self._tally.objects,
                bytes=self._tally.bytes,
                seconds=round(time.monotonic() - self._opened_at, 3),
                end=self._how_it_ended,
            )

    def cut(self) -> None:
        """Let nothing more be read from the connection."""
        connection = self.dul.socket.socket if self.dul.socket else None
        if connection is not None:
            with suppress(OSError):  # it is closed
                socket.socket.shutdown(connection, socket.SHUT_RD)  # of TLS too: there is still something to say

    def _run_reactor(self) -> None:
        """Serve the data phase in the lane; the end goes pynetdicom's way."""
        contained(lambda: self._end(self._serve_lane()), self._fail)
        self.provider.give_back()
        super()._run_reactor()

    def _fail(self, error: Exception) -> None:
        self.complain("lane_failed", type(error).__name__, level="error")
        self._end(Outcome(Ending.INVALID_MESSAGE))
        self._how_it_ended = "failed"

    def _serve_lane(self) -> Outcome:
        contexts = {
            number: (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for number, context in self._accepted_cx.items()
        }
        settings = LaneSettings(
            context_ids=frozenset(contexts),
            max_pdu_bytes=self._settings.max_pdu_bytes,
            max_response_pdu_bytes=self.requestor.maximum_length or 0,
            idle_timeout_s=self._settings.idle_timeout_s,
            pdu_timeout_s=self._settings.pdu_timeout_s,
            message_timeout_s=self._settings.message_timeout_s,
        )
        self.provider.borrow()
        if self._is_recalled.is_set():
            return Outcome(Ending.RECALLED)
        connection = self._connection.socket
        if connection is None:
            return Outcome(Ending.LOST)
        try:
            self._wire = wire = Wire(connection)
        except OSError:  # closed since
            return Outcome(Ending.LOST)
        try:
            if self._is_recalled.is_set():  # meanwhile
                wire.recall()
            intake = Intake(self.log, self.parties, self.may, contexts, self.sop_classes, complain=self.complain)
            self._tally = intake.tally
            return Lane(wire, intake, settings).serve()
        finally:
            wire.close()

    def _end(self, outcome: Outcome) -> None:
        """Let pynetdicom's state machine go on from where the lane ended."""
        self._how_it_ended = outcome.end
        if outcome.why:
            self.complain("association_broken_off", outcome.why)
        self.dul._idle_timer.restart()  # it saw nothing of the data phase, and would abort once more
        match outcome.ending:
            case Ending.HANDED_OVER:
                self._connection.unread(outcome.unread)
            case Ending.LOST | Ending.STALLED | Ending.UNTAKEN:
                if outcome.ending is Ending.STALLED:  # it sends nothing more, and may still read
                    self._connection.end_with(encode_abort())
                elif outcome.ending is Ending.UNTAKEN:
                    self._connection.drop()
                self.dul.event_queue.put("Evt17")  # PS3.8 table 9-10: transport connection closed
            case Ending.INVALID_PDU:
                self._connection.turn_deaf()
                self.acse.send_ap_abort(int(outcome.reason or 0))
            case Ending.INVALID_MESSAGE | Ending.IDLE:
                self._connection.turn_deaf()
                self.acse.send_abort(0x00)
            case Ending.RECALLED:
                return  # somebody else has sent an abort

    def _recall(self) -> None:
        self._is_recalled.set()
        if self._wire is not None:
            self._wire.recall()

    @property
    def _connection(self) -> RewindableSocket:
        return cast(RewindableSocket, self.dul.socket)
