"""Every kill there is: `python -m tests.faults`. Ends with one line of JSON, and with 1 if a promise was broken."""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.boundaries import Boundaries, plan, wanted
from tests.faults.command import add_seed, prove
from tests.faults.evidence import Kind, Violation
from tests.faults.installation import Installation
from tests.faults.invariants import given_up
from tests.faults.random_kills import RandomKills
from tests.faults.stories import STORIES
from tests.postgres import running_postgres

DATABASES = ("sqlite", "postgresql")
ENOUGH = 200
FAILED_AT_MOST = 3  # versions on which random kills met two workers
ABOUT = 330  # kills at boundaries, for the time that is left, until they are counted
SECONDS = {"boundary": 4.5, "random": 3.0}  # of one kill, before any was timed


@dataclass
class Tally:
    """Counts what was killed and what was broken, and tells how far it is."""

    planned: dict[str, int]
    done: Counter[str] = field(default_factory=Counter)
    spent_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    broken: Counter[Kind] = field(default_factory=Counter)
    failed: int = 0  # given up: workers died on them twice
    reached: set[tuple[str, str, str]] = field(default_factory=set)
    _known: set[tuple[str, str, Violation]] = field(default_factory=set)
    _last: float = field(default_factory=time.monotonic)

    def tell(
        self, part: str, database: str, what: str, violations: Sequence[Violation], *, is_kill: bool = True
    ) -> None:
        """Count one kill, and say it in a line; violations in a line each, once: every later look sees them again."""
        new = {(part, database, violation): violation for violation in violations}
        violations = [violation for key, violation in new.items() if key not in self._known]
        self._known.update(new)
        now = time.monotonic()
        self.spent_s[part] += now - self._last
        self._last = now
        self.done[part] += is_kill
        self.broken.update(violation.kind for violation in violations)
        left_s = sum(max(0, self.planned[p] - self.done[p]) * self._each_s(p) for p in self.planned)
        counted = f"{self.done.total()}/{sum(self.planned.values())}"
        print(f"[{counted}, {left_s / 60:.0f} min left] {database}: {what}", flush=True)
        for violation in violations:
            print(f"    {violation.kind}: {violation.what}", flush=True)

    def _each_s(self, part: str) -> float:
        return self.spent_s[part] / self.done[part] if self.done[part] else SECONDS[part]


def at_boundaries(place: Installation, database: str, every: int, tally: Tally) -> None:
    """Kill at the first, second and last crossing of every boundary, on one installation that stays."""
    boundaries = Boundaries(place)
    kills = list(plan({of: boundaries.crossings(of) for of in STORIES}, DATABASES.index(database)))[::every]
    tally.planned["boundary"] = len(kills) * len(DATABASES)
    for kill, is_last in kills:
        if is_last:
            kill, outcome = boundaries.last(kill)
        else:
            outcome = boundaries.kill(kill)
        if outcome.died:
            tally.reached.add((database, kill.proves, kill.boundary))
        told = f"{kill}{'' if outcome.died else ': not reached'}"
        tally.tell("boundary", database, told, outcome.violations, is_kill=outcome.died)
    place.agent.stop()


def at_random(place: Installation, database: str, kills: int, seed: int, tally: Tally) -> None:
    """Kill at random moments under load."""

    def tell(what: str, violations: Sequence[Violation], *, is_kill: bool) -> None:
        tally.tell("random", database, what, violations, is_kill=is_kill)

    tally.failed += given_up(RandomKills(place, seed).run(kills, tell).versions)


def run(folder: Path, kills: int, seed: int, every: int) -> Tally:
    """Kill at every boundary and then at random, on one database after the other, each time from a new installation."""
    tally = Tally({"boundary": ABOUT // every, "random": kills})
    with running_postgres() as server:
        for database in DATABASES:
            for part in ("boundary", "random"):
                place_folder = folder / f"{database}-{part}"
                place_folder.mkdir(parents=True)
                with Installation(place_folder, server.new_database() if database == "postgresql" else "") as place:
                    if part == "boundary":
                        at_boundaries(place, database, every, tally)
                    else:
                        at_random(place, database, kills // 2, seed, tally)
    return tally


def figures(tally: Tally, seed: int) -> dict[str, Any]:
    """Return what the last line says."""
    planned = {(DATABASES[turn], proves, boundary) for turn, proves, boundary in wanted()}
    return {
        "kills": tally.done.total(),
        "lost": tally.broken[Kind.LOST],
        "duplicates": tally.broken[Kind.DUPLICATE],
        "stuck": tally.broken[Kind.STUCK],
        "results_under_retired_id": tally.broken[Kind.RETIRED],
        "failed": tally.failed,
        "boundaries": len({boundary for _, _, boundary in tally.reached}),
        "not_killed_at": sorted(" ".join(missing) for missing in planned - tally.reached),
        "at_boundaries": tally.done["boundary"],
        "at_random": tally.done["random"],
        "seed": seed,
        "minutes": round(sum(tally.spent_s.values()) / 60, 1),
    }


def is_proven(said: Mapping[str, Any]) -> bool:
    """Whether enough was killed, everywhere, nothing was broken, and hardly anything given up."""
    promises = ("lost", "duplicates", "stuck", "results_under_retired_id")
    broken = sum(said[promise] for promise in promises) + len(said["not_killed_at"])
    return said["kills"] >= ENOUGH and not broken and said["failed"] <= FAILED_AT_MOST


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=200, help="kills at random moments, half on each database")
    add_seed(parser)
    parser.add_argument("--every", type=int, default=1, help="of the kills at boundaries only every n-th: no proof")
    given = parser.parse_args()
    prove(given.seed, lambda folder, seed: figures(run(folder, given.random, seed, given.every), seed), is_proven)


if __name__ == "__main__":
    main()
