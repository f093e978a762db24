"""python -m bench.assemble [--database sqlite|postgresql|both] [--explain]: what indexing and waiting cost, and growth.

The agent's own spool, header reader, indexer, assembler and database, with synthetic images and, for growth, a history
of finished cases. What is compared is sampled in turns, at a site with that history and at an empty one. The last line
is JSON; figures that fall short make it exit with 1.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog

from agent.core.case import CaseEvent
from agent.state.overview import overview
from agent.state.stories import list_cases
from bench.figures import Samples, quantile, rounded
from bench.history import LATER, History, fill
from bench.objects import Image
from bench.plans import watched
from bench.site import QUIET, START, Site

LEAST_PER_S: Final = 1000.0
MOST_TICK_MS: Final = 50.0
MOST_GROWTH: Final = 2.0
TICK: Final = timedelta(seconds=0.5)  # as often as the keeper looks at the cases
LISTED: Final = 50  # cases on the status page
DEFAULT_REFRESH_S: Final = 4 * 3600.0
NewUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    history: History
    index: int  # instances of each stream
    samples: int
    ticks: int
    refresh: timedelta


def bench(folder: Path, new_url: NewUrl, plan: Plan, *, explain: bool) -> dict[str, Any]:
    """Measure one sort of database; times that are compared are sampled in turns."""
    found = {"index": index_figures(folder, new_url, plan.index)}
    with ExitStack() as opened:
        empty, full = (Site(folder / name, new_url(name), plan.refresh) for name in ("empty", "full"))
        opened.callback(empty.close)
        opened.callback(full.close)
        fill(full, plan.history, say)
        plans = opened.enter_context(watched(full.store, is_on=explain))
        found["growth"] = growth_figures(empty, full, plan.samples)
        found["tick"] = tick_figures(full, plan.ticks)
        plans.print()
    growth = {name: figures["ratio_p95"] for name, figures in found["growth"].items()}
    return {
        "index_instances_per_s": found["index"]["mammography"]["instances_per_s"],
        "tick_p95_ms": found["tick"]["p95_ms"],
        "claim_p95_ms": found["growth"]["claim"]["p95_ms"],
        "status_p95_ms": found["growth"]["status"]["p95_ms"],
        "growth_p95_ratio": max(growth.values()),
        **found,
    }


def streams(count: int) -> dict[str, tuple[int, Callable[[Site], None]]]:
    """By name, what arrives: how many images, and how."""

    def mammography(site: Site) -> None:
        for patient in range(count // 4):
            site.receive(Image("MG", patient, 4 * patient + k, patient) for k in range(4))

    def one_mri(site: Site) -> None:
        site.receive(Image("MR", 1, n, 1, n // 200) for n in range(count // 2))

    def large(site: Site) -> None:
        site.receive(Image("MR", 1, n, 1, n // 200, side_px=512) for n in range(count // 20))

    return {
        "mammography": (count // 4 * 4, mammography),
        "one_mri": (count // 2, one_mri),
        "half_mib_images": (count // 20, large),
    }


def index_figures(folder: Path, new_url: NewUrl, count: int) -> dict[str, Any]:
    """Index streams of images as fast as it goes: four views a patient, one long MRI, images of half a MiB."""
    found = {}
    for name, (images, send) in streams(count).items():
        site = Site(folder / name, new_url(name), timedelta(hours=4))
        try:
            send(site)
            found[name] = _indexed(site, images)
        finally:
            site.close()
        say(f"{name}, instances a second", round(found[name]["instances_per_s"]), None)
    return found


def _indexed(site: Site, images: int) -> dict[str, float]:
    """Take everything in. The speed at the beginning and the end tell whether an image costs more in a big case."""
    started, worked, ticks = time.perf_counter(), time.process_time(), []
    while True:
        before = time.perf_counter()
        taken = site.indexer.tick()
        if not taken:
            break
        ticks.append(taken / (time.perf_counter() - before))
    took = time.perf_counter() - started
    some = max(1, len(ticks) // 4)
    return {
        "instances": images,
        "instances_per_s": rounded(images / took),
        "cpu_ms_each": rounded((time.process_time() - worked) / images * 1000),
        "slowdown": rounded((sum(ticks[:some]) / some) / (sum(ticks[-some:]) / some)),
    }


def growth_figures(empty: Site, full: Site, samples: int) -> dict[str, Any]:
    """Sample each operation in turns at both sites, on the same new patients."""
    found = {name: Samples() for name in ("index", "status", "tick", "claim")}
    for n in range(samples):
        say("samples", n + 1, samples)
        for site in (empty, full) if n % 2 else (full, empty):
            for name, took_ms in _sampled(site, n):
                (found[name].full if site is full else found[name].empty).append(took_ms)
    return {name: one.figures() for name, one in found.items()}


def _sampled(site: Site, n: int) -> Iterator[tuple[str, float]]:
    """Take in four patients, show the status page, look at the four cases, give the one that is ready to a worker."""
    site.clock.time = START  # so that only the new cases are due: those that wait are measured by themselves
    patients = range(4 * n, 4 * n + 4)
    for patient in patients:
        site.receive(Image("MG", patient, 4 * patient + k, patient) for k in range(4))
    site.diagnose(patients[:1], "invasive")
    site.diagnose(patients[1:], "benign")
    yield "index", timed(site.indexer.tick)
    yield "status", timed(lambda: look(site))
    site.clock.forward(QUIET + timedelta(seconds=1))
    yield "tick", timed(site.assembler.tick)
    yield "claim", timed(lambda: claim(site))
    _finish(site)


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, ms."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def look(site: Site) -> None:
    """Read what the status page shows."""
    with site.store.reading() as db:
        overview(db)
        list_cases(db, None, LISTED)


def claim(site: Site) -> None:
    """Let a worker take the case that waits longest."""
    with site.store.unit() as unit:
        unit.claim(site.clock(), site.clock() + timedelta(hours=1), "bench")


def _finish(site: Site) -> None:
    """Answer whatever is claimed, so that nothing piles up."""
    with site.store.unit() as unit:
        for case in unit.leases_of("bench"):
            saved = unit.save_result(case, site.clock(), {}, {})
            unit.apply(saved, CaseEvent.ALL_CONFIRMED, site.clock())


def tick_figures(site: Site, ticks: int) -> dict[str, Any]:
    """Look at the cases that are due, tick after tick: each of them once in a refresh interval."""
    site.clock.time = LATER
    took, done = [], 0
    for n in range(ticks):
        say("ticks", n + 1, ticks)
        site.clock.forward(TICK)
        started = time.perf_counter()
        done += site.assembler.tick()
        took.append((time.perf_counter() - started) * 1000)
    return {
        "ticks": ticks,
        "cases_per_tick": rounded(done / ticks),
        "refresh_s": site.refresh.total_seconds(),
        "median_ms": rounded(quantile(took, 50)),
        "p95_ms": rounded(quantile(took, 95)),
        "ms_per_case": rounded(sum(took) / max(1, done)),
    }


def say(what: str, done: int, of: int | None) -> None:
    """Show progress on the terminal, and a finished step also in a log."""
    if of is None:
        print(f"{what}: {done:,}", file=sys.stderr)
    elif sys.stderr.isatty():
        print(f"\r{what}: {done:,} of {of:,}", end="\n" if done == of else "", file=sys.stderr)
    elif done == of:
        print(f"{what}: {of:,}", file=sys.stderr)


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[NewUrl]:
    """Make databases of a sort: SQLite files in the folder, or those of a PostgreSQL server of our own."""
    if kind == "sqlite":
        yield lambda name: f"sqlite:///{folder / name}.db"
        return
    from tests.postgres import running_postgres

    with running_postgres(durable=True) as server:
        yield lambda _: server.new_database()


def is_enough(found: Mapping[str, Any]) -> bool:
    """Whether the figures are those that must hold."""
    return bool(
        found["index_instances_per_s"] >= LEAST_PER_S
        and found["tick_p95_ms"] <= MOST_TICK_MS
        and found["growth_p95_ratio"] <= MOST_GROWTH
    )


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """Say the figures in lines."""
    for name, one in found["index"].items():
        yield f"index {name:<18} {one['instances_per_s']:8.0f} /s   {one['cpu_ms_each']:.2f} ms CPU each"
    for name, one in found["growth"].items():
        spread = f"{one['ratio_p95_low']:.2f} to {one['ratio_p95_high']:.2f}"
        yield f"{name:<8} p95 {one['p95_ms']:8.2f} ms   {one['ratio_p95']:.2f} x that of an empty database ({spread})"
    tick = found["tick"]
    yield f"tick     p95 {tick['p95_ms']:8.2f} ms   {tick['cases_per_tick']:.1f} cases each ({tick['refresh_s']:.0f} s)"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.assemble", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="sqlite")
    parser.add_argument("--explain", action="store_true", help="print statements that read whole tables")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where databases and spool are made")
    for name, default in (("finished", 100_000), ("instances", 1_000_000), ("waiting", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("index", 10_000), ("samples", 300), ("ticks", 600)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--refresh-s", type=float, default=DEFAULT_REFRESH_S, help="ehr.refresh_s")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    given = _arguments()
    history = History(given.finished, given.instances, given.waiting)
    plan = Plan(history, given.index, given.samples, given.ticks, timedelta(seconds=given.refresh_s))
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    given.folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for kind in kinds:
        with TemporaryDirectory(prefix="bench-", dir=given.folder) as place, databases(kind, Path(place)) as new_url:
            found[kind] = bench(Path(place), new_url, plan, explain=given.explain)
        print(kind, *table(found[kind]), sep="\n  ")
    first = {**found[kinds[0]], "database": kinds[0], **asdict(history), "load": os.getloadavg()[0]}
    print(json.dumps({**first, **{kind: found[kind] for kind in kinds[1:]}}))
    sys.exit(0 if is_enough(first) else 1)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    main()
