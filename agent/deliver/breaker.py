"""Keeps a destination that is down from being asked for every item that waits for it."""

from collections.abc import Callable
from datetime import datetime

from agent.core.retry import RetryPolicy, retry_delay


class Breaker:
    """Open after a failed association until the backoff of all its failures in a row is over.

    It lives in memory: after a restart the destination is asked once.
    """

    def __init__(self, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._failures = 0
        self._until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether the destination is to be left alone."""
        return self._until is not None and now < self._until

    def failed(self, now: datetime) -> None:
        """The destination was not reached."""
        self._failures += 1
        self._until = now + retry_delay(self._policy, self._failures, self._random())

    def answered(self) -> None:
        """The destination answered."""
        self._failures = 0
        self._until = None
