"""A storage SCP on a bare socket whose every answer a test decides: how many at once, in which order, or none."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from agent.core.archive import StoreOutcome
from agent.core.errors import Transient
from agent.dimse.association import Timeouts

SHORT: Final = Timeouts(connect_s=1, association_s=1, response_s=0.5, pdu_s=0.5)
"""Patience with a peer whose script is to say nothing."""

C_STORE_RSP, C_ECHO_RSP = 0x8001, 0x8030
_QUIET_S: Final = 0.15


class Over(Exception):
    """The requestor ended the association: it was released, aborted, or the connection closed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A C-STORE-RQ, or a C-FIND-RQ, which names no SOP instance."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    context_id: int
    dataset: bytes


class Conversation:
    """One association, from A-ASSOCIATE-AC on."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.pdu_lengths: list[int] = []  # of the P-DATA-TF PDUs received
        self.aborted = False

    def take(self) -> Request:
        """Read the next request. Raises Over."""
        command, dataset, context = b"", b"", 0
        while True:
            kind, body = self._pdu()
            if kind != 4:
                self.aborted = kind == 7
                if kind == 5:
                    self._socket.sendall(struct.pack(">BBII", 6, 0, 4, 0))
                raise Over
            self.pdu_lengths.append(len(body))
            while body:
                (size,) = struct.unpack_from(">I", body)
                context, control, fragment, body = body[4], body[5], body[6 : 4 + size], body[4 + size :]
                command, dataset = (command + fragment, dataset) if control & 1 else (command, dataset + fragment)
                if control == 2:
                    return _request(command, context, dataset)

    def is_quiet(self) -> bool:
        """Whether nothing more comes for a moment."""
        self._socket.settimeout(_QUIET_S)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(20)

    def answer(
        self, request: Request, status: int = 0, *, message_id: int = 0, field: int = C_STORE_RSP, names: str = ""
    ) -> None:
        """Send a response (PS3.7 9.3.1.2), which names a SOP instance where `names` does."""
        elements = {
            0x0100: struct.pack("<H", field),
            0x0120: struct.pack("<H", message_id or request.message_id),
            0x0800: struct.pack("<H", 0x0101),
            0x0900: struct.pack("<H", status),
        }
        if names:
            elements[0x1000] = names.encode() + b"\0" * (len(names) % 2)
        body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements.items())
        command = struct.pack("<HHII", 0, 0, 4, len(body)) + body
        value = struct.pack(">IBB", len(command) + 2, request.context_id, 3) + command
        self._socket.sendall(struct.pack(">BBI", 4, 0, len(value)) + value)

    def answer_all(self) -> None:
        """Answer every request with success until the association is over."""
        while True:
            self.answer(self.take())

    def drop(self) -> None:
        """Close the connection without a word."""
        self._socket.close()
        raise Over

    def abort(self) -> None:
        """Send A-ABORT."""
        self._socket.sendall(struct.pack(">BBII", 7, 0, 4, 0))
        raise Over

    def ask_for_release(self) -> None:
        """Send A-RELEASE-RQ."""
        self._socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))

    def answer_release(self) -> None:
        """Send A-RELEASE-RP."""
        self._socket.sendall(struct.pack(">BBII", 6, 0, 4, 0))

    def take_pdu(self) -> int:
        """Read the next PDU and return its type (PS3.8 9.3.1), 0 where the connection is closed instead."""
        try:
            return self._pdu()[0]
        except (Over, OSError):
            return 0

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", read(self._socket, 6))
        return kind, read(self._socket, length)


Script = Callable[[Conversation], None]


@dataclass
class ScriptedScp:
    """Listens on a free port. The n-th association follows the n-th script, later ones the last.

    `window` is what it answers to a proposed window, None for no answer. `announced` is its maximum PDU length, None
    for none. `accepts` says which abstract syntaxes it takes, with the first transfer syntax of each.
    """

    scripts: tuple[Script, ...] = (Conversation.answer_all,)
    window: int | None = None
    announced: int | None = 16384
    accepts: Callable[[list[str], str], bool] = lambda proposed, abstract: True
    conversations: list[Conversation] = field(default_factory=list)
    proposed: list[list[str]] = field(default_factory=list)  # abstract syntaxes of each association
    windows: list[tuple[int, int] | None] = field(default_factory=list)  # invoked and performed, as proposed
    offered_pdu: list[int] = field(default_factory=list)  # maximum PDU length of the requestor

    def __enter__(self) -> "ScriptedScp":
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20)

    @property
    def largest_pdu(self) -> int:
        """Length of the longest P-DATA-TF PDU that came."""
        return max(length for one in self.conversations for length in one.pdu_lengths)

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._server.accept()
            except OSError:
                return
            with connected:
                connected.settimeout(20)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(connected)

    def _converse(self, connected: socket.socket) -> None:
        try:
            read(connected, 2)
            (length,) = struct.unpack(">I", read(connected, 4))
            connected.sendall(self._accepted(read(connected, length)))
            self.conversations.append(Conversation(connected))
            self.scripts[min(len(self.conversations), len(self.scripts)) - 1](self.conversations[-1])
            self.conversations[-1].answer_all()
        except (Over, OSError):
            return

    def _accepted(self, request: bytes) -> bytes:
        """Return the A-ASSOCIATE-AC (PS3.8 9.3.3) to a request."""
        found = list(_items(request[68:]))
        contexts = [(value[0], dict(_items(value[4:]))) for kind, value in found if kind == 0x20]
        proposed = [subs[0x30].decode() for _, subs in contexts]
        self.proposed.append(proposed)
        user = dict(_items(next(value for kind, value in found if kind == 0x50)))
        (asked,) = struct.unpack(">I", user[0x51])
        self.offered_pdu.append(asked)
        self.windows.append(struct.unpack(">HH", user[0x53]) if 0x53 in user else None)
        answers = [_item(0x10, b"1.2.840.10008.3.1.1.1")]
        for number, subs in contexts:
            refused = 0 if self.accepts(proposed, subs[0x30].decode()) else 3
            answers.append(_item(0x21, bytes([number, 0, refused, 0]) + _item(0x40, subs[0x40])))
        items = [] if self.announced is None else [_item(0x51, struct.pack(">I", self.announced))]
        items.append(_item(0x52, b"2.25.1"))
        if self.window is not None and 0x53 in user:
            items.append(_item(0x53, struct.pack(">HH", self.window, 1)))
        answers.append(_item(0x50, b"".join(items)))
        body = request[:68] + b"".join(answers)
        return struct.pack(">BBI", 2, 0, len(body)) + body


def until_it_failed(outcomes: Iterable[StoreOutcome]) -> tuple[list[str], Transient]:
    """Return the SOP Instance UIDs of the outcomes up to the error, and the error."""
    stored: list[str] = []
    try:
        for outcome in outcomes:
            stored.append(outcome.sop_instance_uid)
    except Transient as exc:
        return stored, exc
    raise AssertionError("it did not fail")


def read(connected: socket.socket, length: int) -> bytes:
    """Read exactly so many bytes. Raises Over."""
    data = bytearray()
    while len(data) < length:
        part = connected.recv(min(length - len(data), 1 << 20))
        if not part:
            raise Over
        data += part
    return bytes(data)


def _request(command: bytes, context: int, dataset: bytes) -> Request:
    elements, at = {}, 0
    while at < len(command):
        _, tag, length = struct.unpack_from("<HHI", command, at)
        elements[tag] = command[at + 8 : at + 8 + length]
        at += 8 + length
    uids = [elements.get(tag, b"").rstrip(b"\0").decode() for tag in (0x0002, 0x1000)]
    return Request(struct.unpack("<H", elements[0x0110])[0], *uids, context, dataset)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from(">BxH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length
