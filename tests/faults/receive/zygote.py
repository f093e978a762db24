"""Starts receivers at once: `python -m tests.faults.receive.zygote`, one order a line of JSON, one answer.

A receiver is what `sentinode serve` forks as one, with everything imported, in a process group of its own. It waits at
a gate until it is let go, so that somebody can watch it from its first call.
"""

import ctypes
import json
import os
import sys
from contextlib import nullcontext, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import agent.bootstrap.receiver
import agent.crashpoint
from agent import serve
from agent.bootstrap.common import Stop
from agent.bootstrap.process import fork
from agent.bootstrap.receiver import run_receiver
from agent.config import Config, load_config
from agent.spool import Disk, SpoolWriter
from tests.faults.receive.ledger import SEGMENT_BYTES
from tests.faults.receive.lying_disks import PLANTED
from tests.faults.receive.used_anew import keeps_generation
from tests.peers import ROOT

_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


def _receive(gate: int, kill_at: str, planted: str, config: Config) -> None:
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY)  # strace is no parent of ours
    forced: dict[str, Any] = {"segment_bytes": SEGMENT_BYTES}
    if planted in PLANTED:
        forced["disk"] = PLANTED[planted](Disk())
    vars(agent.bootstrap.receiver)["SpoolWriter"] = lambda *given, **named: SpoolWriter(*given, **(named | forced))
    agent.crashpoint._KILL_AT = kill_at  # type: ignore[misc]
    stop = Stop()
    stop.listen()
    with suppress(OSError):
        os.read(gate, 1)
    with keeps_generation() if planted == keeps_generation.__name__ else nullcontext():
        serve._run(run_receiver, "receiver", config, stop)


class _Zygote:
    def __init__(self) -> None:
        self._children: dict[int, tuple[BaseProcess, int]] = {}

    def start(self, overrides: str, kill_at: str, planted: str) -> int:
        """Fork a receiver; return its process id."""
        config = load_config(ROOT / "config.yaml", [Path(overrides)]).config
        waits, opens = os.pipe()
        process = fork("receiver", _receive, waits, kill_at, planted, config)
        os.close(waits)
        assert process.pid
        self._children[process.pid] = process, opens
        return process.pid

    def go(self, pid: int) -> None:
        """Open the gate."""
        os.write(self._children[pid][1], b"!")

    def exit_code(self, pid: int, seconds: float) -> int | None:
        """Return how it ended, None if it is alive; what ended is forgotten."""
        process, gate = self._children[pid]
        process.join(seconds)
        code = process.exitcode
        if code is not None:
            os.close(gate)
            process.close()
            del self._children[pid]
        return code


def main() -> None:
    """Obey until the input ends."""
    zygote = _Zygote()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(zygote, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
