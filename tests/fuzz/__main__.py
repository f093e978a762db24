"""Fuzz every target, each for its share of the time: `python -m tests.fuzz --seconds 3600`; see `tests.fuzz.one`."""

import argparse
import importlib.util
import json
import random
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

_COUNTED = re.compile(r"number_of_executed_units: (\d+)|\"inputs\": (\d+)")


def main() -> int:
    """Run them one after the other; return 1 if one broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="of all targets together")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--plain", action="store_true", help="change at random, also where atheris is there")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for inputs that break a target")
    chosen = parser.parse_args()
    names = chosen.targets.split(",")
    is_guided = not chosen.plain and importlib.util.find_spec("atheris") is not None
    share = max(chosen.seconds // len(names), 1)
    tried, broken = {}, []
    for name in names:
        print(f"{name}: {share} s, seed {chosen.seed}{', guided' if is_guided else ''} ...", flush=True)
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.one",
            name,
            str(share),
            str(chosen.seed),
            str(chosen.folder / name),
        ]
        ended = subprocess.run(command + ([] if is_guided else ["plain"]), capture_output=True, text=True, check=False)
        said = ended.stdout + ended.stderr
        tried[name] = sum(int(one or other) for one, other in _COUNTED.findall(said))
        if ended.returncode:
            broken.append(name)
            print(said[-4000:], file=sys.stderr)
        print(f"{name}: {tried[name]:,} inputs{', BROKEN' if ended.returncode else ''}", flush=True)
    figures = {
        "inputs": {"value": sum(tried.values()), "bound": None, "holds": True},
        "broken": {"value": len(broken), "bound": 0, "holds": not broken},
    }
    print(
        json.dumps({"name": "fuzz", "guided": is_guided, "seed": chosen.seed, "figures": figures, "holds": not broken})
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
