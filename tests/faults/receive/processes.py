"""Receivers in processes of their own, as the trials see them, and strace on them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.faults.receive.sending import HOST
from tests.harness import free_port, wait_until
from tests.peers import ROOT, SYSTEM_PATH

START_S = 30.0


class Zygote:
    """What receivers are forked from. Its log is kept in the folder."""

    def __init__(self, folder: Path) -> None:
        with (folder / "receivers.log").open("ab") as log:  # over a pipe: some may not write to files that are long
            self._log = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.receive.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.stdin,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()  # its receivers die with it
        self._process.communicate()
        self._log.communicate()

    def __call__(self, order: str, *arguments: object) -> Any:
        """Have an order obeyed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([order, *arguments]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


class ReceiverProcess:
    """One receiver, at its gate until `go`.

    Attributes
    ----------
    port, hl7_port
        Where it listens.
    """

    def __init__(
        self, zygote: Zygote, place: Path, *, kill_at: str = "", planted: str = "", watermark: int = 0
    ) -> None:
        self.port, self.hl7_port = free_port(), free_port()
        self.exit_code: int | None = None
        self._zygote = zygote
        overrides = place / "overrides.yaml"
        overrides.write_text(yaml.safe_dump(self._config(place, watermark)), encoding="utf-8")
        self.pid: int = zygote("start", str(overrides), kill_at, planted)

    def _config(self, place: Path, watermark: int) -> dict[str, Any]:
        return {
            "dicom": {
                "port": self.port,
                "accept_from": "any",
                "peers": [{"ae_title": "SENDER", "host": HOST, "may": ["store", "echo", "commit"]}],
            },
            "hl7": {"port": self.hl7_port},
            "storage": {"spool": str(place / "spool"), "refuse_below_free_bytes": watermark},
            "operate": {"drain_s": 1},
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def go(self) -> None:
        """Let it run."""
        self._zygote("go", self.pid)

    def wait_listening(self) -> None:
        """Wait until it listens for images, or is dead."""
        wait_until(lambda: not self.is_alive() or self._listens(), START_S, "no receiver", every_s=0.005)

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._ended(0) is None

    def wait_dead(self, seconds: float) -> int | None:
        """Return how it ended, None if it is alive after so long."""
        return self._ended(seconds)

    def kill(self) -> None:
        """Kill -9; harmless if it is dead."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._ended(START_S)

    def threads(self) -> set[int]:
        """Return the ids of its threads."""
        with suppress(FileNotFoundError, ProcessLookupError):
            return {int(name) for name in os.listdir(f"/proc/{self.pid}/task")}
        return set()

    def _ended(self, seconds: float) -> int | None:
        if self.exit_code is None:
            self.exit_code = self._zygote("exit_code", self.pid, seconds)
        return self.exit_code

    def _listens(self) -> bool:
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((HOST, self.port)) == 0


def strace() -> str | None:
    """Return the path of strace, None where it is not installed."""
    return shutil.which("strace", path=SYSTEM_PATH)


class Injection:
    """strace on a receiver: lets the n-th call of each thread fail, or kills the process as it enters it.

    Parameters
    ----------
    pids
        Of a process, with all its threads and those that come, or (`alone`) of single threads.
    calls
        Names, separated by commas; each is counted on its own.
    fault
        "signal=SIGKILL" or "error=NAME".
    """

    def __init__(self, pids: set[int], calls: str, fault: str, when: int, trace: Path, *, alone: bool = False) -> None:
        self._trace = trace
        options = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}:when={when}", "-e", "signal=none"]
        targets = [word for pid in sorted(pids) for word in ("-p", str(pid))]
        command = [strace() or "strace", *([] if alone else ["-f"]), *options, "-s", "0", "-o", str(trace), *targets]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = [self._process.stderr.readline() for _ in pids]  # a thread may have ended meanwhile
        assert any(" attached" in line for line in said), f"strace: {said}"

    def end(self) -> bool:
        """Let go of the process; return whether a call failed."""
        self._process.terminate()
        self._process.communicate(timeout=START_S)
        return "(INJECTED)" in self._trace.read_text(encoding="ascii", errors="replace")


def wait_for_threads(receiver: ReceiverProcess, before: set[int]) -> set[int]:
    """Return the threads that are new, as soon as there are any."""
    deadline = time.monotonic() + START_S
    while not (new := receiver.threads() - before) and receiver.is_alive():
        assert time.monotonic() < deadline, "no thread for the association"
        time.sleep(0.001)
    return new
