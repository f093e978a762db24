"""A running receiver, as the tests see it."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.core.ports import Record, RecordKind
from agent.receive import Peer, Receiver, ReceiverSettings
from agent.spool import SpoolReader, SpoolWriter
from tests.senders import EXPLICIT, IMPLICIT, VERIFICATION, RawAssociation

SC = "1.2.840.10008.5.1.4.1.1.7"
COMMITMENT = "1.2.840.10008.1.20.1"
SUCCESS, NOT_AUTHORIZED = 0x0000, 0x0124
EVERYTHING = [(SC, [EXPLICIT]), (VERIFICATION, [IMPLICIT]), (COMMITMENT, [IMPLICIT])]
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


Start = Callable[..., Running]


def open_association(
    running: Running,
    *,
    calling: str = "SENDER",
    called: str = "SENTINODE",
    contexts: list[tuple[str, list[str]]] | None = None,
    roles: dict[str, tuple[int, int]] | None = None,
    source: str = "",
    tls: ssl.SSLContext | None = None,
) -> RawAssociation:
    """Open an association; by default as a sender that may do everything. With `tls`, where TLS is listened for."""
    return RawAssociation(
        "127.0.0.1",
        running.receiver.tls_port if tls else running.port,
        calling=calling,
        called=called,
        contexts=contexts or EVERYTHING,
        roles=roles,
        source=source,
        tls=tls,
    )


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
