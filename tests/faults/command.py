"""What the commands that kill have in common: a seed, a folder, an end in order, and one line of JSON."""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tests.postgres import PostgresMissing

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the option that repeats a run."""
    parser.add_argument("--seed", type=int, default=None, help="of the random ones; another one each time if left out")


def prove(
    seed: int | None, run: Callable[[Path, int], dict[str, Any]], is_proven: Callable[[Mapping[str, Any]], bool]
) -> NoReturn:
    """Run in a new folder, which is kept unless all was proven, and exit: 0 if so.

    `run` is given the folder and the seed, and returns what the last line says.
    """
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, interrupt)
    folder = Path(tempfile.mkdtemp(prefix="sentinode-faults-"))
    print(f"seed {seed}; logs, spools and databases are in {folder}", flush=True)
    try:
        said = run(folder, seed)
    except PostgresMissing as missing:
        folder.rmdir()
        sys.exit(str(missing))
    except KeyboardInterrupt:
        print(f"interrupted; what was started is stopped, {folder} is kept", flush=True)
        sys.exit(INTERRUPTED)
    proven = is_proven(said)
    if proven:
        shutil.rmtree(folder)
    else:
        print(f"not proven: {folder} is kept; SEED={seed} makes the same random choices", flush=True)
    print(json.dumps(said))
    sys.exit(not proven)


def interrupt(*_: object) -> None:
    """End in order: what was started is stopped meanwhile, and no second signal disturbs that."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
