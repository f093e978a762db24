"""Takes results out of the outbox to every destination, and makes sure that they arrived."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from agent.core.archive import Archive
from agent.core.errors import StaleCase, Unanswered, Unreachable
from agent.core.ports import OutboxItem, OutboxStatus, Store
from agent.deliver.breaker import Breaker, may_serve
from agent.deliver.confirming import confirm
from agent.deliver.route import Route, by_case
from agent.deliver.sending import send_case
from agent.deliver.settings import Confirm, DestinationSettings

_ASKED_AT_ONCE: Final = 200  # objects in one request for storage commitment

_log = structlog.get_logger()


class DestinationCourier:
    """Serves one destination. It keeps no state but the breaker: everything else stands in the outbox."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._breaker = Breaker(route.settings.retry, route.random)

    def tick(self) -> int:
        """Send what is due, ask for the proof of what was sent, and return how many objects moved on.

        All of it goes over one association, which is opened for the first object that needs it. What was never sent
        goes first, what failed before last, and each alone: so an object that is never answered delays no other for
        longer than one response may take.

        Raises
        ------
        Transient
            If the state cannot be read or written; what was settled before stays so.
        """
        if not may_serve(self._route, self._breaker):
            return 0
        waiting = self._route.due(OutboxStatus.WAITING)
        pairs = self._route.kinds_of(waiting)
        reads_back = self._route.settings.confirm == Confirm.READ_BACK
        try:
            with self._route.archive.session(pairs, reads_back=reads_back) as archive:
                route = replace(self._route, archive=archive)
                sent = self._each(route, by_case([i for i in waiting if not i.attempts]), send_case)
                proven = self._each(route, _stored(route), confirm)
                return sent + proven + self._each(route, ([i] for i in waiting if i.attempts), send_case)
        except Unanswered as exc:
            self._breaker.doubted(self._route.now())
            _log.warning("destination_did_not_answer", destination=self._route.name, reason=str(exc))
            return 0
        except Unreachable as exc:
            self._breaker.failed(self._route.now())
            _log.warning("destination_not_reached", destination=self._route.name, reason=str(exc))
            return 0

    def _each(
        self,
        route: Route,
        batches: Iterable[Sequence[OutboxItem]],
        serve: Callable[[Route, Sequence[OutboxItem]], int],
    ) -> int:
        moved = 0
        for items in batches:
            try:
                moved += serve(route, items)
            except StaleCase:
                _log.info("case_moved_on", case_id=items[0].case_id, destination=route.name)
            self._breaker.answered()
        return moved


def _stored(route: Route) -> Iterator[Sequence[OutboxItem]]:
    """Look for what waits for its proof only when it is its turn: what was sent in this tick is among it.

    Storage commitment is asked for many cases at once; what that did not bring forward, for each case alone.
    """
    due = route.due(OutboxStatus.SENT)
    together = [i for i in due if not i.error] if route.settings.confirm == Confirm.COMMITMENT else []
    together.sort(key=lambda i: i.case_id)
    for n in range(0, len(together), _ASKED_AT_ONCE):
        yield together[n : n + _ASKED_AT_ONCE]
    yield from by_case([i for i in due if i not in together])


class Courier:
    """All destinations.

    Run each of `destinations` as a task of its own, so that one that hangs until its timeouts holds no other;
    `tick` serves them one after the other.

    Parameters
    ----------
    store : Store
        The agent's state.
    archives, settings : mapping by destination name
        The archive behind each destination, and how it is served; both have the same names.
    now : callable
        Aware time in UTC.
    random : callable
        Numbers in [0, 1], for jitter.
    """

    def __init__(
        self,
        store: Store,
        archives: Mapping[str, Archive],
        settings: Mapping[str, DestinationSettings],
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self.destinations: Mapping[str, DestinationCourier] = {
            name: DestinationCourier(Route(name, store, archive, settings[name], now, random))
            for name, archive in archives.items()
        }

    def tick(self) -> int:
        """Serve every destination once and return how many objects moved on."""
        return sum(destination.tick() for destination in self.destinations.values())
