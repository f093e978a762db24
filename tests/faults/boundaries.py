"""Kill -9 at every declared boundary, of the process that crosses it or of the whole tree, one patient a kill."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from agent.crashpoint import POINTS
from tests.faults.installation import Installation, patient
from tests.faults.invariants import Violation, check
from tests.faults.senders import send_until_taken, study, truncated
from tests.harness import wait_until

SCOPES = ("alone", "tree")


@dataclass(frozen=True, slots=True)
class Kill:
    """A death at the n-th crossing of a boundary by one patient's data, of that process "alone" or of the "tree"."""

    boundary: str
    hit: int
    whom: str

    def __str__(self) -> str:
        return f"{self.whom} at {self.boundary}:{self.hit}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one patient's way through the agent came to."""

    died: bool
    violations: tuple[Violation, ...]


class Boundaries:
    """Sends a patient of its own for each kill through one installation that stays."""

    def __init__(self, place: Installation) -> None:
        self._place = place

    def crossings(self) -> Counter[str]:
        """Send one patient through unharmed; return how often each boundary was crossed."""
        trace: Path = self._place.trace
        self._place.up()
        trace.write_text("", encoding="ascii")
        outcome = self._patient()
        assert not outcome.violations, outcome.violations
        return Counter(trace.read_text(encoding="ascii").split())

    def kill(self, kill: Kill) -> Outcome:
        """Send one patient through, with a death on the way; what comes too late (fewer crossings) is no death."""
        self._place.up()
        self._place.order_kill(kill.boundary, kill.hit, kill.whom)
        outcome = self._patient()
        died = not self._place.order.exists()
        self._place.order.unlink(missing_ok=True)
        return replace(outcome, died=died)

    def last(self, kill: Kill) -> tuple[Kill, Outcome]:
        """Kill at a last crossing; where this patient's data took fewer than expected, at the one before."""
        outcome = self.kill(kill)
        if outcome.died or kill.hit == 1:
            return kill, outcome
        before, at_last = self.last(replace(kill, hit=kill.hit - 1))
        return before, replace(at_last, violations=outcome.violations + at_last.violations)

    def _patient(self) -> Outcome:
        """Send two views and a damaged object until all are taken, restart what died as a whole, wait for the end."""
        place, stop = self._place, threading.Event()
        number = place.next_patient()
        who, name = patient(number), f"b{number}"
        items = study(who, name)
        items.insert(1, truncated(who, name + "t"))
        found: list[Violation] = []
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send_until_taken, place.agent.port, items, place.ledger, stop)
            try:
                wait_until(lambda: self._watch(found) and sending.done() and place.has_ended(), 120, "patient ended")
            except AssertionError:
                pass  # the check below says what is stuck
            finally:
                stop.set()
            sending.result()
        return Outcome(False, (*found, *check(place.look(), drained=True)))

    def _watch(self, found: list[Violation]) -> bool:
        """Look at what a killed tree left, and start it again."""
        if not self._place.agent.is_running:
            found += check(self._place.look())
            self._place.start()
        return True


def plan(crossings: Counter[str]) -> Iterator[tuple[Kill, bool]]:
    """Yield the kills of one database, first, second and last crossing; the flag tells the last ones."""
    for boundary in POINTS:
        for whom in SCOPES:
            for hit in sorted({1, 2, crossings[boundary]}):
                if hit <= crossings[boundary]:
                    yield Kill(boundary, hit, whom), hit == crossings[boundary]
