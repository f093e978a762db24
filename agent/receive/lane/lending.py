"""pynetdicom's upper layer provider, that keeps off the socket while the lane has it, and rests when nothing is due."""

import threading
from collections.abc import Callable
from typing import Any, Final

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from agent.receive.lane.waker import Waker

REST_S: Final = 0.1
"""How long each of pynetdicom's two loops of an association rests at most; it looks a thousand times a second."""

_ESTABLISHED = "Sta6"  # PS3.8 table 9-4


class LendingProvider(DULServiceProvider):
    """Reads nothing of an established association until its socket was given back. Negotiation goes as ever.

    Parameters
    ----------
    association
        Whose provider it is.
    recall
        Makes who has the socket give it back soon; called from any thread when the association is to be aborted.
    """

    def __init__(self, association: Any, recall: Callable[[], None]) -> None:
        super().__init__(association)
        self._is_back = threading.Event()
        self._recall = recall
        self._waker: Waker | None = None
        self._has_news = False
        self.checkpoint = Checkpoint()

    def give_back(self) -> None:
        """Let it read on. Harmless when repeated."""
        self._is_back.set()

    def send_pdu(self, primitive: Any) -> None:
        """Queue what is to be sent; an abort does not wait for the lane to end."""
        super().send_pdu(primitive)
        if isinstance(primitive, A_ABORT | A_P_ABORT) and not self._is_back.is_set():
            self._recall()
        if self._waker is not None:
            self._waker.wake()

    def run_reactor(self) -> None:
        """Run pynetdicom's loop."""
        try:
            super().run_reactor()
        finally:
            self.checkpoint.wake()
            if self._waker is not None:
                self._waker.close()

    def _process_recv_primitive(self) -> bool:
        """Look for what is to be sent; by now what was read last has been acted upon."""
        if self._has_news:
            self._has_news = False
            self.checkpoint.wake()
        return super()._process_recv_primitive()

    def _is_transport_event(self) -> bool:
        if self.state_machine.current_state == _ESTABLISHED:
            if not self._is_back.is_set():
                self._is_back.wait()
                return False  # what was queued meanwhile goes first
            self._rest()
        self._has_news = super()._is_transport_event()
        return self._has_news

    def _rest(self) -> None:
        """Wait for something to be read or sent. What was queued before there was a waker is looked for first."""
        if self._waker is None:
            self._waker = Waker()
        elif self.socket is not None and not self.socket.ready:
            self._waker.rest(self.socket.socket, REST_S)


class Checkpoint(threading.Event):
    """Where pynetdicom's other loop pauses: it rests here, too, until there is news for it."""

    def __init__(self) -> None:
        super().__init__()
        self.set()
        self._news = threading.Event()

    def wake(self) -> None:
        """End the rest, or the next one."""
        self._news.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, and then for news, not for long."""
        is_set = super().wait(timeout)
        self._news.wait(REST_S)
        self._news.clear()
        return is_set
