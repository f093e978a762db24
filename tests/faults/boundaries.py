"""Kill -9 at every declared boundary, of the process that crosses it or of the whole tree, one patient a kill."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from agent.core.patient import PatientKey
from agent.crashpoint import POINTS
from tests.faults.evidence import Kind, Violation
from tests.faults.installation import Installation, patient
from tests.faults.invariants import check
from tests.faults.news import News, merge, tell_until_taken, updates
from tests.faults.senders import send_until_taken, truncated
from tests.faults.stories import PLAIN, STORIES, Merge, Story, held_of, is_told
from tests.harness import wait_until
from tests.senders import Sendable

AT_ONCE_S = 0.01
SCOPES = ("alone", "tree")
LONGEST_S = 120


@dataclass(frozen=True, slots=True)
class Kill:
    """A death at the n-th crossing of a boundary by one patient's data, of that process "alone" or of the "tree"."""

    boundary: str
    hit: int
    whom: str
    of: str = PLAIN

    def __str__(self) -> str:
        return f"{self.whom} at {self.boundary}:{self.hit}, {self.of}"

    @property
    def proves(self) -> str:
        """What of the plan it belongs to: a scope, or a story beside the plain one."""
        return self.whom if self.of == PLAIN else self.of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one patient's way through the agent came to."""

    died: bool
    violations: tuple[Violation, ...]


class Boundaries:
    """Sends a patient of its own for each kill through one installation that stays."""

    def __init__(self, place: Installation) -> None:
        self._place = place

    def crossings(self, of: str = PLAIN) -> Counter[str]:
        """Send one patient through unharmed; return how often each boundary was crossed."""
        trace: Path = self._place.trace
        self._place.up()
        outcome = self._patient(STORIES[of], lambda: trace.write_text("", encoding="ascii"))
        assert not outcome.violations, outcome.violations
        # a report may end the case while whoever asked for it still listens
        wait_until(lambda: "deliver.after_action" in trace.read_text(encoding="ascii"), 10, "it still asks")
        return Counter(trace.read_text(encoding="ascii").split())

    def kill(self, kill: Kill) -> Outcome:
        """Send one patient through, with a death on the way; what comes too late (fewer crossings) is no death."""
        self._place.up()
        outcome = self._patient(STORIES[kill.of], lambda: self._place.order_kill(kill.boundary, kill.hit, kill.whom))
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

    def _patient(self, story: Story, begin: Callable[[], object]) -> Outcome:
        """Send one patient's images and a damaged one, some ahead of `begin`, and wait for the end."""
        place, number = self._place, self._place.next_patient()
        who, name = patient(number, bilateral=story.bilateral), f"b{number}"
        other = patient(place.next_patient()) if story.merge else who
        found: list[Violation] = []
        ahead = story.before(who, other, name)
        if ahead:
            self._send(ahead, (), found)
        begin()
        items = story.rest(who, name)
        items.insert(1, truncated(who, name + "t"))
        news = [merge(who, other, f"A40-{number}")] if story.merge else list(updates(who, number))
        self._send(items, news, found, when_struck=story.merge is Merge.WHEN_STRUCK)
        if story.is_held:
            self._accept(other, found)
        seen = place.look()
        return Outcome(False, (*found, *check(seen, drained=True), *is_told(seen, other, story)))

    def _send(
        self, items: Sequence[Sendable], news: Sequence[News], found: list[Violation], *, when_struck: bool = False
    ) -> None:
        """Send until all are taken, restart what died as a whole, and wait for the end."""
        place, stop, calm = self._place, threading.Event(), threading.Event()

        def tell() -> None:
            while when_struck and place.order.exists() and not (calm.is_set() or stop.is_set()):
                stop.wait(AT_ONCE_S)
            for one in news:
                tell_until_taken(place.hl7_port, one, place.ledger, stop)

        def is_over() -> bool:
            self._watch(found)
            told = telling.done()
            if not (sending.done() and place.has_ended()):
                return False
            calm.set()
            return told

        with ThreadPoolExecutor(2) as pool:
            sending = pool.submit(send_until_taken, place.agent.port, items, place.ledger, stop)
            telling = pool.submit(tell)
            try:
                self._wait(is_over)
            finally:
                stop.set()
            sending.result()
            telling.result()

    def _accept(self, who: PatientKey, found: list[Violation]) -> None:
        """Do what a person does about what is held, and wait for the end."""
        held = held_of(self._place.look(), who)
        if not held:
            found.append(Violation(Kind.LOST, "nobody was asked about an image that came again with another side"))
        for version in held:
            self._place.accept(version.case.id)
        self._wait(lambda: self._watch(found) and self._place.has_ended())

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait for the end; the check afterwards says what is stuck."""
        with suppress(AssertionError):
            wait_until(condition, LONGEST_S, "patient ended")

    def _watch(self, found: list[Violation]) -> bool:
        """Look at what a killed tree left, and start it again."""
        if not self._place.agent.is_running:
            found += check(self._place.look())
            self._place.start()
        return True


def plan(crossings: Mapping[str, Counter[str]], turn: int) -> Iterator[tuple[Kill, bool]]:
    """Yield the kills of one database; the flag tells those at a last crossing.

    Plain patients die at the first, second and last crossing, alone and with the tree. Of the other stories it is the
    first crossing on one database (turn 0), the last on the other (1), alone and with the tree by turns; some are told
    on one database alone at each boundary, the first one or the last by turns.
    """
    for number, boundary in enumerate(POINTS):
        last = crossings[PLAIN][boundary]
        for whom in SCOPES:
            for hit in sorted({1, 2, last}):
                if hit <= last:
                    yield Kill(boundary, hit, whom), hit == last
        for offset, of in enumerate(of for of in STORIES if of != PLAIN):
            if STORIES[of].by_turns and (number + turn + offset) % 2:
                continue
            is_last = bool((turn + number // 4) % 2 if STORIES[of].by_turns else turn)
            whom = SCOPES[(number // 2 + offset) % 2 if STORIES[of].by_turns else (number + turn + offset) % 2]
            yield Kill(boundary, crossings[of][boundary] if is_last else 1, whom, of), is_last


def wanted() -> Iterator[tuple[int, str, str]]:
    """Yield what must have been killed: the turn, a scope or story, and the boundary."""
    once = {of: Counter(POINTS) for of in STORIES}
    for turn in range(2):
        for kill, _ in plan(once, turn):
            yield turn, kill.proves, kill.boundary
