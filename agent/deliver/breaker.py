"""Keeps a destination that is down from being asked for every item that waits for it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from agent.core.errors import Transient, Unreachable
from agent.core.ports import OutboxStatus
from agent.core.retry import RetryPolicy, retry_delay
from agent.deliver.route import Route
from agent.deliver.settings import probe_pause

_log = structlog.get_logger()


class Breaker:
    """Open after a failed association: in the first minute for a short backoff, then for a minute and a little.

    One that left a single object unanswered is only called first: others may go as soon as it answers that.

    It lives in memory: after a restart the destination is asked once.
    """

    def __init__(self, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._failures = 0
        self._since: datetime | None = None
        self._closed: tuple[datetime, datetime] | None = None  # from, until

    def is_open(self, now: datetime) -> bool:
        """Whether the destination is to be left alone. A clock that was set back does not prolong it."""
        return self._closed is not None and self._closed[0] <= now < self._closed[1]

    @property
    def down_since(self) -> datetime | None:
        """When the destination was not reached for the first time in a row; None: it was, or nobody tried."""
        return self._since if self._closed else None

    def failed(self, now: datetime) -> None:
        """The destination was not reached, or said nothing."""
        self._failures += 1
        self._since = self._since or now
        self._closed = now, now + self._pause(now - self._since)

    def _pause(self, down: timedelta) -> timedelta:
        soon = retry_delay(self._policy, self._failures, self._random())
        return soon if down + soon < probe_pause(self._policy, 0) else probe_pause(self._policy, self._random())

    def let_through(self) -> None:
        """The destination is there; whether it also takes what it is for, the next object shows."""
        self._closed = None

    def doubted(self, now: datetime) -> None:
        """The destination is there and left something unanswered: it is called before anything else is sent."""
        self._since = self._since or now
        self._closed = now, now

    def answered(self) -> None:
        """The destination answered."""
        self._failures = 0
        self._since = self._closed = None


def may_serve(route: Route, breaker: Breaker) -> bool:
    """Whether a destination is served now: one that was not reached is called first, by C-ECHO, when its time comes.

    Such a call touches no item, so an outage costs the same however many wait; what waited too long is given up.

    Raises
    ------
    Transient
        If the state cannot be read or written.
    """
    if breaker.is_open(route.now()):
        return False
    since = breaker.down_since
    if since is None:
        return True
    try:
        route.archive.echo()
    except Unreachable as exc:
        breaker.failed(route.now())
        _log.warning("destination_still_away", destination=route.name, since=since.isoformat(), reason=str(exc))
        _give_up_overdue(route, str(exc))
        return False
    except Transient as exc:
        _log.info("echo_not_answered_well", destination=route.name, reason=str(exc))  # but it is there
    breaker.let_through()
    _log.info("destination_is_back", destination=route.name, since=since.isoformat())
    return True


def _give_up_overdue(route: Route, why: str) -> None:
    for status in (OutboxStatus.WAITING, OutboxStatus.SENT):
        route.put_off([i for i in route.due(status) if route.is_over(i)], status, timedelta(0), why)
