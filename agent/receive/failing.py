"""An end to associations in which pynetdicom fails: its loops would leave them open, and say nothing to the peer."""

from typing import Any

from agent.core.boundary import contained
from agent.receive.lane.framing import AbortReason, encode_abort
from agent.receive.lane.lending import LendingProvider


class EndingProvider(LendingProvider):
    """pynetdicom's upper layer provider, whose failure ends the association."""

    def run_reactor(self) -> None:
        """Run pynetdicom's loop."""
        contained(super().run_reactor, lambda error: break_off(self.assoc, error))


def break_off(association: Any, error: Exception) -> None:
    """Abort an association past its state machine, which cannot be trusted any more, and close its connection."""
    association.complain("association_failed", type(error).__name__)
    provider = association.dul
    association.is_aborted, association.is_established = True, False
    association._kill = provider._kill_thread = True
    connection = provider.socket
    if connection is not None:
        connection.end_with(encode_abort(AbortReason.NOT_SPECIFIED))
        connection.close()
    provider.to_user_queue.put(None)  # whoever waits for a request
