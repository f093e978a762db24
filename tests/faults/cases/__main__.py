"""Random histories of patients: `python -m tests.faults.cases`. Ends with one line of JSON, and with 1 if one failed.

A history is a story lived through in three orders of its messages, some of them repeated; all must end the same.
"""

import argparse
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import structlog

from tests.faults.cases.oracle import Wrong
from tests.faults.cases.runner import Verdict, databases, minimal, story_of

HISTORIES: Final = 10_000
ON_SQL_EVERY: Final = 50  # one in so many is lived through on SQLite too
TELL_EVERY_S: Final = 30.0
SHOWN: Final = 5  # failing histories that are made small
NEEDED: Final = ("sent", "images_used", "facts_used")
LOOKED_AT: Final = ("answers", "sent", "images_used", "facts_used", "orders", "unknowable", "on_sqlite")


def run(first: int, count: int) -> Counter[str]:
    """Live through some histories and count."""
    total: Counter[str] = Counter()
    started = told = time.monotonic()
    for done, (seed, verdict) in enumerate(_verdicts(first, count, total), 1):
        total.update(verdict.looks)
        total.update({wrong.value: number for wrong, number in verdict.found.items()})
        if verdict.found:
            total["failing"] += 1
            print(f"history {seed} fails; --seed {seed} --count 1 repeats it", flush=True)
            print("; ".join(verdict.said), flush=True)
            if total["failing"] <= SHOWN:
                print(minimal(seed), flush=True)
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            left_min = (told - started) / done * (count - done) / 60
            print(f"[{done}/{count}, {left_min:.0f} min left] {total['failing']} fail", flush=True)
    return total


def _verdicts(first: int, count: int, total: Counter[str]) -> Iterator[tuple[int, Verdict]]:
    with databases() as on_sql:
        for seed in range(first, first + count):
            is_on_sql = seed % ON_SQL_EVERY == 0
            total["on_sqlite"] += is_on_sql
            yield seed, story_of(seed, on_sql if is_on_sql else None)


def figures(total: Counter[str], first: int, count: int, minutes: float) -> dict[str, Any]:
    """Return what the last line says."""
    return {
        "histories": count,
        **{wrong.value: total[wrong.value] for wrong in Wrong},
        **{name: total[name] for name in LOOKED_AT},
        "seed": first,
        "minutes": round(minutes, 1),
    }


def is_proven(said: dict[str, Any]) -> bool:
    """Whether nothing was wrong, and there was something to look at."""
    return not any(said[wrong.value] for wrong in Wrong) and all(said[name] > 0 for name in NEEDED)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first history")
    parser.add_argument("--count", type=int, default=HISTORIES, help="how many histories")
    given = parser.parse_args()
    started = time.monotonic()
    total = run(given.seed, given.count)
    said = figures(total, given.seed, given.count, (time.monotonic() - started) / 60)
    print(json.dumps(said))
    sys.exit((not is_proven(said) and given.count > 1) or any(said[wrong.value] for wrong in Wrong))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    main()
