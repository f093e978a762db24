"""Run a command that the kernel ends when its parent dies, however that dies: `python demo/tethered.py COMMAND ...`."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` so; `preexec_fn` would do, but not beside threads."""
    return [sys.executable, __file__, *command]


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 the command of our own caller
