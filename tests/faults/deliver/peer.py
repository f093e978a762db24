"""A PACS on bare sockets that is late: several requests at once, out of order, associations dropped, reports late."""

import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from agent.core.patient import PatientKey
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from tests.faults.evidence import Bytes, Leak
from tests.scripted_scp import Over, ScriptedScp, read
from tests.senders import EXPLICIT, AssociationAborted, AssociationRejected, RawAssociation

C_STORE, C_FIND, C_ECHO, N_ACTION, N_EVENT_REPORT = 0x0001, 0x0020, 0x0030, 0x0130, 0x0100
RESPONSE = 0x8000
SUCCESS, PENDING, NO_SUCH_OBJECT = 0x0000, 0xFF00, 0x0112
NO_DATASET, DATASET = 0x0101, 0x0001
LATEST_S = 0.04  # an answer to C-STORE
ALONE_S = 2.0  # for so long it keeps one that is alone waiting for company, until it has seen several at once
REPORT_LATEST_S = 0.8
REPORT_TRIES = 40
DROPPED = 0.02  # of requests, before they are looked at, and as often after an object was kept
UNREPORTED = 0.1  # of commitments that are asked for


class Message:
    """One request: its command set's values by element, its dataset, and the presentation context."""

    def __init__(self, command: bytes, dataset: bytes, context: int) -> None:
        self.values: dict[int, bytes] = {}
        self.dataset, self.context = dataset, context
        at = 0
        while at < len(command):
            _, element, length = struct.unpack_from("<HHI", command, at)
            self.values[element] = command[at + 8 : at + 8 + length]
            at += 8 + length

    def number(self, element: int) -> int:
        """Return an unsigned short."""
        return int.from_bytes(self.values[element], "little")

    def uid(self, element: int) -> str:
        """Return a UID."""
        return self.values[element].rstrip(b"\0").decode("ascii")


class Talk:
    """One association, from A-ASSOCIATE-AC on. Answers may come from any thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._turn = connected, threading.Lock()
        self.underway = 0

    def take(self) -> Message:
        """Read the next request or response. Raises Over."""
        command, dataset = b"", b""
        while True:
            kind, length = struct.unpack(">BxI", read(self._socket, 6))
            body = read(self._socket, length)
            if kind == 5:
                self._send(struct.pack(">BBII", 6, 0, 4, 0))
            if kind != 4:
                raise Over
            while body:
                (size,) = struct.unpack_from(">I", body)
                context, control, fragment, body = body[4], body[5], body[6 : 4 + size], body[4 + size :]
                command, dataset = (command + fragment, dataset) if control & 1 else (command, dataset + fragment)
                message = Message(command, dataset, context) if control & 2 else None
                if message and (control == 2 or message.number(0x0800) == NO_DATASET):
                    return message

    def answer(self, message: Message, status: int, dataset: bytes = b"") -> None:
        """Send a response."""
        kind, number = message.number(0x0100) | RESPONSE, message.number(0x0110)
        self.say(message.context, {0x0100: kind, 0x0120: number, 0x0900: status}, dataset)

    def say(self, context: int, values: Mapping[int, int | str], dataset: bytes = b"") -> None:
        """Send a message."""
        whole = {**values, 0x0800: DATASET if dataset else NO_DATASET}
        encoded = {element: _encoded(value) for element, value in sorted(whole.items())}
        body = b"".join(struct.pack("<HHI", 0, element, len(value)) + value for element, value in encoded.items())
        fragments = [(3, struct.pack("<HHII", 0, 0, 4, len(body)) + body), *([(2, dataset)] if dataset else [])]
        pdvs = [struct.pack(">IBB", len(one) + 2, context, control) + one for control, one in fragments]
        self._send(b"".join(struct.pack(">BBI", 4, 0, len(pdv)) + pdv for pdv in pdvs))

    def drop(self) -> None:
        """Close the connection without a word."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, pdus: bytes) -> None:
        with self._turn:
            self._socket.sendall(pdus)


def _encoded(value: int | str) -> bytes:
    if isinstance(value, int):
        return struct.pack("<H", value)
    return value.encode("ascii") + b"\0" * (len(value) % 2)


