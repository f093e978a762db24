"""Kill -9 at every declared boundary, of the process that crosses it or of the whole tree, one patient a kill."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from agent.core.patient import PatientKey
from agent.crashpoint import POINTS
from tests.faults.installation import Installation, patient
from tests.faults.invariants import Evidence, Kind, Violation, check
from tests.faults.senders import breast_mr, mammograms, send_until_taken, truncated, ultrasounds
from tests.harness import wait_until
from tests.senders import Sendable

SCOPES = ("alone", "tree")
PLAIN, ADDED, BILATERAL = "mammograms", "ultrasound and MR added", "both sides"


@dataclass(frozen=True, slots=True)
class Story:
    """What is sent of one patient: some of it ahead, answered in peace, the rest while death comes."""

    rest: Callable[[PatientKey, str], list[Sendable]]
    ahead: Callable[[PatientKey, str], list[Sendable]] | None = None
    bilateral: bool = False
    uses: frozenset[str] = frozenset({"MG"})  # modalities on which the last answer rests


STORIES = {
    PLAIN: Story(mammograms),
    ADDED: Story(
        lambda who, name: [*ultrasounds(who, name), *breast_mr(who, name)],
        ahead=mammograms,
        uses=frozenset({"MG", "US", "MR"}),
    ),
    BILATERAL: Story(lambda who, name: mammograms(who, name, "LR"), bilateral=True),
}


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
        number = self._place.next_patient()
        who, name = patient(number, bilateral=story.bilateral), f"b{number}"
        found: list[Violation] = []
        if story.ahead is not None:
            self._send(story.ahead(who, name), found)
        begin()
        items = story.rest(who, name)
        items.insert(1, truncated(who, name + "t"))
        self._send(items, found)
        seen = self._place.look()
        return Outcome(False, (*found, *check(seen, drained=True), *_unused(seen, who, story)))

    def _send(self, items: Sequence[Sendable], found: list[Violation]) -> None:
        """Send until all are taken, restart what died as a whole, and wait for the end."""
        place, stop = self._place, threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send_until_taken, place.agent.port, items, place.ledger, stop)
            try:
                wait_until(lambda: self._watch(found) and sending.done() and place.has_ended(), 120, "patient ended")
            except AssertionError:
                pass  # the check afterwards says what is stuck
            finally:
                stop.set()
            sending.result()

    def _watch(self, found: list[Violation]) -> bool:
        """Look at what a killed tree left, and start it again."""
        if not self._place.agent.is_running:
            found += check(self._place.look())
            self._place.start()
        return True


def _unused(seen: Evidence, who: PatientKey, story: Story) -> Iterator[Violation]:
    """The last answer rests on everything that was sent."""
    theirs = [version for version in seen.versions if version.case.patient == who]
    newest = max(theirs, key=lambda version: version.case.version, default=None)
    if newest is None:
        yield Violation(Kind.LOST, f"no version of {story.uses}")
    elif not story.uses <= newest.used:
        yield Violation(Kind.LOST, f"case {newest.case.id} was answered without {sorted(story.uses - newest.used)}")


def plan(crossings: Mapping[str, Counter[str]], turn: int) -> Iterator[tuple[Kill, bool]]:
    """Yield the kills of one database; the flag tells those at a last crossing.

    Plain patients die at the first, second and last crossing, alone and with the tree. Of the other stories it is the
    first crossing on one database (turn 0), the last on the other (1), alone and with the tree by turns.
    """
    for number, boundary in enumerate(POINTS):
        last = crossings[PLAIN][boundary]
        for whom in SCOPES:
            for hit in sorted({1, 2, last}):
                if hit <= last:
                    yield Kill(boundary, hit, whom), hit == last
        for offset, of in enumerate((ADDED, BILATERAL)):
            hit = crossings[of][boundary] if turn else 1
            yield Kill(boundary, hit, SCOPES[(number + turn + offset) % 2], of), bool(turn)
