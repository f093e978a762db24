"""A sender that costs next to nothing: a forked process for each association, files mapped and in the page cache.

The next C-STORE-RQ leaves only after the response to the one before it, as modalities do.
"""

import mmap
import multiprocessing
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Final

from bench.receive.objects import EXPLICIT, Sent
from tests.senders import AssociationAborted, RawAssociation

MOST_PDU_BYTES: Final = 131072
GATHERED: Final = 512  # buffers in one system call
GIVE_UP_S: Final = 300.0
_PDV_HEAD: Final = struct.Struct(">BBIIBB")


@dataclass(frozen=True, slots=True)
class Took:
    """What sending took: seconds from the first connection to the last release, and how many were answered 0x0000."""

    seconds: float
    stored: int


def send(port: int, called: str, objects: Sequence[Sent], associations: int) -> Took:
    """Send the objects over so many associations at once."""
    context = multiprocessing.get_context("fork")
    ours, processes = [], []
    for number in range(associations):
        near, far = context.Pipe()
        share = objects[number::associations]
        process = context.Process(target=_associate, args=(far, port, called, share), daemon=True)
        process.start()
        far.close()
        ours.append(near)
        processes.append(process)
    _hear(ours)
    began = time.monotonic()
    for near in ours:
        near.send(None)
    heard = _hear(ours)
    for process in processes:
        process.join()
    return Took(max(ended for _, ended in heard) - began, sum(stored for stored, _ in heard))


def _hear(ends: Sequence[Connection]) -> list[tuple[int, float]]:
    """Return what each sender says."""
    heard: list[tuple[int, float]] = []
    waited_for = list(ends)
    while waited_for:
        ready = wait(waited_for, GIVE_UP_S)
        if not ready:
            raise SystemExit(f"no answer in {GIVE_UP_S:.0f} s")
        for end in [one for one in waited_for if one in ready]:
            waited_for.remove(end)
            try:
                heard.append(end.recv())
            except EOFError:
                raise SystemExit("a sender died") from None
    return heard


def _associate(end: Connection, port: int, called: str, objects: Sequence[Sent]) -> None:
    mapped = [_mapped(one) for one in objects]
    end.send((0, 0.0))
    end.recv()
    stored = 0
    try:
        contexts = [(sop_class, [EXPLICIT]) for sop_class in sorted({one.sop_class_uid for one in objects})]
        with QuickAssociation("127.0.0.1", port, calling="BENCH", called=called, contexts=contexts) as association:
            numbers = {sop_class: 2 * at + 1 for at, (sop_class, _) in enumerate(contexts)}
            for one, data in zip(objects, mapped, strict=True):
                status = association.store_mapped(numbers[one.sop_class_uid], one, data)
                stored += status == 0x0000
    except (AssociationAborted, OSError) as error:
        print(f"sender: {error!r} after {stored} objects", flush=True)
    end.send((stored, time.monotonic()))


def _mapped(one: Sent) -> memoryview:
    with one.path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[:: mmap.PAGESIZE])  # read, and in the page table
    return memoryview(mapped)


class QuickAssociation(RawAssociation):
    """An association that sends views of what it is given, many PDUs in one system call."""

    def store_mapped(self, context_id: int, one: Sent, data: memoryview) -> int:
        """C-STORE, and return the status."""
        self.send_command(context_id, 0x0001, one.sop_class_uid, one.sop_instance_uid)
        size = min(self._fragment_bytes, MOST_PDU_BYTES - 6)
        buffers: list[bytes | memoryview] = []
        for at in range(0, len(data), size):
            fragment = data[at : at + size]
            control = 2 if at + size >= len(data) else 0
            buffers += (_PDV_HEAD.pack(4, 0, len(fragment) + 6, len(fragment) + 2, context_id, control), fragment)
        for at in range(0, len(buffers), GATHERED):
            self._send_all(buffers[at : at + GATHERED])
        return self.read_status()

    def _send_all(self, buffers: list[bytes | memoryview]) -> None:
        sent = self.socket.sendmsg(buffers)
        for buffer in buffers:
            if sent < len(buffer):
                self.socket.sendall(memoryview(buffer)[sent:])
            sent = max(sent - len(buffer), 0)

    def _read(self, length: int) -> bytes:
        # or a peer that writes a PDU in two pieces, with Nagle on, waits 40 ms for our acknowledgement each time
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super()._read(length)
