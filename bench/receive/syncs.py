"""How often a receiver waits for the disk: its calls, counted by strace in a run that is not timed."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.receive.objects import Sent
from bench.receive.peers import AE_TITLE, Peer, running
from bench.receive.sender import send
from tests.peers import SYSTEM_PATH

_SYNCS: Final = re.compile(r"\b(fsync|fdatasync|sync_file_range|msync|pwritev2)\(")


def strace() -> str | None:
    """Return the path of strace, None where it is not installed."""
    return shutil.which("strace", path=SYSTEM_PATH)


@contextmanager
def counting(peer: Peer, folder: Path, program: str) -> Iterator[Callable[[Sequence[Sent]], Counter[str]]]:
    """Give what sends objects over one association, and returns how many calls of each kind waited for the disk."""
    trace = folder.with_suffix(".strace")
    calls = "trace=fsync,fdatasync,sync_file_range,msync,pwritev2"
    before = (program, "-f", "-qq", "--seccomp-bpf", "-e", calls, "-s", "0", "-o", str(trace))
    with running(peer, folder, before) as receiver, trace.open(encoding="ascii", errors="replace") as lines:

        def counted(objects: Sequence[Sent]) -> Counter[str]:
            lines.read()
            if send(receiver.port, AE_TITLE, objects, 1).stored != len(objects):
                raise SystemExit(f"{peer.name}: not every object was stored under strace")
            return Counter(name for line in lines if (name := _sync_of(line)))

        yield counted


def _sync_of(line: str) -> str:
    """Return the call that a line of strace tells of, empty if it did not wait: the rest of an interrupted one, too."""
    found = _SYNCS.search(line)
    if found is None or (found[1] == "pwritev2" and "RWF_DSYNC" not in line and "RWF_SYNC" not in line):
        return ""
    return found[1]
