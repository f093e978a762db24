"""What a writer does with an earlier run's segments before it appends: find each torn tail, and cut it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.spool.pool import OpenSegment, remove_unfinished
from agent.spool.record import HEADER_BYTES
from agent.spool.segment import (
    DATA_START,
    Horizon,
    Identity,
    next_entry,
    read_body,
    read_horizon,
    read_identity,
    segment_files,
    write_horizon,
)

_CHUNK: Final = 1 << 20
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found."""

    segments: list[OpenSegment]
    used_bytes: int
    last_number: int
    last_sequence: int


def recover(folder: Path) -> Recovered:
    """Bring every segment of the folder to a clean end and open those that have room.

    Records that a crash left whole but unpublished are made durable and published; half a record behind the last
    whole one is zeroed. A damaged record with a whole one behind it is no torn tail: it stays where it is.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    remove_unfinished(folder)
    segments: list[OpenSegment] = []
    used_bytes = last_number = last_sequence = 0
    for number, path in segment_files(folder).items():
        last_number = number
        used_bytes += path.stat().st_size
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        identity = read_identity(fd)
        if identity is None:
            os.close(fd)
            _log.error("spool_segment_damaged", segment=number)
            continue
        horizon = _settle(fd, identity)
        last_sequence = max(last_sequence, horizon.sequence)
        segment = OpenSegment(fd, identity, horizon.end)
        if segment.is_half_empty:
            segments.append(segment)
        else:
            segment.close()
    return Recovered(segments, used_bytes, last_number, last_sequence)


def _settle(fd: int, identity: Identity) -> Horizon:
    """Find the true end of one segment, cut what lies behind it, publish it."""
    published = read_horizon(fd, identity)
    horizon = published or Horizon(DATA_START, identity.first_sequence)
    if horizon == published and horizon.end > identity.size // 2 and _is_zero(fd, horizon.end, HEADER_BYTES):
        return horizon  # clean, and never appended to again: no need to read the rest
    entry = next_entry(fd, identity, horizon.end, identity.size)
    while entry is not None:
        if read_body(fd, identity, entry) is not None:
            horizon = Horizon(entry.end, max(horizon.sequence, entry.header.sequence))
        entry = next_entry(fd, identity, entry.end, identity.size)
    cut_bytes = _zero(fd, horizon.end, identity.size)
    if cut_bytes:
        _log.warning("torn_record_cut", segment=identity.number, offset=horizon.end, bytes=cut_bytes)
    if cut_bytes or horizon != published:
        os.fdatasync(fd)
        write_horizon(fd, identity, horizon)
    return horizon


def _zero(fd: int, start: int, stop: int) -> int:
    """Overwrite what is not zero between two offsets; return how many bytes were overwritten."""
    overwritten = 0
    for offset in range(start, stop, _CHUNK):
        length = min(_CHUNK, stop - offset)
        if not _is_zero(fd, offset, length):
            overwritten += os.pwrite(fd, bytes(length), offset)
    return overwritten


def _is_zero(fd: int, offset: int, length: int) -> bool:
    data = os.pread(fd, length, offset)
    return data == bytes(len(data))
