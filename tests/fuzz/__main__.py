"""Fuzz every target, each for its share of the time: `python -m tests.fuzz --seconds 3600`; see `tests.fuzz.one`."""

import argparse
import importlib
import json
import logging
import multiprocessing
import os
import random
import re
import sys
from pathlib import Path
from typing import Any

import structlog

from tests.fuzz import one

_COUNTED = re.compile(r"number_of_executed_units: (\d+)|\"inputs\": (\d+)")


def main() -> int:
    """Run them one after the other; return 1 if one broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="of all targets together")
    parser.add_argument("--targets", help="some of them, with commas between")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--plain", action="store_true", help="change at random, also where atheris is there")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for inputs that break a target")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    guide = None if chosen.plain else _atheris()
    targets = one.load(guide)
    names = chosen.targets.split(",") if chosen.targets else list(targets)
    share = max(chosen.seconds // len(names), 1)
    tried, broken = {}, []
    for name in names:
        print(f"{name}: {share} s, seed {chosen.seed}{', guided' if guide else ''} ...", flush=True)
        code, said = _apart(chosen.folder / name, targets[name], share, chosen.seed, guide)
        tried[name] = sum(int(one or other) for one, other in _COUNTED.findall(said))
        if code:
            broken.append(name)
            print(said[-4000:], file=sys.stderr)
        print(f"{name}: {tried[name]:,} inputs{', BROKEN' if code else ''}", flush=True)
    figures = {
        "inputs": {"value": sum(tried.values()), "bound": None, "holds": True},
        "broken": {"value": len(broken), "bound": 0, "holds": not broken},
    }
    said = {"name": "fuzz", "guided": guide is not None, "seed": chosen.seed, "tried": tried}
    print(json.dumps(said | {"figures": figures, "holds": not broken}))
    return 1 if broken else 0


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        return None


def _apart(folder: Path, *fuzzed: Any) -> tuple[int, str]:
    """Fuzz in a process that is forked for it, for it may die of it; return its exit code and what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / "log"
    child = multiprocessing.get_context("fork").Process(target=_fuzz_into, args=(said, folder, *fuzzed))
    child.start()
    child.join()
    return child.exitcode or 0, said.read_text("utf-8", "replace")


def _fuzz_into(said: Path, folder: Path, *fuzzed: Any) -> None:
    fd = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(fd, stream)
    one.fuzz(folder, *fuzzed)


if __name__ == "__main__":
    sys.exit(main())
