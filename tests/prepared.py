"""Programs without their imports: a process that has the agent's modules forks one that runs `python -m MODULE ...`.

The child is what a new interpreter would be: its own session where asked, its environment, arguments, output and exit
code; `agent.crashpoint`, which reads the environment when it is imported, reads it again. The agent's supervisor forks
its own children from just these modules. What tests the start itself starts a new interpreter.
"""

import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from tests.peers import ROOT

_NUMBER: Final = struct.Struct("q")
_LONGEST: Final = 1 << 17
IMPORTED: Final = ("agent.cli", "agent.serve", "agent.bootstrap.checks", "agent.bootstrap.inspect", "agent.crashpoint")


class Running:
    """A program that was forked, with as much of `subprocess.Popen` as tests use."""

    def __init__(self, status: int) -> None:
        self._status, self.returncode = status, None
        weakref.finalize(self, os.close, status)
        self.returncode: int | None
        self.pid = self._read()

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises
        ------
        subprocess.TimeoutExpired
            If it has not ended after so many seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def terminate(self) -> None:
        """SIGTERM; harmless if it has ended."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; harmless if it has ended."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = self._read()
        return self.returncode

    def _read(self) -> int:
        said = os.read(self._status, _NUMBER.size)
        assert said, "the process that forks programs is gone"
        return int(_NUMBER.unpack(said)[0])


class Forks:
    """What forks programs, started when the first is wanted."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        module: str,
        words: Sequence[str],
        out: int,
        err: int,
        env: Mapping[str, str],
        *,
        session: bool = False,
    ) -> Running:
        """Run a module as `python -m` does, in ROOT. `out` and `err` are file descriptors."""
        control = self._control or self._start()
        status, told = os.pipe()
        order = {"module": module, "words": list(words), "env": dict(env), "session": session}
        socket.send_fds(control, [json.dumps(order).encode()], [out, err, told])
        os.close(told)
        return Running(status)

    def close(self) -> None:
        """End it, and what runs with it."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(60)

    def _start(self) -> socket.socket:
        self._control, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.prepared", str(there.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
            start_new_session=True,
        )
        there.close()
        return self._control


FORKS: Final[list[Forks]] = []
"""The one that is in use, if any: while pytest runs. The commands that kill for hours start interpreters."""


@contextmanager
def forking() -> Iterator[None]:
    """Let the harness fork programs meanwhile."""
    made = Forks()
    FORKS.append(made)
    try:
        yield
    finally:
        FORKS.remove(made)
        made.close()


class _Server:
    """Forks a child for each order, and tells of its end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def child(self) -> Mapping[str, Any]:
        """Obey until there is nobody to order; return in each child alone, with what it shall run."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if (order := self._forked()) is not None:
                        return order
                else:
                    self._bury(key)

    def _forked(self) -> Mapping[str, Any] | None:
        message, fds, _, _ = socket.recv_fds(self._control, _LONGEST, 3)
        if not message:
            self._end()
        pid = os.fork()
        if not pid:
            os.dup2(fds[0], 1)
            os.dup2(fds[1], 2)
            self._forget(fds)
            order: Mapping[str, Any] = json.loads(message)
            return order
        out, err, told = fds
        os.close(out)
        os.close(err)
        self._tell(told, pid)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, told))
        return None

    def _end(self) -> NoReturn:
        """Let nothing run on for which nobody is there."""
        for key in list(self._selector.get_map().values()):
            if key.data:
                signal.pidfd_send_signal(key.fd, signal.SIGKILL)
        sys.exit()

    def _bury(self, key: selectors.SelectorKey) -> None:
        pid, told = key.data
        self._selector.unregister(key.fileobj)
        os.close(key.fd)
        self._tell(told, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.close(told)

    def _tell(self, told: int, number: int) -> None:
        try:
            os.write(told, _NUMBER.pack(number))
        except BrokenPipeError:  # nobody wants to know any more
            return

    def _forget(self, fds: Sequence[int]) -> None:
        """Let a child keep nothing of ours."""
        others = [fd for key in self._selector.get_map().values() if key.data for fd in (key.fd, key.data[1])]
        self._selector.close()
        self._control.close()
        for fd in (*fds, *others):
            os.close(fd)


def main() -> NoReturn:
    """Import what the agent does before it serves, and fork."""
    for name in IMPORTED:
        importlib.import_module(name)
    from agent.bootstrap import roles

    roles.preload()
    order = _Server(socket.socket(fileno=int(sys.argv[1]))).child()
    if order["session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(order["env"])
    importlib.reload(importlib.import_module("agent.crashpoint"))
    sys.argv = [order["module"], *order["words"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    main()