class LatePeer:
    """A witness of what it was asked to store and of what it keeps.

    Parameters
    ----------
    ae_title
        Its own.
    seed
        Of everything that it does by chance.
    window
        How many operations it takes at once (PS3.7 D.3.3.3).
    """

    def __init__(self, ae_title: str, seed: int, window: int = 8) -> None:
        self.ae_title, self.peers = ae_title, dict[str, tuple[str, int]]()
        self.requests: list[Bytes] = []
        self.leaks: list[Leak] = []
        self.is_retired: Callable[[PatientKey], bool] = lambda patient: False
        self.associations = self.dropped = self.reports = self.most_at_once = 0
        self._kept: dict[str, Bytes] = {}
        self._chance = random.Random(seed)
        self._negotiation = ScriptedScp(window=window, announced=131072)
        self._later = ThreadPoolExecutor(2 * window + 4, thread_name_prefix=ae_title)
        self._stopping, self._several = threading.Event(), threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._listening = threading.Thread(target=self._serve, daemon=True)
        self._listening.start()

    @property
    def windows(self) -> Sequence[tuple[int, int] | None]:
        """What each association proposed of asynchronous operations."""
        return self._negotiation.windows

    def kept(self) -> frozenset[Bytes]:
        """What it answers for."""
        return frozenset(list(self._kept.values()))

    def forget(self) -> None:
        """Everything is read anew each time."""

    def stop(self) -> None:
        """Stop listening, and give up what is still to be said."""
        self._stopping.set()
        self._several.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._listening.join(20)
        self._later.shutdown(wait=True, cancel_futures=True)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connected, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connected,), daemon=True).start()

    def _converse(self, connected: socket.socket) -> None:
        with connected, suppress(Over, OSError):
            connected.settimeout(30)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            read(connected, 2)
            (length,) = struct.unpack(">I", read(connected, 4))
            connected.sendall(self._negotiation._accepted(read(connected, length)))
            self.associations += 1
            talk = Talk(connected)
            while True:
                self._hear(talk, talk.take())

    def _hear(self, talk: Talk, message: Message) -> None:
        kind = message.number(0x0100)
        if kind & RESPONSE:
            return
        if kind != C_ECHO and self._chance.random() < DROPPED:
            self._drop(talk)
        elif kind == C_STORE:
            self.requests.append(Bytes(message.uid(0x1000), hashlib.sha256(message.dataset).hexdigest()))
            talk.underway += 1
            self.most_at_once = max(self.most_at_once, talk.underway)
            if talk.underway > 1:
                self._several.set()
            self._soon(LATEST_S, self._store, talk, message, self.requests[-1])
        elif kind == C_FIND:
            self._list(talk, message)
        else:
            talk.answer(message, SUCCESS)
            if kind == N_ACTION and self._chance.random() >= UNREPORTED:
                self._promise(talk, message)

    def _drop(self, talk: Talk) -> None:
        self.dropped += 1
        talk.drop()

    def _soon(self, latest_s: float, run: Callable[..., None], *arguments: object) -> None:
        wait_s = self._chance.uniform(0, latest_s)
        with suppress(RuntimeError):  # it is stopped

            def later() -> None:
                self._stopping.wait(wait_s)
                with suppress(OSError):  # the association is over
                    run(*arguments)

            self._later.submit(later)

    def _store(self, talk: Talk, message: Message, received: Bytes) -> None:
        """Keep, then answer; or keep and say nothing. On a busy machine the second may be long in coming."""
        self._several.wait(ALONE_S)
        self._kept[received.sop_instance_uid] = received
        talk.underway -= 1
        if self._chance.random() < DROPPED:
            self._drop(talk)
        else:
            talk.answer(message, SUCCESS)

    def _list(self, talk: Talk, message: Message) -> None:
        """C-FIND: the identifier names one instance, so the answer is the question."""
        if str(_decoded(message.dataset).SOPInstanceUID) in self._kept:
            talk.answer(message, PENDING, message.dataset)
        talk.answer(message, SUCCESS)

    def _promise(self, talk: Talk, message: Message) -> None:
        """Report soon on the same association, later on another one, or on both."""
        wanted = _decoded(message.dataset)
        where = self._chance.choice(["here", "elsewhere", "both"])
        if where != "elsewhere":
            self._soon(LATEST_S, self._report_here, talk, message.context, wanted)
        if where != "here":
            self._soon(REPORT_LATEST_S, self._report_elsewhere, wanted)

    def _report(self, wanted: Dataset) -> tuple[int, Dataset]:
        """Return the Event Type ID and the event information (PS3.4 J.3.3)."""
        report = Dataset()
        report.TransactionUID = wanted.TransactionUID
        asked = list(wanted.ReferencedSOPSequence)
        report.ReferencedSOPSequence = [one for one in asked if str(one.ReferencedSOPInstanceUID) in self._kept]
        missing = [one for one in asked if str(one.ReferencedSOPInstanceUID) not in self._kept]
        for one in missing:
            one.FailureReason = NO_SUCH_OBJECT
        if missing:
            report.FailedSOPSequence = missing
        self.reports += 1
        return (2 if missing else 1), report

    def _report_here(self, talk: Talk, context: int, wanted: Dataset) -> None:
        kind, report = self._report(wanted)
        named = {0x0002: STORAGE_COMMITMENT, 0x1000: STORAGE_COMMITMENT_INSTANCE}
        talk.say(context, {**named, 0x0100: N_EVENT_REPORT, 0x0110: 1, 0x1002: kind}, _bytes(report))

    def _report_elsewhere(self, wanted: Dataset) -> None:
        """Call until somebody is there and takes it."""
        kind, report = self._report(wanted)
        (ae_title, (host, port)) = next(iter(self.peers.items()))
        for _ in range(REPORT_TRIES):
            with suppress(AssociationRejected, AssociationAborted, OSError), RawAssociation(
                host, port, calling=self.ae_title, called=ae_title, timeout_s=5,
                contexts=[(STORAGE_COMMITMENT, [EXPLICIT])], roles={STORAGE_COMMITMENT: (0, 1)},
            ) as association:  # fmt: skip
                named = STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
                if association.event_report(1, *named, kind, _bytes(report)) == SUCCESS:
                    return
            if self._stopping.wait(0.2):
                return


def _decoded(dataset: bytes) -> Dataset:
    """Read a dataset of the last transfer syntax that the agent proposes for messages: Explicit VR Little Endian."""
    return read_dataset(BytesIO(dataset), is_implicit_VR=False, is_little_endian=True)


def _bytes(ds: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, ds)
    return stream.getvalue()


def until(condition: Callable[[], object], most_s: float) -> bool:
    """Wait until a condition holds, looking often; return whether it did."""
    deadline = time.monotonic() + most_s
    while not (held := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return held
