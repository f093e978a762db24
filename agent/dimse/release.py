"""The end of an association, also where both sides end it at once (PS3.8 7.2.2)."""

from contextlib import suppress
from typing import Final

from pynetdicom.association import Association
from pynetdicom.fsm import TRANSITION_TABLE, StateMachine
from pynetdicom.pdu_primitives import A_RELEASE

from agent.core.errors import Transient
from agent.dimse.still import hold_still

_WE_ASK_FOR_RELEASE: Final = "Evt11"
_OURS: Final = frozenset({"Evt9", _WE_ASK_FOR_RELEASE, "Evt14", "Evt15"})  # P-DATA, release, its answer, abort
_PEER_ASKED_FOR_RELEASE: Final = "Sta8"


class EndingMachine(StateMachine):
    """The upper layer's state machine (PS3.8 table 9-10), for what we say just after the peer ended the association.

    pynetdicom's own raises then: that ends its thread, and leaves the socket open and whoever waits waiting. Here what
    nobody can hear any more is dropped. Where the peer asked for release first, ours is dropped and confirmed to us all
    the same: pynetdicom's release takes that for a collision, answers the peer's, and is over.
    """

    def do_action(self, event: str) -> None:
        """Execute the action of an event."""
        if event not in _OURS or (event, self.current_state) in TRANSITION_TABLE:
            super().do_action(event)
            return
        self.dul.to_provider_queue.get(False)
        if (event, self.current_state) == (_WE_ASK_FOR_RELEASE, _PEER_ASKED_FOR_RELEASE):
            confirmed = A_RELEASE()
            confirmed.result = "affirmative"
            self.dul.to_user_queue.put(confirmed)


def release(opened: Association) -> None:
    """Release an association, unless it is over; one on which something is left unread is aborted."""
    with suppress(Transient):
        hold_still(opened)
        opened.acse.negotiate_release()  # its own `release` may wait for ever for a flag that a report's thread sets
