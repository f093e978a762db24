"""A DICOM sender of the tests' own, on a bare socket: it sends the bytes of a file as they are, and can misbehave.

It decodes no object and shares no code with the receiver, so what it sent is what must be read back.
"""

import socket
import ssl
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Final, Self

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
VERIFICATION: Final = "1.2.840.10008.1.1"
_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
_LONG_VRS: Final = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_NO_DATASET: Final = 0x0101


@dataclass(frozen=True, slots=True)
class Sendable:
    """What a C-STORE needs of a file: three UIDs and the encoded dataset, without the file meta information."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes

    @property
    def item(self) -> tuple[str, str, str, bytes]:
        """Return it as `send_raw` takes it."""
        return self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid, self.dataset


class AssociationRejected(Exception):
    """The association was rejected; `reason` is (result, source, diagnostic) of PS3.8 section 9.3.4."""

    def __init__(self, reason: tuple[int, int, int]) -> None:
        super().__init__(f"rejected: {reason}")
        self.reason = reason


class AssociationAborted(Exception):
    """The peer aborted or closed the connection."""


def split_part10(data: bytes) -> Sendable | str:
    """Split a file into what a C-STORE needs, or say why it cannot be sent.

    Files without preamble, without file meta or without its group length are split too; what the meta does not say is
    read from the dataset.
    """
    start = 132 if data[128:132] == b"DICM" else 0
    meta, end = _file_meta(data, start)
    dataset = data[end:]
    if not dataset:
        return "no dataset behind the file meta"
    transfer_syntax = meta.get(0x0010) or (EXPLICIT if dataset[4:6].isalpha() and dataset[4:6].isupper() else IMPLICIT)
    uids = [meta.get(0x0002), meta.get(0x0003)]
    if not all(uids):
        uids = [uid or other for uid, other in zip(uids, _uids_of(dataset, transfer_syntax), strict=True)]
    for name, uid in zip(("SOP Class UID", "SOP Instance UID"), uids, strict=True):
        if not uid:
            return f"no {name}"
    return Sendable(str(uids[0]), str(uids[1]), transfer_syntax, dataset)


def _file_meta(data: bytes, at: int) -> tuple[dict[int, str], int]:
    """Return the group 0002 elements (explicit VR little endian, PS3.10 section 7.1) as texts, and their end."""
    texts: dict[int, str] = {}
    while data[at : at + 2] == b"\x02\x00" and len(data) >= at + 8:
        (element,) = struct.unpack_from("<H", data, at + 2)
        is_long = data[at + 4 : at + 6] in _LONG_VRS
        head = 12 if is_long else 8
        (length,) = struct.unpack_from("<I" if is_long else "<H", data, at + (8 if is_long else 6))
        texts[element] = data[at + head : at + head + length].rstrip(b"\0 ").decode("ascii", "replace")
        at += head + length
    return texts, at


def _uids_of(dataset: bytes, transfer_syntax: str) -> tuple[str, str]:
    """Read SOP Class and Instance UID of a dataset whose file meta does not say them; empty where there is none."""
    prefix = b"\0" * 128 + b"DICM" + _element(0x0002, 0x0010, transfer_syntax)
    try:
        ds = dcmread(
            BytesIO(prefix + dataset), stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"]
        )
    except (InvalidDicomError, ValueError, KeyError, EOFError, NotImplementedError, AttributeError):
        return "", ""
    return str(ds.get("SOPClassUID", "")), str(ds.get("SOPInstanceUID", ""))


def _element(group: int, element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", group, element, b"UI", len(value)) + value


class RawAssociation:
    """One association as requestor.

    Parameters
    ----------
    contexts
        Presentation contexts to propose: (abstract syntax, transfer syntaxes); the n-th gets the id 2n+1.
    roles
        SCP/SCU role selection: abstract syntax -> (SCU role, SCP role).
    source
        Address to call from.
    tls
        What makes TLS of the connection.

    Raises
    ------
    AssociationRejected, AssociationAborted
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        calling: str,
        called: str,
        contexts: Sequence[tuple[str, Sequence[str]]],
        roles: Mapping[str, tuple[int, int]] | None = None,
        timeout_s: float = 30.0,
        source: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection((host, port), timeout_s, source_address=(source, 0))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket)
        self.accepted: dict[int, str] = {}
        self.roles: dict[str, tuple[int, int]] = {}
        self._fragment_bytes = 16384
        self._message_id = 0
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(associate_rq(calling, called, contexts, roles or {}))
            self._accept(*self.read_pdu())
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None and self.socket.fileno() >= 0:
                self.release()
        finally:
            self.socket.close()

    def store(self, context_id: int, sop_class: str, sop_instance: str, dataset: bytes) -> int:
        """C-STORE the bytes as they are and return the status."""
        self.send_command(context_id, 0x0001, sop_class, sop_instance)
        self.send_dataset(context_id, dataset)
        return self.read_status()

    def echo(self, context_id: int) -> int:
        """C-ECHO and return the status."""
        self.send_command(context_id, 0x0030, VERIFICATION, dataset_type=_NO_DATASET)
        return self.read_status()

    def event_report(self, context_id: int, sop_class: str, sop_instance: str, event_type: int, dataset: bytes) -> int:
        """N-EVENT-REPORT and return the status."""
        self.send_command(context_id, 0x0100, sop_class, sop_instance, event_type=event_type)
        self.send_dataset(context_id, dataset)
        return self.read_status()

    def send_command(
        self,
        context_id: int,
        command_field: int,
        sop_class: str,
        sop_instance: str = "",
        *,
        dataset_type: int = 0x0001,
        event_type: int | None = None,
    ) -> None:
        """Send a request's command set (PS3.7 annex E, implicit VR little endian)."""
        self._message_id = self._message_id % 0xFFFF + 1
        elements = {
            0x0002: _padded(sop_class),
            0x0100: struct.pack("<H", command_field),
            0x0110: struct.pack("<H", self._message_id),
            0x0700: struct.pack("<H", 0) if command_field == 0x0001 else b"",
            0x0800: struct.pack("<H", dataset_type),
            0x1000: _padded(sop_instance),
            0x1002: b"" if event_type is None else struct.pack("<H", event_type),
        }
        body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements.items() if value)
        self.send_pdv(context_id, 3, struct.pack("<HHII", 0, 0, 4, len(body)) + body)

    def send_dataset(self, context_id: int, dataset: bytes) -> None:
        """Send a dataset in as many PDUs as it takes."""
        size = self._fragment_bytes
        for at in range(0, max(len(dataset), 1), size):
            self.send_pdv(context_id, 2 if at + size >= len(dataset) else 0, dataset[at : at + size])

    def send_pdv(self, context_id: int, control: int, fragment: bytes) -> None:
        """Send one P-DATA-TF PDU with one fragment."""
        value = struct.pack(">IBB", len(fragment) + 2, context_id, control)
        self.socket.sendall(struct.pack(">BBI", 4, 0, len(value) + len(fragment)) + value + fragment)

    def read_status(self) -> int:
        """Read a response and return its status."""
        kind, body = self.read_pdu()
        if kind != 4:
            raise AssociationAborted(f"PDU type {kind} instead of a response")
        at = 6  # past length, context id and control header of the only fragment
        while at < len(body):
            _, tag, length = struct.unpack_from("<HHI", body, at)
            if tag == 0x0900:
                return int(struct.unpack_from("<H", body, at + 8)[0])
            at += 8 + length
        raise AssociationAborted("a response without a status")

    def release(self) -> None:
        """Release the association, in order."""
        self.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
        kind, _ = self.read_pdu()
        if kind != 6:
            raise AssociationAborted(f"PDU type {kind} instead of A-RELEASE-RP")
        self.socket.close()

    def abort(self) -> None:
        """Abort the association."""
        self.socket.sendall(struct.pack(">BBII", 7, 0, 4, 0))
        self.socket.close()

    def reset(self) -> None:
        """Drop the connection with a TCP RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read_pdu(self) -> tuple[int, bytes]:
        """Read one PDU: type and body."""
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                part = self.socket.recv(length - len(data))
            except ConnectionResetError as error:
                raise AssociationAborted("connection reset") from error
            if not part:
                raise AssociationAborted("connection closed")
            data += part
        return data

    def _accept(self, kind: int, body: bytes) -> None:
        if kind == 3:
            raise AssociationRejected((body[1], body[2], body[3]))
        if kind != 2:
            raise AssociationAborted(f"PDU type {kind} instead of A-ASSOCIATE-AC")
        for item, value in _items(body[68:]):
            if item == 0x21 and value[2] == 0:
                ((_, syntax),) = _items(value[4:])
                self.accepted[value[0]] = syntax.decode("ascii")
            for sub, content in _items(value) if item == 0x50 else ():
                if sub == 0x51:
                    self._fragment_bytes = (struct.unpack(">I", content)[0] or 1 << 20) - 6
                elif sub == 0x54:
                    (length,) = struct.unpack_from(">H", content)
                    self.roles[content[2 : 2 + length].decode("ascii")] = (content[2 + length], content[3 + length])


def send_raw(
    host: str, port: int, calling: str, called: str, items: Iterable[tuple[str, str, str, bytes]]
) -> list[int | None]:
    """C-STORE encoded datasets over one association, each in the transfer syntax it is stored in.

    Parameters
    ----------
    items
        (SOP Class UID, SOP Instance UID, Transfer Syntax UID, encoded dataset); at most 128 pairs of class and syntax.

    Returns
    -------
    statuses
        DIMSE status of each; None where its presentation context was refused.
    """
    chosen = list(items)
    pairs = list(dict.fromkeys((sop_class, syntax) for sop_class, _, syntax, _ in chosen))
    contexts = [(sop_class, [syntax]) for sop_class, syntax in pairs]
    statuses: list[int | None] = []
    with RawAssociation(host, port, calling=calling, called=called, contexts=contexts) as association:
        for sop_class, sop_instance, syntax, dataset in chosen:
            context_id = 2 * pairs.index((sop_class, syntax)) + 1
            accepted = context_id in association.accepted
            statuses.append(association.store(context_id, sop_class, sop_instance, dataset) if accepted else None)
    return statuses


def associate_rq(
    calling: str,
    called: str,
    contexts: Sequence[tuple[str, Sequence[str]]],
    roles: Mapping[str, tuple[int, int]],
) -> bytes:
    """Encode A-ASSOCIATE-RQ (PS3.8 section 9.3.2)."""
    items = [_item(0x10, _APPLICATION_CONTEXT.encode())]
    for number, (abstract, syntaxes) in enumerate(contexts):
        subs = b"".join(_item(0x40, syntax.encode()) for syntax in syntaxes)
        items.append(_item(0x20, bytes([2 * number + 1, 0, 0, 0]) + _item(0x30, abstract.encode()) + subs))
    user = [_item(0x51, struct.pack(">I", 65536)), _item(0x52, b"2.25.1")]
    for abstract, (scu, scp) in roles.items():
        user.append(_item(0x54, struct.pack(">H", len(abstract)) + abstract.encode() + bytes([scu, scp])))
    items.append(_item(0x50, b"".join(user)))
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode()) + b"".join(items)
    return struct.pack(">BBI", 1, 0, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _items(data: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from(">BxH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
