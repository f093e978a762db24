"""Kill -9 at random moments, of the tree or of one process, while several modalities send."""

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress

from agent.core.case import CaseState
from agent.core.patient import PatientKey
from tests.faults.installation import ENDED, Installation, patient
from tests.faults.invariants import Evidence, Violation, check
from tests.faults.senders import Load

LONGEST_S = 1.5
BACKLOG = 12  # unfinished versions above which the modalities pause


OTHERS = 500  # patients left for those whose data is killed at boundaries


def _patient(number: int) -> PatientKey:
    return patient(OTHERS + number)


class RandomKills:
    """A series of kills under load on one installation, each decided by `seed`.

    Every second kill is of the tree (one in ten of them of the supervisor alone, which must end the same way), the
    others of a receiver, keeper or worker. The checker runs after each.
    """

    def __init__(self, place: Installation, seed: int) -> None:
        self._place = place
        self._chance = random.Random(seed)
        self._backlog = 0
        self._load = Load(place.agent.port, place.ledger, _patient, lambda: self._backlog > BACKLOG, seed)

    def run(self, kills: int, tell: Callable[[str, list[Violation]], None]) -> Evidence:
        """Kill, drain, stop in order; `tell` hears of each kill and of the end. Returns the last evidence."""
        self._place.up()
        self._load.start()
        try:
            for number in range(kills):
                self._load.stop_event.wait(self._chance.uniform(0, LONGEST_S))
                whom = self._tree(number) if number % 2 else self._one_process()
                tell(whom, self._check(self._place.look()))
        finally:
            self._load.stop()
        return self._drain(tell)

    def _tree(self, number: int) -> str:
        agent = self._place.agent
        alone = self._chance.random() < 0.1
        agent.kill_supervisor() if alone else agent.kill()
        self._place.start()
        if self._chance.random() < 0.8:  # else the next kill may come while it starts
            agent.wait_listening()
        return "supervisor" if alone else "tree"

    def _one_process(self) -> str:
        role = self._chance.choice(["receiver", "keeper", "worker-1"])
        with suppress(ProcessLookupError, KeyError):  # it may be on its way back from another kill
            os.kill(self._place.children()[role], signal.SIGKILL)
        return role

    def _check(self, seen: Evidence) -> list[Violation]:
        self._backlog = sum(version.case.state not in ENDED for version in seen.versions)
        return check(seen)

    def _drain(self, tell: Callable[[str, list[Violation]], None]) -> Evidence:
        """Let everything end, stop as systemd would, and read everything again."""
        self._place.agent.wait_listening()
        self._place.wait_ended(120)
        assert self._place.agent.stop() == 0, self._place.agent.log()[-2000:]
        self._place.forget()
        seen = self._place.look()
        failed = sum(version.case.state is CaseState.FAILED for version in seen.versions)
        tell(
            f"drained: {len(seen.acknowledged)} acknowledged, {len(seen.versions)} versions, {failed} failed",
            check(seen, drained=True),
        )
        return seen
