"""What waits for a destination that is not configured: a name that was changed or misspelt, or a PACS that is gone."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from agent.core.ports import OutboxItem, OutboxStatus, Store
from agent.core.retry import RetryPolicy, is_over
from agent.deliver.route import by_case
from agent.deliver.verdict import conclude

UNKNOWN: Final = "no destination of this name is configured"
_UNDERWAY: Final = (OutboxStatus.WAITING, OutboxStatus.SENT)
_BATCH: Final = 500

_log = structlog.get_logger()


@dataclass(frozen=True)
class Unserved:
    """Keeps objects for destinations that are none of `configured`, says so on each, and gives them up in the end.

    They have the whole time of `patience`, so that a misspelt name does no harm; with the name they go on where they
    were. After it `sentinode resend` queues them again.
    """

    store: Store
    configured: Collection[str]
    patience: RetryPolicy
    now: Callable[[], datetime]

    def report(self) -> None:
        """Name such destinations in the log."""
        with self.store.unit() as unit:
            underway = unit.underway()
        for name in sorted(set(underway) - set(self.configured)):
            _log.error("destination_not_configured", destination=name, count=underway[name], reason=UNKNOWN)

    def tick(self) -> int:
        """Mark what is new among such objects, give up what waited too long, and return how many were settled."""
        settled = 0
        for of_case in self._batches():
            with self.store.unit() as unit:
                unit.lock(of_case[0].case_id)
                for item in of_case:
                    if is_over(self.patience, item.queued_at, self.now()):
                        unit.settle(item, OutboxStatus.REFUSED, self.now(), error=f"given up: {UNKNOWN}")
                        settled += 1
                    elif item.error != UNKNOWN:
                        unit.settle(item, item.status, self.now(), error=UNKNOWN)
                conclude(unit, of_case[0].case_id, self.now())
        return settled

    def _batches(self) -> Iterator[Sequence[OutboxItem]]:
        with self.store.unit() as unit:
            names = sorted(set(unit.underway()) - set(self.configured))
            found = [item for name in names for item in unit.outbox(name, _UNDERWAY, self.now(), _BATCH)]
        return by_case(found)
