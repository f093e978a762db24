"""pynetdicom's upper layer provider, that keeps off the socket while the lane has it."""

import threading
from collections.abc import Callable
from typing import Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

_ESTABLISHED = "Sta6"  # PS3.8 table 9-4
_OUR_TURN = frozenset({"Sta3", "Sta8"})  # table 9-2, 9-5: a request for an association or its release is to be answered


class LendingProvider(DULServiceProvider):
    """Reads nothing of an established association until its socket was given back. Negotiation goes as ever.

    Nor does it read while an answer of ours is due: pynetdicom aborts for what comes then, and fails over the answer.
    What a sender in a hurry sent behind its request is read in its turn.

    Parameters
    ----------
    association
        Whose provider it is.
    recall
        Makes who has the socket give it back soon; called from any thread when the association is to be aborted.
    """

    def __init__(self, association: Any, recall: Callable[[], None]) -> None:
        super().__init__(association)
        self._is_lent = threading.Event()
        self._is_back = threading.Event()
        self._recall = recall

    def borrow(self) -> None:
        """Wait until the socket is not used here any more, nor will be before it was given back.

        The acceptance may still be on its way when its answer is already there, and TLS bears no two threads at once.
        """
        self._is_lent.wait()

    def give_back(self) -> None:
        """Let it read on. Harmless when repeated."""
        self._is_back.set()

    def send_pdu(self, primitive: Any) -> None:
        """Queue what is to be sent; an abort does not wait for the lane to end."""
        super().send_pdu(primitive)
        if isinstance(primitive, A_ABORT | A_P_ABORT) and not self._is_back.is_set():
            self._recall()
            self._is_lent.set()  # who waits to borrow it finds it recalled

    def run_reactor(self) -> None:
        """Run pynetdicom's loop."""
        try:
            super().run_reactor()
        finally:
            self._is_lent.set()

    def _is_transport_event(self) -> bool:
        state = self.state_machine.current_state
        if state == _ESTABLISHED and not self._is_back.is_set():
            self._is_lent.set()
            self._is_back.wait()
            return False  # what was queued meanwhile goes first
        if state in _OUR_TURN or not self.event_queue.empty():  # what is queued may make it our turn
            return False
        return super()._is_transport_event()
