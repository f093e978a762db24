"""Kill -9 at random moments, of the tree or of one process, while several modalities send."""

import random
from typing import Protocol

from agent.core.patient import PatientKey
from tests.faults.evidence import Evidence, Kind, Violation
from tests.faults.installation import ENDED, Installation, asked, patient
from tests.faults.invariants import check, given_up
from tests.faults.senders import Load
from tests.harness import wait_until

LONGEST_S = 1.5
BACK_WITHIN_S = 30.0
BACKLOG = 12  # unfinished versions, and studies sent since they were counted, above which the modalities pause
OTHERS = 500  # patients left for those whose data is killed at boundaries


def _patient(number: int) -> PatientKey:
    """Every third patient has cancer on both sides."""
    return patient(OTHERS + number, bilateral=number % 3 == 2)


class Tell(Protocol):
    """Hears of each kill and of the end: what, which promises it broke, and whether somebody died."""

    def __call__(self, what: str, violations: list[Violation], *, is_kill: bool) -> None:
        """Hear of one."""


class RandomKills:
    """A series of kills under load on one installation, each decided by `seed`.

    Every second kill is of the tree (one in ten of them of the supervisor alone, which must end the same way), the
    others of a receiver, keeper or worker. The checker runs after each.
    """

    def __init__(self, place: Installation, seed: int, *, backlog: int = BACKLOG) -> None:
        self._place, self._most = place, backlog
        self._chance = random.Random(seed)
        self._unfinished, self._begun = 0, 0  # at the last look
        self._load = Load(place.agent.port, place.ledger, _patient, asked, self._is_too_much, seed)

    def run(self, kills: int, tell: Tell) -> Evidence:
        """Kill, drain, stop in order; `tell` hears of each kill and of the end. Returns the last evidence."""
        self._place.up()
        self._load.start()
        try:
            for number in range(kills):
                self._load.stop_event.wait(self._chance.uniform(0, LONGEST_S))
                whom, died = self._tree() if number % 2 else self._one_process()
                late = [] if died else [Violation(Kind.STUCK, f"{whom}: not there to be killed")]
                tell(whom, late + self._check(self._place.look()), is_kill=died)
        finally:
            self._load.stop()
        return self._drain(tell)

    def _is_too_much(self) -> bool:
        return self._unfinished + self._load.begun - self._begun > self._most

    def _tree(self) -> tuple[str, bool]:
        agent = self._place.agent
        alone = self._chance.random() < 0.1
        died = agent.kill_all(supervisor_alone=alone)
        self._place.start()
        if self._chance.random() < 0.8:  # else the next kill may come while it starts
            agent.wait_listening()
        return "supervisor" if alone else "tree", died

    def _one_process(self) -> tuple[str, bool]:
        """Kill one process; where it is on its way back from another kill, as soon as it is there."""
        role = self._chance.choice(["receiver", "keeper", "worker-1"])
        try:
            wait_until(lambda: self._place.agent.kill_one(role), BACK_WITHIN_S, f"{role} did not die", every_s=0.02)
        except AssertionError:
            return role, False
        return role, True

    def _check(self, seen: Evidence) -> list[Violation]:
        self._begun = self._load.begun
        self._unfinished = sum(version.case.state not in ENDED for version in seen.versions)
        return check(seen, may_give_up=True)

    def _drain(self, tell: Tell) -> Evidence:
        """Let everything end, stop as systemd would, and read everything again."""
        self._place.agent.wait_listening()
        self._place.wait_ended(120)
        assert self._place.agent.stop() == 0, self._place.agent.log()[-2000:]
        self._place.forget()
        seen = self._place.look()
        counted = f"{len(seen.acknowledged)} acknowledged, {len(seen.versions)} versions"
        found = check(seen, drained=True, may_give_up=True)
        tell(f"drained: {counted}, {given_up(seen.versions)} given up", found, is_kill=False)
        return seen
