"""What every process needs: the clock and a stop request."""

import os
import signal
import time
from datetime import UTC, datetime
from typing import Final

AFTERWARDS_S: Final = 4.0
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
"""What is bound to for every address of this machine."""


def utc_now() -> datetime:
    """Return the present moment, timezone-aware."""
    return datetime.now(UTC)


def secret(variable: str | None) -> str | None:
    """Return the secret that an environment variable holds, or None where none is named or set."""
    return os.environ.get(variable) if variable else None


def patience_s(drain_s: float) -> float:
    """Return how much of a drain is for others to end; in the rest they are cut off, and the process ends."""
    return max(drain_s - AFTERWARDS_S, 0.4 * drain_s)


class Stop:
    """A request to stop, set by a signal handler. It takes no lock, so a signal can never deadlock on it."""

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        """Be requested by SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.request)

    def request(self, *_signal: object) -> None:
        """Ask for the stop; fits `signal.signal`."""
        self.requested = True

    def wait(self, seconds: float) -> bool:
        """Wait until the stop is requested or the time is over; return whether it is requested."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
        return self.requested

    def wait_for_ever(self) -> None:
        """Wait until the stop is requested."""
        while not self.wait(1.0):
            pass
