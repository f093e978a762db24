"""A process tree of two: one that dies at once, again and again, and a steady one.

`python -m tests.fakes.tree <config.yaml> <file>`: every start appends "<name> <pid> <monotonic seconds>" to the file.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path

from agent.bootstrap.common import Stop
from agent.config import Config, load_config
from agent.serve import serve


def note(path: Path, name: str) -> None:
    """Append one start to the file."""
    with path.open("a", encoding="ascii") as starts:
        starts.write(f"{name} {os.getpid()} {time.monotonic()}\n")


def crasher(path: Path, _config: Config, _stop: Stop) -> None:
    """Die at once, of an error that nobody expected."""
    note(path, "crasher")
    raise RuntimeError(os.environ["CANARY"])


def steady(path: Path, _config: Config, stop: Stop) -> None:
    """Run until asked to stop."""
    note(path, "steady")
    stop.wait_for_ever()


if __name__ == "__main__":
    requested = Stop()
    requested.listen()
    starts_path = Path(sys.argv[2])
    roles = {"crasher": partial(crasher, starts_path), "steady": partial(steady, starts_path)}
    sys.exit(serve(load_config(Path(sys.argv[1]), []).config, roles, requested))
