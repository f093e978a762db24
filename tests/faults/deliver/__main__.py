"""Kills during delivery alone: `python -m tests.faults.deliver`. Ends with one line of JSON, and with 1 if not proven.

Results are put into the outbox of an agent without workers, whose two peers answer late and out of order, drop
associations, and commit late, twice, on this association or another, or not at all.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.__main__ import DATABASES, Tally
from tests.faults.command import add_seed, prove
from tests.faults.deliver.kills import BOUNDARIES, DeliveryKills, plan
from tests.faults.deliver.site import Site
from tests.faults.evidence import Evidence, Kind, Violation
from tests.postgres import running_postgres

KILLS = 500
SECONDS = {"boundary": 2.0, "random": 1.0}


@dataclass
class Total:
    """What went over the wire, on all installations."""

    counts: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0

    def add(self, place: Site, seen: Evidence) -> None:
        """Count what the peers of one installation saw."""
        self.counts["results"] += len(seen.versions)
        for name, peer in place.archives.items():
            requests = seen.archives[name].requests
            self.counts.update(objects=len(seen.archives[name].kept), associations=peer.associations)
            self.counts.update(dropped=peer.dropped, reports=peer.reports, requests=len(requests))
            self.counts["sent_again"] += len(requests) - len(set(requests))
            self.most_at_once = max(self.most_at_once, peer.most_at_once)


def one_database(place: Site, database: str, kills: int, seed: int, tally: Tally, total: Total) -> None:
    """Kill at every boundary, and then at random."""
    part = "boundary"

    def tell(what: str, violations: Sequence[Violation], *, is_kill: bool) -> None:
        tally.tell(part, database, what, violations, is_kill=is_kill)

    killer = DeliveryKills(place, seed, tell)
    for kill in plan():
        if killer.at_boundary(kill):
            tally.reached.add((database, kill.whom, kill.boundary))
    part = "random"
    killer.at_random(kills - len(list(plan())))
    total.add(place, killer.drain())


def run(folder: Path, kills: int, seed: int) -> tuple[Tally, Total]:
    """Kill on one database after the other, each time on a new installation."""
    at_boundaries = len(DATABASES) * len(list(plan()))
    tally, total = Tally({"boundary": at_boundaries, "random": kills - at_boundaries}), Total()
    with running_postgres() as server:
        for number, database in enumerate(DATABASES):
            (folder / database).mkdir()
            url = server.new_database() if database == "postgresql" else ""
            with Site(folder / database, seed + number, url) as place:
                one_database(place, database, kills // len(DATABASES), seed + number, tally, total)
    return tally, total


def figures(tally: Tally, total: Total, seed: int) -> dict[str, Any]:
    """Return what the last line says."""
    wanted = {(database, kill.whom, kill.boundary) for database in DATABASES for kill in plan()}
    return {
        "kills": tally.done.total(),
        "lost": tally.broken[Kind.LOST],
        "duplicates": tally.broken[Kind.DUPLICATE],
        "stuck": tally.broken[Kind.STUCK],
        "boundaries": len(BOUNDARIES),
        "not_killed_at": sorted(" ".join(missing) for missing in wanted - tally.reached),
        "at_boundaries": tally.done["boundary"],
        "at_random": tally.done["random"],
        **total.counts,
        "most_at_once": total.most_at_once,
        "seed": seed,
        "minutes": round(sum(tally.spent_s.values()) / 60, 1),
    }


def is_proven(said: Mapping[str, Any]) -> bool:
    """Whether enough was killed, everywhere, with several objects under way at once, and nothing was broken."""
    broken = sum(said[promise] for promise in ("lost", "duplicates", "stuck")) + len(said["not_killed_at"])
    return said["kills"] >= KILLS and said["most_at_once"] > 1 and not broken


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.deliver", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="half on each database; with fewer it is no proof")
    add_seed(parser)
    given = parser.parse_args()
    prove(given.seed, lambda folder, seed: figures(*run(folder, given.kills, seed), seed), is_proven)


if __name__ == "__main__":
    main()
