# ruff: noqa: D102 - the port describes its methods
"""A spool in memory whose segments are used anew: what the receiver and `agent.spool.KeptSpool` do, without a disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from agent.core.errors import Permanent, Transient
from agent.core.instance import SpoolRef
from agent.core.retention import SegmentState

_HEAD = 8192


@dataclass
class _Segment:
    number: int
    size: int
    generation: int = 1
    end: int = _HEAD
    last_sequence: int = 0
    is_closed: bool = False
    is_released: bool = False
    records: dict[int, bytes] = field(default_factory=dict)

    def append(self, payload: bytes, sequence: int) -> SpoolRef:
        ref = SpoolRef(self.number, self.generation, self.end)
        self.records[self.end] = payload
        self.end, self.last_sequence = self.end + len(payload), sequence
        return ref

    def renew(self) -> None:
        self.generation, self.end, self.records = self.generation + 1, _HEAD, {}
        self.is_closed = self.is_released = False


class FakeKeeperSpool:
    """Satisfies `agent.core.ports_retention.SpoolKeeper`; `receive` plays the receiver."""

    def __init__(self, limit_bytes: int, segment_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self._segments: dict[int, _Segment] = {}
        self._sequence = count(1)
        self.refuses_to_copy = 0

    @property
    def limit_bytes(self) -> int:
        return self._limit_bytes

    @property
    def used_bytes(self) -> int:
        return sum(one.size for one in self._segments.values())

    def receive(self, payload: bytes) -> SpoolRef:
        """Append a record to the open segment, or to another. Raises Transient if there is no room."""
        return self._with_room(len(payload), sign=1).append(payload, next(self._sequence))

    def close_open(self) -> None:
        """Close every segment."""
        for segment in self._segments.values():
            segment.is_closed = True

    def damage(self, ref: SpoolRef) -> None:
        del self._segments[ref.segment].records[ref.offset]

    def read(self, ref: SpoolRef) -> bytes:
        segment = self._segments.get(ref.segment)
        if segment is None or segment.generation != ref.generation or ref.offset not in segment.records:
            raise Permanent("the received bytes are no longer in the spool")
        return segment.records[ref.offset]

    def segments(self) -> Sequence[SegmentState]:
        return [
            SegmentState(s.number, s.generation, s.size, s.end, s.last_sequence, s.is_closed, s.is_released)
            for s in self._segments.values()
        ]

    def is_read(self, segment: SegmentState, last: SpoolRef | None) -> bool:
        records = self._segments[segment.number].records
        if segment.number < 0 or not records:
            return True
        return last is not None and last.generation == segment.generation and last.offset >= max(records)

    def record_bytes(self, ref: SpoolRef) -> int:
        return len(self.read(ref))

    def copy(self, refs: Sequence[SpoolRef]) -> Mapping[SpoolRef, SpoolRef]:
        if self.refuses_to_copy:
            self.refuses_to_copy -= 1
            raise Transient("no room")
        return {ref: self._copy(self.read(ref)) for ref in refs}

    def _copy(self, payload: bytes) -> SpoolRef:
        return self._with_room(len(payload), sign=-1).append(payload, next(self._sequence))

    def release(self, segment: SegmentState) -> None:
        mine = self._segments[segment.number]
        if mine.generation == segment.generation and mine.is_closed:
            mine.is_released = True
            if segment.number < 0:
                self._give_back(-1)

    def _with_room(self, needed: int, sign: int) -> _Segment:
        mine = [one for one in self._segments.values() if one.number * sign > 0]
        for segment in mine:
            if not segment.is_closed and segment.size - segment.end >= needed:
                return segment
        for segment in mine:
            segment.is_closed = True
        while self.used_bytes + self._reserve(sign) > self._limit_bytes and self._give_back(sign, 1):
            pass
        for segment in mine:
            if segment.is_released and segment.number in self._segments:
                segment.renew()
                return segment
        if self.used_bytes + self._segment_bytes + self._reserve(sign) > self._limit_bytes:
            raise Transient("the spool has reached its limit")
        number = sign * (max((abs(one.number) for one in mine), default=0) + 1)
        self._segments[number] = _Segment(number, self._segment_bytes)
        return self._segments[number]

    def _reserve(self, sign: int) -> int:
        return self._segment_bytes if sign > 0 else 0

    def _give_back(self, sign: int, most: int = 1 << 30) -> int:
        """Remove released segments but the highest; return how many."""
        mine = sorted((one.number for one in self._segments.values() if one.number * sign > 0), key=abs)
        gone = [number for number in mine[:-1] if self._segments[number].is_released][:most]
        for number in gone:
            del self._segments[number]
        return len(gone)
