"""A running receiver, as the tests see it."""

import time
from dataclasses import dataclass
from pathlib import Path

from agent.core.ports import Record, RecordKind
from agent.receive import Peer, Receiver, ReceiverSettings
from agent.spool import SpoolReader, SpoolWriter

SETTINGS = ReceiverSettings(
    ae_title="SENTINODE",
    bind="127.0.0.1",
    port=0,
    peers=(
        Peer("SENDER", "127.0.0.1", frozenset({"store", "echo", "commit"})),
        Peer("ECHOER", "127.0.0.0/8", frozenset({"echo"})),
        Peer("STORER", "127.0.0.0/8", frozenset({"store"})),
        Peer("ELSEWHERE", "192.0.2.0/24", frozenset({"store", "echo"})),
    ),
    idle_timeout_s=30,
    pdu_timeout_s=10,
)


@dataclass
class Running:
    """A receiver that listens."""

    receiver: Receiver
    writer: SpoolWriter
    folder: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.receiver.port

    def records(self, kind: RecordKind | None = None) -> list[Record]:
        """Return what is in the spool, of one kind or all."""
        return [record for record in SpoolReader(self.folder).after({}) if kind in (None, record.kind)]

    def wait_for(self, kind: RecordKind, count: int) -> list[Record]:
        """Return the records of a kind as soon as there are so many; fail after 20 s."""
        deadline = time.monotonic() + 20
        while len(found := self.records(kind)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} {kind} records"
            time.sleep(0.01)
        assert len(found) == count
        return found
