"""Whether two objects show the same: decoded in a process of its own, with bounds, where nothing can come of it.

Run as ``python -m agent.dicom.same_pixels A B`` it exits with 0 where the pixels are the same and with 1 otherwise.
"""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from agent.core.errors import SentinodeError

TIMEOUT_S: Final = 120
MOST_MEMORY_BYTES: Final = 4 * 2**30


def same_pixels(first: bytes, second: bytes) -> bool:
    """Whether two Part 10 files decode to the same pixels, every frame. What cannot be decoded is never the same.

    Parameters
    ----------
    first, second
        The files.
    """
    with TemporaryDirectory(prefix="sentinode-") as folder:
        paths = [Path(folder) / name for name in ("first.dcm", "second.dcm")]
        for path, part10 in zip(paths, (first, second), strict=True):
            path.write_bytes(part10)
        command = [sys.executable, "-m", "agent.dicom.same_pixels", *map(str, paths)]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603 - our own module
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0


def main(first: str, second: str) -> int:
    """Compare two files in this process."""
    from agent.dicom.pixels import decode_all  # only here: the caller needs no codecs

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))
    try:
        pairs = zip(*(decode_all(Path(path).read_bytes()) for path in (first, second)), strict=True)
        return 0 if all(np.array_equal(one, other) for one, other in pairs) else 1
    except (SentinodeError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
