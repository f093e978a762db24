"""The agent as a tree of processes that are killed: who lives, and kills that are known to have taken effect."""

import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.harness import AgentProcess

AT_ONCE_S = 10.0
_PROC = Path("/proc")


class Tree(AgentProcess):
    """An agent of which single processes are killed."""

    def living(self) -> dict[str, int]:
        """Process ids of the living supervisor's living children by role. One that is being started may be missing."""
        if self._process is None or not self.is_running:
            return {}
        roles = self._roles()
        return {roles[pid]: pid for pid in _children(self._process.pid) if pid in roles}

    def kill_one(self, role: str) -> bool:
        """Kill -9 the living process of a role, and wait until it is dead; False if there is none to kill."""
        pid = self.living().get(role)
        if pid is None:
            return False
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if self.living().get(role) != pid:  # it died before it was held: the id may be another's
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return bool(select.select([handle], [], [], AT_ONCE_S)[0])
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)

    def kill_all(self, *, supervisor_alone: bool = False) -> bool:
        """Kill -9 the whole tree, or the supervisor, which takes the tree with it; False if it was dead already."""
        was_running = self.is_running
        if supervisor_alone:
            self.kill_supervisor()
        else:
            self.kill()
        return was_running

    def _roles(self) -> dict[int, str]:
        """Role by process id, of all that were ever started: the log tells, and a line of it may be half written."""
        roles = {}
        for line in self.log().splitlines():
            if '"process_started"' in line:
                with suppress(ValueError):
                    started = json.loads(line)
                    roles[started["pid"]] = started["worker"]
        return roles


def _children(parent: int) -> Iterator[int]:
    """Yield the living children of a process (proc(5): the state and the parent follow the name in parentheses)."""
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state, of = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        if int(of) == parent and state not in "ZX":
            yield int(entry.name)
