"""What is fuzzed: functions that take any bytes and raise only where the agent is wrong, with bytes to begin from."""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any, Final

from agent.core.errors import Permanent, Rejected, Transient
from agent.core.ports import RecordKind
from agent.dicom.attributes import attributes_sha256
from agent.dicom.commitment import read_commitment
from agent.dicom.header import read_header
from agent.dicom.structure import outline
from agent.receive.lane import Ending, Lane, LaneSettings, Outcome
from agent.receive.lane.commands import MalformedCommand, Request, encode_response, parse
from agent.receive.lane.framing import InvalidPdu, fragments
from agent.receive.settings import ReceiverSettings
from agent.receive.transport import GuardedSocket
from agent.spool import SpoolReader, SpoolWriter
from agent.spool.record import Stamp, decode_header, decode_meta, encode, encode_meta, is_intact
from tests.fakes.instances import mammogram, meta_of, record_of
from tests.hostile.inputs import SYNTAXES, committed
from tests.hostile.make_corpus import HEADER, REQUEST
from tests.pdus import ABORT, RELEASE_RQ, echo_rq, pdu, pdv, store_rq
from tests.receivers import SETTINGS

SPOOL_BYTES: Final = 1 << 16
_ORDER: Final = list(SYNTAXES.values())


@dataclass(frozen=True)
class Target:
    """One of them, and bytes to begin from."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


def structure(data: bytes) -> None:
    """A dataset is walked, or rejected; every element lies within it, and its header is an instance or rejected."""
    if not data:
        return
    syntax, payload = _ORDER[data[0] % 2], data[1:]  # deflated ones are inflated elsewhere
    with suppress(Rejected):
        read_header(record_of(payload, meta_of(mammogram(), syntax)), None)
    try:
        found = outline(payload, syntax)
    except Rejected:
        return
    for tag, element in found.elements.items():
        assert 0 <= element.start <= element.start + (element.length or 0) <= element.limit <= len(payload)
        list(found.items(tag))
    assert all(depth <= 65 for depth, *_ in found.steps)
    attributes_sha256(found)


def commitment(data: bytes) -> None:
    """A storage commitment report is read, or rejected."""
    with suppress(Rejected):
        read_commitment(data[1:], _ORDER[data[0] % 2] if data else "")


def commands(data: bytes) -> None:
    """A command set can be read or is malformed; the response to it can be read again, and has none itself."""
    with suppress(MalformedCommand):
        request = parse(data)
        if request.message_id is not None:
            assert parse(encode_response(request, 0)).message_id is None


def framing(data: bytes) -> None:
    """Fragments tile a PDU's body, or it is invalid."""
    with suppress(InvalidPdu):
        found = list(fragments(memoryview(data)))
        assert found
        assert sum(len(one.value) + 6 for one in found) == len(data)


class _Wire:
    """Brings bytes in pieces whose sizes the first bytes say, then the end."""

    def __init__(self, data: bytes) -> None:
        self._sizes = data[:4] or b"\0"
        self._rest = memoryview(data)[4:]
        self._turn = 0

    def receive(self, into: memoryview, deadline: float, *, is_expected: bool) -> int:
        """Bring the next piece."""
        size = 1 + self._sizes[self._turn % len(self._sizes)] * 16
        count = min(size, len(into), len(self._rest))
        into[:count], self._rest, self._turn = self._rest[:count], self._rest[count:], self._turn + 1
        return count

    def send(self, data: bytes, deadline: float) -> None:
        """Take an answer, which is a whole PDU."""
        assert data[0] == 4


