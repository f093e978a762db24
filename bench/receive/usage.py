"""What a receiver costs: processor, memory and bytes written, of all its processes together, as /proc tells."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.receive.peers import Running, children

LOOK_EVERY_S: Final = 0.05
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Watch:
    """Watches a receiver while objects are sent to it.

    Attributes
    ----------
    cpu_s
        User and system time, of ended children too.
    rss_mib
        The most memory that its processes held together; of the agent the supervisor's is not in it.
    written_bytes
        What it caused to be written to a disk. What ended children wrote is not in it.
    """

    def __init__(self, receiver: Running) -> None:
        self._receiver = receiver
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.cpu_s = self.rss_mib = 0.0
        self.written_bytes = 0

    def __enter__(self) -> Self:
        self._cpu_before, self._written_before = _cpu_s(self._receiver.started), _written(self._receiver.started)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.cpu_s = _cpu_s(self._receiver.started) - self._cpu_before
        self.written_bytes = _written(self._receiver.started) - self._written_before

    def _look(self) -> None:
        while True:
            self.rss_mib = max(self.rss_mib, sum(map(rss_mib, _tree(self._receiver.receives))))
            if self._ended.wait(LOOK_EVERY_S):
                return


def rss_mib(pid: int) -> float:
    """Return the memory that one process holds, what it shares with others included."""
    return int(_field(pid, "status", "VmRSS", "0 kB").split()[0]) / 1024


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        found += children(one)
    return found


def _cpu_s(pid: int) -> float:
    ticks = 0
    for one in _tree(pid):
        words = _read(one, "stat").rpartition(")")[2].split()
        ticks += sum(map(int, words[11:15]))  # utime, stime, cutime, cstime
    return ticks / _TICKS


def _written(pid: int) -> int:
    return sum(int(_field(one, "io", "write_bytes", "0")) for one in _tree(pid))


def _field(pid: int, file: str, name: str, default: str) -> str:
    lines = (line.partition(":") for line in _read(pid, file).splitlines())
    return next((value.strip() for key, _, value in lines if key == name), default)


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is another user's
        return ""
