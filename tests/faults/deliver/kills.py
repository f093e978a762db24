"""Kill -9 during delivery alone: at every boundary of it, and at random moments while objects are on their way."""

import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final, NamedTuple

from agent.crashpoint import POINTS
from tests.faults.deliver.peer import until
from tests.faults.deliver.site import Site
from tests.faults.evidence import Evidence, Kind, Violation
from tests.faults.invariants import check
from tests.faults.random_kills import Tell
from tests.harness import wait_until

BOUNDARIES: Final = tuple(
    point for point in POINTS if point.startswith(("deliver.", "dimse.")) or point == "receive.after_event_report"
)
BACKLOG: Final = 3  # results on their way at any time
UNDERWAY_S: Final = 0.3  # after the first object since the kill before has left
NOBODY_SENDS_S: Final = 3.0
REACHED_WITHIN_S: Final = 30.0
BACK_WITHIN_S: Final = 30.0
LONGEST_S: Final = 180.0


class Kill(NamedTuple):
    """A death at the n-th crossing of a boundary, of that process "alone" or of the "tree"."""

    boundary: str
    hit: int
    whom: str

    def __str__(self) -> str:
        return f"{self.whom} at {self.boundary}:{self.hit}"


def plan() -> Iterator[Kill]:
    """Yield the kills of one database: alone at the first and second crossing, the tree at the first."""
    for boundary, (hit, whom) in product(BOUNDARIES, ((1, "alone"), (2, "alone"), (1, "tree"))):
        yield Kill(boundary, hit, whom)


class DeliveryKills:
    """Kills on one installation, decided by `seed`; `tell` hears of each, with the promises that it broke."""

    def __init__(self, place: Site, seed: int, tell: Tell) -> None:
        self._place, self._chance, self._tell = place, random.Random(seed), tell
        self._sent = 0

    def at_boundary(self, kill: Kill) -> bool:
        """Keep results on their way until somebody dies there; return whether that came."""
        place = self._place
        place.up()
        place.order_kill(kill.boundary, kill.hit, kill.whom)
        died = self._filling(lambda: not place.order.exists(), REACHED_WITHIN_S)
        place.order.unlink(missing_ok=True)
        if died and kill.whom == "tree":
            place.agent.wait_dead()
            place.start()
        self._tell(str(kill) if died else f"{kill}: not reached", self._look(), is_kill=died)
        return died

    def at_random(self, kills: int) -> None:
        """Kill the keeper, which sends, now and then the receiver or the whole tree."""
        self._place.up()
        for _ in range(kills):
            self._place.fill(BACKLOG)
            self._await_moment()
            whom = self._chance.choices(["keeper", "receiver", "tree"], [88, 6, 6])[0]
            died = self._tree() if whom == "tree" else self._one_process(whom)
            late = [] if died else [Violation(Kind.STUCK, f"{whom}: not there to be killed")]
            self._tell(whom, late + self._look(), is_kill=died)

    def drain(self) -> Evidence:
        """Let everything arrive, stop as systemd would, and read everything again."""
        place = self._place
        place.up()
        place.wait_ended(LONGEST_S)
        assert place.agent.stop() == 0, place.agent.log()[-2000:]
        place.forget()
        seen = place.look()
        arrived = sum(len(witness.kept) for witness in seen.archives.values())
        what = f"drained: {len(seen.versions)} results, {arrived} objects arrived"
        self._tell(what, check(seen, drained=True), is_kill=False)
        return seen

    def _await_moment(self) -> None:
        """Wait until something has left since the kill before, and a moment more; one time in five only that."""
        if self._chance.random() < 0.8:
            until(lambda: self._requests() > self._sent, NOBODY_SENDS_S)
        until(lambda: False, self._chance.uniform(0, UNDERWAY_S))

    def _requests(self) -> int:
        return sum(len(archive.requests) for archive in self._place.archives.values())

    def _filling(self, condition: Callable[[], bool], seconds: float) -> bool:
        def holds() -> bool:
            self._place.fill(BACKLOG)
            self._place.let_time_pass()
            return condition()

        return until(holds, seconds)

    def _tree(self) -> bool:
        died = self._place.agent.kill_all(supervisor_alone=self._chance.random() < 0.3)
        self._place.start()
        return died

    def _one_process(self, role: str) -> bool:
        try:
            wait_until(lambda: self._place.agent.kill_one(role), BACK_WITHIN_S, f"{role} did not die", every_s=0.01)
        except AssertionError:
            return False
        return True

    def _look(self) -> list[Violation]:
        self._sent = self._requests()
        found = check(self._place.look())
        self._place.let_time_pass()
        return found
