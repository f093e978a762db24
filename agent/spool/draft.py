"""A record that is being written while it arrives."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool.errors import SpoolFailed, SpoolFull, translated
from agent.spool.lease import Lease
from agent.spool.open_segment import OpenSegment
from agent.spool.record import HEADER_BYTES, Chunk, Stamp, crc32c, encode, encode_header, padding, record_bytes
from agent.spool.segment import Identity

RESERVED_BYTES: Final = 4096
"""Left free behind every instance, so that the end of its association can be recorded on a full disk."""
MAX_OBJECT_BYTES: Final = 1 << 30
"""The largest object taken: tomosynthesis of a large breast, uncompressed, has some 0.9 GB."""


class Draft:
    """One record on its way. Nothing of it is shown before `commit` has returned.

    What is written lies behind the header's place, and the header comes last: without it the bytes are nothing.
    After an error, `commit` or `abandon` the draft is over.
    """

    def __init__(
        self,
        lease: Lease,
        kind: RecordKind,
        meta: bytes,
        stamp: Callable[[Identity], Stamp],
        *,
        max_payload_bytes: int = MAX_OBJECT_BYTES,
    ) -> None:
        self._lease = lease
        self._max_payload_bytes = max_payload_bytes
        self._kind = kind
        self._meta = meta
        self._stamp = stamp
        self._segment: OpenSegment | None = None
        self._payload_bytes = 0
        self._crc = 0
        self._is_over = False

    @property
    def taken_bytes(self) -> int:
        """What it keeps from others: its payload, or the room of a segment that was made for it alone."""
        if self._segment is None or not self._lease.is_for_one:
            return self._payload_bytes
        return min(self._segment.room, self._max_payload_bytes)

    def write(self, chunks: Sequence[Chunk]) -> None:
        """Write a part of the payload; the buffers are free again on return. It is not durable.

        Raises
        ------
        SpoolFull, SpoolFailed
            The draft is over.
        """
        with self._step():
            self._extend(chunks)
        self._is_over = False

    def commit(self, chunks: Sequence[Chunk] = ()) -> SpoolRef:
        """Write the rest of the payload and return the record's place; it is durable then, and visible.

        Raises
        ------
        SpoolFull, SpoolFailed
            Nothing of the record will be shown. The segment is given up if the disk refused, for after a failed sync
            nobody knows what of it is on the disk.
        """
        with self._step():
            return self._commit_whole(chunks) if self._segment is None else self._commit_rest(chunks)

    def abandon(self) -> None:
        """Forget what was written. Harmless when repeated, and after the end."""
        if not self._is_over:
            self._is_over = True
            self._lease.let_go()

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Take a step that ends the draft unless it says otherwise; what refuses it leaves nothing behind."""
        if self._is_over:
            raise SpoolFailed("the record was given up before")
        self._is_over = True
        try:
            yield
        except OSError as error:
            self._lease.give_up()
            raise translated(error) from error
        except (SpoolFull, SpoolFailed):
            self._lease.let_go()
            raise

    def _needed(self, more_bytes: int) -> int:
        """Return what a record needs with so much more payload. Raises SpoolFull if that is more than is taken."""
        payload_bytes = self._payload_bytes + more_bytes
        if payload_bytes > self._max_payload_bytes:
            raise SpoolFull(f"the object is larger than {self._max_payload_bytes} bytes")
        return self._room_for(payload_bytes)

    def _room_for(self, payload_bytes: int) -> int:
        reserved = RESERVED_BYTES if self._kind is RecordKind.INSTANCE else 0
        return record_bytes(len(self._meta), payload_bytes) + reserved

    def _commit_whole(self, chunks: Sequence[Chunk]) -> SpoolRef:
        length = _length(chunks)
        segment = self._lease.with_room(self._needed(length))
        ref, stamp = segment.ref(), self._stamp(segment.identity)
        record = encode(self._kind, self._meta, chunks, stamp)
        segment.append(record, record_bytes(len(self._meta), length), stamp.sequence)
        return ref

    def _commit_rest(self, chunks: Sequence[Chunk]) -> SpoolRef:
        segment = self._extend(chunks)
        ref, stamp = segment.ref(), self._stamp(segment.identity)
        end = segment.end + record_bytes(len(self._meta), self._payload_bytes)
        tail: list[Chunk] = [padding(len(self._meta), self._payload_bytes), segment.zeros_behind(end)]
        segment.write(tail, self._written_end(segment))
        segment.write([encode_header(self._kind, len(self._meta), self._payload_bytes, self._crc, stamp)], segment.end)
        segment.settle(end, stamp.sequence)
        self._lease.remember(self._needed(0))
        return ref

    def _extend(self, chunks: Sequence[Chunk]) -> OpenSegment:
        length = _length(chunks)
        segment = self._with_room(length)
        at = self._written_end(segment)
        if length:
            segment.write([*chunks, segment.zeros_behind(at + length)], at)
            segment.start_writeback(at, at + length)
        for chunk in chunks:
            self._crc = crc32c(chunk, self._crc)
        self._payload_bytes += length
        return segment

    def _with_room(self, more_bytes: int) -> OpenSegment:
        """Return the segment that has room for more: the one at hand, or a larger one with what is there so far."""
        segment, needed = self._segment, self._needed(more_bytes)
        if segment is None:
            segment = self._lease.with_room(needed, likely=True)
            segment.write([self._meta], segment.end + HEADER_BYTES)
            self._crc = crc32c(self._meta, segment.identity.seed)
        elif segment.room < needed:
            written = HEADER_BYTES + len(self._meta) + self._payload_bytes
            most = self._room_for(self._max_payload_bytes)
            least, expected = min(needed + needed // 4, most), min(2 * needed, most)
            segment, self._crc = self._lease.moved(least, written, self._crc, expected=expected)
        self._segment = segment
        return segment

    def _written_end(self, segment: OpenSegment) -> int:
        return segment.end + HEADER_BYTES + len(self._meta) + self._payload_bytes


def _length(chunks: Sequence[Chunk]) -> int:
    return sum(memoryview(chunk).nbytes for chunk in chunks)
