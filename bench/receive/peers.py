"""The receivers that are compared: how each is started on a port and an empty folder, and ended."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.harness import free_port
from tests.peers import ROOT, SYSTEM_PATH

START_S: Final = 60.0
STARTS: Final = 3
AE_TITLE: Final = "SENTINODE"
PDU_BYTES: Final = 131072


class NoStart(Exception):
    """A receiver that does not come up."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A receiver: its name, the command that starts it, what Debian calls it, and which of its processes receives.

    Attributes
    ----------
    command
        Given the port and the folder.
    package
        Empty for our own.
    is_child
        Whether a child of the started process receives; else it, with all of its children.
    """

    name: str
    command: Callable[[int, Path], list[str]]
    package: str = ""
    is_child: bool = False

    @property
    def is_here(self) -> bool:
        """Whether its program is installed."""
        return not self.package or shutil.which(self.command(0, Path("/"))[0], path=SYSTEM_PATH) is not None


@dataclass(frozen=True, slots=True)
class Running:
    """A receiver that listens: the process that was started, and the one that receives."""

    port: int
    started: int
    receives: int


def spool_of(folder: Path) -> Path:
    """Return where the agent keeps what it received."""
    return folder / "spool"


def _agent(port: int, folder: Path) -> list[str]:
    overrides = folder / "overrides.yaml"
    storage = {"spool": str(spool_of(folder)), "spool_bytes": "16GiB", "refuse_below_free_bytes": 0}
    dicom = {"ae_title": AE_TITLE, "port": port, "accept_from": "any", "max_pdu_bytes": PDU_BYTES}
    overrides.write_text(yaml.safe_dump({"dicom": dicom, "storage": storage, "operate": {"drain_s": 5}}))
    files = ["--config", str(ROOT / "config.yaml"), "--overrides", str(overrides)]
    return [sys.executable, "-m", "bench.receive.alone", "serve", *files]


def _storescp(port: int, folder: Path) -> list[str]:
    return ["storescp", "--max-pdu", str(PDU_BYTES), "--output-directory", str(folder), str(port)]


def _forking_storescp(port: int, folder: Path) -> list[str]:
    return [*_storescp(port, folder)[:-1], "--fork", str(port)]


def _orthanc(port: int, folder: Path) -> list[str]:
    if port:
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [],
            "HttpServerEnabled": False,
            "DicomPort": port,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True,
            "MaximumPduLength": PDU_BYTES,
        }  # all else as it comes: SyncStorageArea is true
        (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    return ["Orthanc", str(folder / "orthanc.json")]


AGENT: Final = Peer("sentinode", _agent, is_child=True)
STORESCP: Final = Peer("storescp", _storescp, "dcmtk")
FORKING: Final = Peer("storescp --fork", _forking_storescp, "dcmtk")
ORTHANC: Final = Peer("orthanc", _orthanc, "orthanc")
PEERS: Final = (AGENT, STORESCP, FORKING, ORTHANC)


@contextmanager
def running(peer: Peer, folder: Path, before: tuple[str, ...] = ()) -> Iterator[Running]:
    """Give a receiver that listens, on a new folder; `before` stands before its command.

    Raises
    ------
    NoStart
        If it does not come up.
    """
    folder.mkdir(parents=True)
    process, port = _started(peer, folder, before)
    try:
        receives = children(process.pid)[-1] if peer.is_child else process.pid
        yield Running(port, process.pid, receives)
    finally:
        _end(process)


def _started(peer: Peer, folder: Path, before: tuple[str, ...]) -> "tuple[subprocess.Popen[bytes], int]":
    """Start it, on another port where it does not come up: somebody may have taken the first one meanwhile."""
    for _ in range(STARTS):
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - the receivers above
                [*before, *peer.command(port, folder)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PATH": f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}"},
            )
        if _listens(process, port):
            return process, port
        _end(process)
    told = (folder / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
    raise NoStart(f"{peer.name} does not listen: {' '.join(told) or 'it says nothing'}")


def children(pid: int) -> list[int]:
    """Return the children of a process; none once it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until it does, or ended."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process.poll() is None
        time.sleep(0.05)
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the session that was started, and nothing else."""
    for number, patience_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
