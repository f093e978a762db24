"""A worker's hold on a case: claimed, given back, tried again, or given up when it was tried often enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from agent.core.case import Case, CaseEvent
from agent.core.errors import SentinodeError, StaleCase, Transient
from agent.core.ports import Store, StoredInstance, Unit

STUCK: Final = "a worker died or stalled on this case twice"
FIT: Final = "fit to be used"
LONGEST_RETRY_S: Final = 300.0
WATCHED: Final = 0.95  # of a lease: a worker that is stuck ends a little before its case is another's

_log = structlog.get_logger()


class Watchdog(Protocol):
    """Ends this process when its time is over, also while a library never returns."""

    def arm(self, seconds: float) -> None:
        """Give the process so much time from now on, whatever it had before."""

    def disarm(self) -> None:
        """Let the process live; harmless if nothing was armed."""


@dataclass(frozen=True, kw_only=True)
class AttemptSettings:
    """How often and how long a worker tries."""

    worker: str
    agent_started: datetime | None = None  # what was claimed before was lost with the agent, not with a worker
    lease_s: float = 300.0  # for each of preparing, computing and composing; then another worker may take the case
    max_deaths: int = 2
    max_attempts: int = 3  # that end with an error which may pass
    max_claims: int = 20  # whatever ended them: a case may take the whole agent down with it
    first_retry_s: float = 5.0  # doubled with each attempt, up to five minutes


@dataclass(frozen=True)
class Attempts:
    """What a worker does with cases around its work on them."""

    store: Store
    settings: AttemptSettings
    watchdog: Watchdog
    now: Callable[[], datetime]

    def release_own(self) -> int:
        """Give back what a process of this worker's name held when it ended; call it before the first claim.

        That process died on the case or was stuck with it, unless the whole agent was started since.
        """
        with self.store.unit() as unit:
            held = unit.leases_of(self.settings.worker)
        for case in held:
            if self._is_of_an_earlier_agent(case):
                self._give_back(case, CaseEvent.RELEASED, "the agent was stopped")
            else:
                self._give_back(case, CaseEvent.LEASE_EXPIRED, "the worker died or stalled")
        return len(held)

    def claim(self) -> Case | None:
        """Lease the longest waiting case; what this worker still holds it lost with the database, and gives back.

        From here on the worker is watched: one that is stuck past its lease ends. `let_go` ends the watch.
        """
        with self.store.unit() as unit:
            held = unit.leases_of(self.settings.worker)
        for case in held:
            self._give_back(case, CaseEvent.RELEASED, "the agent's state could not be reached", self._retry_at(0))
        with self.store.unit() as unit:
            claimed = unit.claim(self.now(), self._lease_until(), self.settings.worker)
        if claimed is not None:
            self._watch()
        return claimed

    def renew(self, unit: Unit, case: Case) -> None:
        """Prolong the lease, and the worker's own time with it. Raises StaleCase."""
        unit.renew(case, self._lease_until())
        self._watch()

    def let_go(self) -> None:
        """Watch no more: the work on the case is over."""
        self.watchdog.disarm()

    def _lease_until(self) -> datetime:
        return self.now() + timedelta(seconds=self.settings.lease_s)

    def _watch(self) -> None:
        self.watchdog.arm(WATCHED * self.settings.lease_s)

    def is_over(self, case: Case) -> str:
        """Why a case that was claimed just now is not to be tried again; empty: it is."""
        with self.store.unit() as unit:
            tally = unit.tally(case.id)
        if tally.get(CaseEvent.LEASE_EXPIRED, 0) >= self.settings.max_deaths:
            return STUCK
        if tally.get(CaseEvent.CLAIMED, 0) > self.settings.max_claims:
            return f"{self.settings.max_claims} attempts ended without an answer"
        return ""

    def fail(self, case: Case, error: SentinodeError) -> None:
        """Decide from the class of the error: again later, or given up. Raises StaleCase."""
        with self.store.unit() as unit:
            failures = unit.tally(case.id).get(CaseEvent.RETRY_DUE, 0)
            if isinstance(error, Transient) and failures + 1 < self.settings.max_attempts:
                due_at = self._retry_at(failures)
                unit.apply(case, CaseEvent.RETRY_DUE, self.now(), reason=str(error), due_at=due_at)
            else:
                unit.apply(case, CaseEvent.GAVE_UP, self.now(), reason=str(error))
        _log.error("answer_failed", case_id=case.id, version=case.version, attempt=case.attempt, reason=str(error))

    def give_up(self, case: Case, reason: str, refused: Sequence[tuple[StoredInstance, str]]) -> None:
        """End a case on which nobody is to work again, and list its inputs with why some were not used.

        Raises StaleCase.
        """
        with self.store.unit() as unit:
            for stored, why in refused:
                if why:
                    unit.mark_left_out(case, stored, why, quarantined=False)
            unit.apply(case, CaseEvent.GAVE_UP, self.now(), reason=reason, detail=_listed(refused))
        _log.error("answer_failed", case_id=case.id, version=case.version, attempt=case.attempt, reason=reason)

    def _is_of_an_earlier_agent(self, case: Case) -> bool:
        started = self.settings.agent_started
        if started is None or case.due_at is None:
            return False
        return case.due_at - timedelta(seconds=self.settings.lease_s) < started

    def _give_back(self, case: Case, event: CaseEvent, reason: str, due_at: datetime | None = None) -> None:
        try:
            with self.store.unit() as unit:
                unit.apply(case, event, self.now(), reason=reason, due_at=due_at)
        except StaleCase:
            _log.info("lease_was_over", case_id=case.id)

    def _retry_at(self, failures: int) -> datetime:
        wait_s = min(self.settings.first_retry_s * 2.0**failures, LONGEST_RETRY_S)
        return self.now() + timedelta(seconds=wait_s)


def _listed(refused: Sequence[tuple[StoredInstance, str]]) -> str:
    """Name every input of a case and, from its header, whether the model could have got it."""
    lines = [
        f"{stored.instance.sop_instance_uid} ({stored.instance.modality}, {f'not used: {why}' if why else FIT})"
        for stored, why in refused
    ]
    return f"; its inputs: {', '.join(lines)}" if lines else "; it has no images"
