"""What dciodvfy says of every object that came back, where it is installed."""

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from demo.outcome import Outcome

PROGRAM: Final = "dciodvfy"  # of Debian's package dicom3tools
AT_A_TIME: Final = 4
ENDS_WITHIN_S: Final = 60


def validated(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes with the errors of each object; as they are where the program is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        return list(outcomes)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return [
            replace(one, invalid=dict(pool.map(lambda path: (path, errors(program, path)), _paths(one))))
            for one in outcomes
        ]


def errors(program: str, path: Path) -> list[str]:
    """Return the lines in which dciodvfy tells an error, or that it failed without one."""
    done = subprocess.run(  # noqa: S603 - a program of the machine, on a file of ours
        [program, "-new", str(path)], capture_output=True, text=True, errors="replace", timeout=ENDS_WITHIN_S
    )
    found = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    return found or ([f"it ended with {done.returncode}"] if done.returncode else [])


def _paths(outcome: Outcome) -> list[Path]:
    return [one.path for version in outcome.versions for one in version.everything]