class _Service:
    """Counts what begins and ends."""

    def __init__(self) -> None:
        self.open = self.answers = 0

    def begin(self, request: Request, context_id: int) -> Any:
        """Begin."""
        assert not self.open
        self.open = 1
        return self

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Take a part."""
        assert self.open

    def finish(self, chunks: Sequence[memoryview]) -> int:
        """End."""
        self.open -= 1
        return 0

    def abandon(self) -> None:
        """Give up."""
        self.open = 0

    def answered(self, request: Request, status: int) -> None:
        """Note an answer."""
        self.answers += 1


def lane(data: bytes) -> None:
    """The loop ends with an outcome whatever comes in whatever pieces, and leaves no message open."""
    service = _Service()
    settings = LaneSettings(frozenset({1, 3}), 4096, 0, 300, 30, 3600)
    outcome = Lane(_Wire(data), service, settings).serve()  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    assert outcome.ending is not Ending.STALLED
    assert not service.open
    assert len(outcome.unread) <= len(data)


class _Connection:
    """A connection that brings bytes and then ends."""

    def __init__(self, data: bytes) -> None:
        self.rest = memoryview(data)
        self.most = 0

    def setsockopt(self, *_: object) -> None:
        """Take an option."""

    def settimeout(self, seconds: float) -> None:
        """Take a deadline."""

    def sendall(self, data: bytes) -> None:
        """Take a last word."""

    def recv(self, size: int) -> bytes:
        """End."""
        return b""

    def recv_into(self, into: memoryview) -> int:
        """Bring what there is room for."""
        self.most = max(self.most, len(into))
        count = min(len(into), len(self.rest))
        into[:count], self.rest = self.rest[:count], self.rest[count:]
        return count


def guarded(data: bytes) -> None:
    """Nothing longer than a PDU may be is ever made room for."""
    connection = _Connection(data)
    association: Any = SimpleNamespace(
        dul=SimpleNamespace(event_queue=Queue()), network_timeout=1, complain=lambda *_: None
    )
    settings: ReceiverSettings = SETTINGS
    guard = GuardedSocket(association, connection, settings)  # type: ignore[arg-type]
    with suppress(OSError):
        while len(head := guard.recv(6)) == 6:
            guard.recv(int.from_bytes(head[2:], "big"))
    assert connection.most <= max(settings.max_pdu_bytes, 1 << 20)


def record(data: bytes) -> None:
    """A header is intact or none; what is intact has a meta that can be read."""
    with suppress(Permanent):
        header = decode_header(data, 3, 77)
        if header is not None and header.record_bytes <= len(data):
            meta, payload = data[48 : 48 + header.meta_bytes], data[48 + header.meta_bytes :][: header.payload_bytes]
            padding = data[48 + len(meta) + len(payload) : header.record_bytes]
            if is_intact(header, meta, payload, padding, 77):
                decode_meta(meta)


@cache
def _segment() -> tuple[str, bytes, frozenset[bytes]]:
    """Return name and bytes of a segment with some records, and their payloads."""
    payloads = [b"one", b"", b"SNRC" * 40, HEADER]
    with tempfile.TemporaryDirectory() as folder:
        writer = SpoolWriter(
            Path(folder),
            limit_bytes=1 << 20,
            refuse_below_free_bytes=0,
            segment_bytes=SPOOL_BYTES,
            now=lambda: datetime(2026, 11, 22, tzinfo=UTC),
        )
        channel = writer.channel()
        for payload in payloads:
            channel.append(RecordKind.INSTANCE, {"association_id": "x"}, payload)
        path = max(Path(folder).glob("segment-*.spool"), key=lambda one: one.read_bytes().count(b"SNRC"))  # not a spare
        data = path.read_bytes()
        channel.close()
        writer.close()
    return path.name, data, frozenset(payloads)


def spool(data: bytes) -> None:
    """A segment with any bytes changed shows only records that were written."""
    name, whole, payloads = _segment()
    changed = bytearray(whole)
    for at in range(0, len(data) - 2, 3):
        changed[int.from_bytes(data[at : at + 2], "big") % 12288] = data[at + 2]
    folder = _scratch()
    (folder / name).write_bytes(changed)
    with suppress(Transient, Permanent):
        for found in SpoolReader(folder).after({}):
            assert found.payload in payloads


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="sentinode-fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))


def _datasets() -> Sequence[bytes]:
    found = [one for one in committed() if one.kind == "dataset" and not one.name.endswith("deflated")]
    return [bytes([_ORDER.index(one.transfer_syntax_uid)]) + one.data for one in found if len(one.data) < 5000]


def _streams(kinds: Iterable[str]) -> Sequence[bytes]:
    good = pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"dataset")) + pdu(pdv(3, 3, echo_rq()))
    return [good, good + RELEASE_RQ, good[:70] + ABORT, *(one.data for one in committed() if one.kind in kinds)]


def _records() -> Sequence[bytes]:
    stamp = Stamp(3, 77, 5, datetime(2026, 11, 22, tzinfo=UTC))
    meta = encode_meta({"association_id": "x"})
    return [b"".join(encode(RecordKind.INSTANCE, meta, [payload], stamp)) for payload in (b"", b"payload")]


TARGETS: Final = {
    "structure": Target(structure, _datasets),
    "commitment": Target(commitment, _datasets),
    "commands": Target(commands, lambda: [store_rq(), echo_rq()]),
    "framing": Target(framing, lambda: [pdv(1, 3, store_rq()) + pdv(1, 2, b"abc")]),
    "lane": Target(lane, lambda: [b"\1\xff\0\7" + one for one in _streams(["association"]) if len(one) < 20000]),
    "guarded": Target(guarded, lambda: [REQUEST, *_streams(["connection", "association"])]),
    "record": Target(record, _records),
    "spool": Target(spool, lambda: [b"\x20\x00\x00", b"\x10\x00\xff\x20\x04\x01"]),
}
"""What runs in one process, without a socket."""
