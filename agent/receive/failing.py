"""An end to associations in which pynetdicom fails: its loops would leave the connection open, and say nothing to it.

Requests without transfer syntaxes, a second request, commands without a Command Field: each ends one of its threads.
"""

from contextlib import suppress
from typing import Any, Final

import structlog

from agent.receive.lane.lending import LendingProvider

_A_ABORT: Final = bytes.fromhex("07000000000400000200")  # PS3.8 section 9.3.8: by the provider, no reason given
_log = structlog.get_logger()


class EndingProvider(LendingProvider):
    """pynetdicom's upper layer provider, whose failure ends the association."""

    def run_reactor(self) -> None:
        """Run pynetdicom's loop."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - the association loop: the others go on
            break_off(self.assoc, error)


def break_off(association: Any, error: Exception) -> None:
    """Abort an association past its state machine, which cannot be trusted any more, and close its connection."""
    _log.warning("association_failed", association_id=association.log.association_id, reason=type(error).__name__)
    provider = association.dul
    association.is_aborted, association.is_established = True, False
    association._kill = provider._kill_thread = True
    connection = provider.socket
    if connection is not None and connection.socket is not None:
        with suppress(OSError):
            connection.socket.sendall(_A_ABORT)
        connection.turn_deaf()
        with suppress(OSError):
            connection.ready  # noqa: B018 - drops what came: closed with bytes unread, the abort would be lost
        connection.close()
    provider.to_user_queue.put(None)  # whoever waits for a request
