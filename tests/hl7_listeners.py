"""A running HL7 listener, as the tests see it."""

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.core.ports import Record, RecordKind
from agent.receive import Hl7Listener, Hl7Rules
from agent.spool import SpoolReader
from tests.hl7_sender import adt_a40

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOST = "127.0.0.1"
RULES = Hl7Rules(issuers={"HOSP": "EXAMPLE"})
MERGE = adt_a40(("P2^^^HOSP^MR", "P1^^^HOSP^MR"))


class Disk:
    """What syncs files: it can fail, or wait until it is let go."""

    def __init__(self) -> None:
        self.fails = False
        self.goes = threading.Event()
        self.goes.set()
        self.waiting = threading.Semaphore(0)

    def sync(self, fd: int) -> None:
        """Say that it is at work, and go on when it may."""
        self.waiting.release()
        assert self.goes.wait(20)
        if self.fails:
            raise OSError(5, "told to")
        os.fdatasync(fd)


@dataclass
class Listening:
    """A listener and the spool behind it."""

    listener: Hl7Listener
    folder: Path
    disk: Disk

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.listener.port

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection((HOST, self.port), timeout=20)

    def records(self) -> list[Record]:
        """Return the HL7 messages in the spool."""
        return [record for record in SpoolReader(self.folder).after({}) if record.kind is RecordKind.HL7]


Start = Callable[..., Listening]


def closed(connection: socket.socket) -> bool:
    """Tell whether the other side closes without sending anything."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
