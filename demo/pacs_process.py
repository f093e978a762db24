"""A PACS as a process of the demo: started, found answering, ended, whatever became of the one before."""

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from demo.tethered import tethered

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
INSTANCE = tuple[str, str, str, str]  # SOP class, SOP instance, study, series
Peers = Mapping[str, tuple[str, int]]  # AE title -> host, port


class PacsError(RuntimeError):
    """The PACS could not be started; the message says what to do."""


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def check_free(port: int) -> None:
    """Raise PacsError if a port is taken."""
    if not is_free(port):
        raise PacsError(f"port {port} on {LOOPBACK} is in use; end what listens there and run again")


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " not in stat.read_text()


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def end_left_behind(folder: Path) -> None:
    """End the process named in a folder's pid file, if its command line still names the folder."""
    pid_file = folder.resolve() / "pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    command_line = Path(f"/proc/{pid}/cmdline")
    if command_line.exists() and str(folder.resolve()).encode() in command_line.read_bytes():
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: not _runs(pid), 10)
    pid_file.unlink()


class Pacs(ABC):
    """A PACS in a process of its own, on loopback, with everything it keeps below `folder`.

    The process does not get the terminal's Ctrl-C. A predecessor that was left behind in the same folder
    (its parent was killed) is ended first; no other process is ever touched.

    Parameters
    ----------
    folder : Path
        State folder, made if missing.
    ae_title, port
        Its AE title and DICOM port.
    peers : mapping of AE title to (host, port)
        Who may talk to it, and where commitment reports and routed studies go.
    """

    kind = ""

    def __init__(self, folder: Path, ae_title: str, port: int, peers: Peers) -> None:
        self.folder, self.ae_title, self.port, self.peers = folder.resolve(), ae_title, port, dict(peers)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it answers; what it stored before is there again.

        Raises
        ------
        PacsError
            If its port is taken or it does not come up.
        """
        end_left_behind(self.folder)
        _wait_until(lambda: is_free(self.port), 5)  # a killed process may close its sockets a moment after it is gone
        check_free(self.port)
        with (self.folder / "pacs.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                tethered(self._command()),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(self._process.pid))
        with ExitStack() as undo:
            undo.callback(self.kill)  # also when the wait is interrupted
            self._wait_until_it_answers(self._process)
            undo.pop_all()

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + 30
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise PacsError(f"{self.kind} did not come up; see {self.folder / 'pacs.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order; harmless when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None
        (self.folder / "pid").unlink(missing_ok=True)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> "Pacs":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line that serves in the foreground; it names the folder."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it can be used."""

    @abstractmethod
    def store(self, files: Sequence[bytes]) -> None:
        """Store Part 10 files. Raises OSError if one is not taken."""

    @abstractmethod
    def route(self, uid: str, to_ae_title: str) -> None:
        """C-STORE every object of a stored study or series to a peer, as a routing rule would. Raises OSError."""

    @abstractmethod
    def instances(self) -> list[INSTANCE]:
        """Return (SOP class, SOP instance, study, series) of everything stored."""

    @abstractmethod
    def fetch(self, sop_instance_uid: str) -> bytes:
        """Return the Part 10 file of one instance. Raises KeyError."""
