"""python -m tests.faults.receive: what a receiver acknowledged is there, whatever happens to it.

A real receiver is killed at every named point, and killed or refused at the n-th call of every kind, for n = 1 until a
run comes through; power is lost at every call that one made, and of what was not synced anything may be left; disks
are full. Each trial ends with a start as after any end, and everything that was answered with success is looked for,
with its digest. Then the same trials must find defects that were planted. The last line is JSON; SEED repeats a run.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from bench.receive.figures import Bound, verdict
from tests.faults.command import add_seed, prove
from tests.faults.receive import lying_disks
from tests.faults.receive.full import Full, may_mount
from tests.faults.receive.injected import OURS, Fault, Trials
from tests.faults.receive.ledger import Broken
from tests.faults.receive.power import fail_calls, lose_power
from tests.faults.receive.processes import Zygote, strace
from tests.faults.receive.used_anew import keeps_generation

TRIALS: Final = 2000
SCENES: Final = 3  # in which power is lost
DISKS: Final = [*range(200_000, 3_000_000, 140_000)]  # bytes
HALF_FULL: Final = 1 << 24
LIMITS: Final = [*range(10_000, 300_000, 15_000)]  # bytes of one file, below the largest object
BOUNDS: Final = {
    "trials": Bound(least=TRIALS),
    "false_acknowledgements": Bound(most=0),
    "lost": Bound(most=0),
    "invented": Bound(most=0),
    "stuck": Bound(most=0),
    "points_not_reached": Bound(most=0),
    "planted_defects_not_found": Bound(most=0),
}
SAY_EVERY: Final = 100


@dataclass
class Tally:
    """What was tried, by part, and what was broken."""

    trials: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def tell(self, part: str, what: str, broken: Broken) -> None:
        """Count a trial; say what it broke, and now and then how far the run is."""
        self.trials[part] += 1
        for name in ("false", "lost", "invented", "stuck"):
            self.broken[name] += len(getattr(broken, name))
        if broken:
            print(f"BROKEN: {what}: {broken}", flush=True)
        if self.trials.total() % SAY_EVERY == 0 or self.trials[part] == 1:
            print(f"[{self.trials.total()} trials, {self.minutes:.1f} minutes] {part}: {what}", flush=True)

    @property
    def minutes(self) -> float:
        """Since the beginning."""
        return (time.monotonic() - self.began) / 60

    def part(self, name: str) -> Callable[[str, Broken], None]:
        """Return what counts the trials of one part."""
        return partial(self.tell, name)


class Finding:
    """Counts what trials of a planted defect find."""

    def __init__(self) -> None:
        self.found = 0

    def __call__(self, what: str, broken: Broken) -> None:
        """Hear of a trial."""
        self.found += len(broken.false)


def find_planted(zygote: Zygote, folder: Path, seed: int) -> list[str]:
    """Return the planted defects that a few trials do not find."""
    heard = {name: Finding() for name in (*lying_disks.PLANTED, keeps_generation.__name__)}
    with keeps_generation():
        lose_power(folder / "generation", seed, heard[keeps_generation.__name__], every=9)
    lose_power(
        folder / "unsynced",
        seed,
        heard["acknowledges_before_sync"],
        every=9,
        plant=lying_disks.acknowledges_before_sync,
    )
    fail_calls(
        folder / "again", seed, heard["syncs_again"], calls=("fdatasync",), every=4, plant=lying_disks.syncs_again
    )
    for name in ("takes_errors_for_success", "acknowledges_what_it_keeps"):
        (folder / name).mkdir()
        trials = Trials(zygote, folder / name, heard[name], planted=name)
        for number in (1, 3):
            trials.one(Fault("association", "write", "error=EIO", number))
    return [name for name, finding in heard.items() if not finding.found]


def fill_disks(zygote: Zygote, folder: Path, tell: Callable[[str, Broken], None], seed: int) -> None:
    """Fill disks of many sizes, and files."""
    full = Full(zygote, folder, tell, seed=seed)
    for limit in LIMITS:
        full.limit_files(limit)
    if not may_mount(folder):
        print("only root may mount a small disk: files are limited, no disk is filled", flush=True)
        return
    for size in DISKS:
        full.fill_disk(size)
    for is_killed in (False, True):
        full.leave_unfinished(HALF_FULL, is_killed=is_killed)


def run(folder: Path, seed: int) -> dict[str, Any]:
    """Try everything; return what the last line says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # refusals are what is wanted here
    tally = Tally()
    for part in ("killed", "full", "planted"):
        (folder / part).mkdir()
    with Zygote(folder) as zygote:
        trials = Trials(zygote, folder / "killed", tally.part("kills at named points"), seed=seed)
        reached = trials.kill_at_points()
        Trials(zygote, folder / "killed", tally.part("calls killed or failed"), seed=seed).inject()
        fill_disks(zygote, folder / "full", tally.part("full disks"), seed)
        missed = find_planted(zygote, folder / "planted", seed)
    for scene in range(SCENES):
        lose_power(folder / f"power-{scene}", seed + scene, tally.part("power lost"))
    fail_calls(folder / "failed", seed, tally.part("a call failed, then power lost"))
    return told(tally, sorted(set(OURS) - reached), missed, seed)


def told(tally: Tally, not_reached: list[str], missed: list[str], seed: int) -> dict[str, Any]:
    """Print the table; return the last line."""
    for part, count in tally.trials.items():
        print(f"{part:32}{count:6} trials")
    values = {
        "trials": tally.trials.total(),
        "false_acknowledgements": tally.broken["false"],
        **{name: tally.broken[name] for name in ("lost", "invented", "stuck")},
        "points_not_reached": len(not_reached),
        "planted_defects_not_found": len(missed),
        "minutes": tally.minutes,
    }
    return verdict("faults-receive", values, BOUNDS, not_reached=not_reached, not_found=missed, seed=seed)


def is_proven(said: Mapping[str, Any]) -> bool:
    """Whether everything holds."""
    return bool(said["holds"])


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.receive", description=__doc__)
    add_seed(parser)
    given = parser.parse_args()
    if strace() is None:
        sys.exit("strace is not installed (Debian: apt install strace)")
    prove(given.seed, run, is_proven)


if __name__ == "__main__":
    main()
