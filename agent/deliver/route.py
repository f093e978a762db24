"""One destination with everything that delivering to it needs."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice

from agent.core.archive import Archive
from agent.core.errors import Transient, Unanswered, Unreachable
from agent.core.ports import OutboxItem, OutboxStatus, Store, Unit
from agent.core.retry import is_over, retry_delay
from agent.deliver.settings import DestinationSettings, probe_pause
from agent.deliver.verdict import conclude

_BATCH = 500  # items looked at in one tick
_ASKED_ABOUT = 16  # cases whose kinds of objects are proposed together


@dataclass(frozen=True, slots=True)
class Route:
    """A destination: its name in the outbox, the archive behind it, and how it is served.

    `now` gives aware UTC times, `random` numbers in [0, 1].
    """

    name: str
    store: Store
    archive: Archive
    settings: DestinationSettings
    now: Callable[[], datetime]
    random: Callable[[], float]

    def due(self, status: OutboxStatus) -> Sequence[OutboxItem]:
        """Return the due items of one status: never sent ones, the oldest case first, then the least sent."""
        with self.store.unit() as unit:
            return unit.outbox(self.name, [status], self.now(), _BATCH)

    def kinds_of(self, items: Sequence[OutboxItem]) -> Collection[tuple[str, str]]:
        """Return the SOP classes and transfer syntaxes of items, and of what else the first of their cases have here.

        What is in reserve, and what is there already, tells a destination that refuses one class from one that takes
        nothing at all.
        """
        cases = islice(dict.fromkeys(i.case_id for i in items), _ASKED_ABOUT)
        with self.store.unit() as unit:
            theirs = [i for case_id in cases for i in unit.outbox_of(case_id) if i.destination == self.name]
        return dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in (*items, *theirs))

    def delay(self, attempts: int) -> timedelta:
        """How long to wait after `attempts` failures."""
        return retry_delay(self.settings.retry, attempts, self.random())

    def wait_after(self, exc: Transient, attempts: int) -> timedelta:
        """How long what a failure hit is to wait.

        Not at all for a peer that is not there: the breaker says when it is called, and then everything is due at once.
        What a peer did not answer waits longer than the peer is left alone, so that it is not the first again.
        """
        if isinstance(exc, Unanswered):
            return self.delay(attempts) + probe_pause(self.settings.retry, 1)
        return timedelta(0) if isinstance(exc, Unreachable) else self.delay(attempts)

    def is_over(self, item: OutboxItem) -> bool:
        """Whether the item has been tried for long enough."""
        return is_over(self.settings.retry, item.queued_at, self.now())

    def settle(self, item: OutboxItem, status: OutboxStatus, *, wait: timedelta | None = None, error: str = "") -> None:
        """Note what happened to one item, and what that means for its case, in a transaction of its own."""
        with self.store.unit() as unit:
            unit.lock(item.case_id)
            self.note(unit, item, status, wait=wait, error=error)
            conclude(unit, item.case_id, self.now())

    def note(
        self, unit: Unit, item: OutboxItem, status: OutboxStatus, *, wait: timedelta | None = None, error: str = ""
    ) -> None:
        """Note what happened to one item as part of a larger transaction."""
        now = self.now()
        unit.settle(item, status, now, next_at=now + wait if wait else now, error=error)

    def refuse(self, item: OutboxItem, why: str) -> None:
        """Note that the destination does not take an object; what stands for it is sent."""
        with self.store.unit() as unit:
            unit.lock(item.case_id)
            self.note(unit, item, OutboxStatus.REFUSED, error=why)
            unit.use_spare(item, self.now())
            conclude(unit, item.case_id, self.now())

    def unchanged(self, unit: Unit, items: Sequence[OutboxItem]) -> list[OutboxItem]:
        """Return those items to which nothing happened meanwhile: a report or a person may be quicker than we."""
        case_ids = {i.case_id for i in items}
        current = {i.id: i.status for case_id in sorted(case_ids) for i in unit.outbox_of(case_id)}
        return [i for i in items if current.get(i.id) is i.status]

    def put_off(self, items: Sequence[OutboxItem], status: OutboxStatus, wait: timedelta, error: str) -> None:
        """Try some items again later with `status`; give up those tried for long enough."""
        for of_case in by_case(items):
            with self.store.unit() as unit:
                unit.lock(of_case[0].case_id)
                for item in self.unchanged(unit, of_case):
                    if self.is_over(item):
                        self.note(unit, item, OutboxStatus.REFUSED, error=f"given up: {error}")
                    else:
                        self.note(unit, item, status, wait=wait, error=error)
                conclude(unit, of_case[0].case_id, self.now())


def by_case(items: Sequence[OutboxItem]) -> Iterator[Sequence[OutboxItem]]:
    """Yield items a case at a time, the oldest case first; those of one case keep their order."""
    for _, of_case in groupby(sorted(items, key=lambda i: i.case_id), key=lambda i: i.case_id):
        yield list(of_case)
