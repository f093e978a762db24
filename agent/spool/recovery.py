"""What a writer does with an earlier run's segments before it appends: find each torn tail, and cut it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.spool.disk import Disk
from agent.spool.maker import remove_unfinished
from agent.spool.open_segment import OpenSegment
from agent.spool.record import HEADER_BYTES
from agent.spool.released import released
from agent.spool.segment import (
    DATA_START,
    SEARCH_BYTES,
    Horizon,
    Identity,
    counted_bytes,
    entry_at,
    is_whole,
    next_entry,
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


def recover(folder: Path, disk: Disk) -> Recovered:
    """Bring every segment of the folder to a clean end and open those that have room.

    Records that a crash left whole but unpublished are made durable and published; half a record behind the last
    whole one is zeroed. A damaged record with a whole one behind it is no torn tail: it stays where it is. A segment
    that was closed is left alone: of most of a large spool two pages are read.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    remove_unfinished(folder, disk)
    gone = released(folder)
    segments: list[OpenSegment] = []
    used_bytes = last_number = last_sequence = 0
    for number, path in segment_files(folder).items():
        last_number = number
        used_bytes += counted_bytes(path.stat().st_size)
        fd = disk.open(path, os.O_RDWR)
        identity = read_identity(fd)
        if identity is None:
            disk.close(fd)
            _log.error("spool_segment_damaged", segment=number)
            continue
        horizon = _settle(disk, fd, identity)
        last_sequence = max(last_sequence, horizon.sequence)
        segment = OpenSegment(disk, fd, identity, horizon)
        if horizon.is_closed:
            segment.close()
        elif segment.is_placeholder or (segment.is_half_empty and (number, identity.generation) not in gone):
            segments.append(segment)
        else:
            segment.retire()
    return Recovered(segments, used_bytes, last_number, last_sequence)


def _settle(disk: Disk, fd: int, identity: Identity) -> Horizon:
    """Find the true end of one segment, cut what lies behind it, publish it."""
    published = read_horizon(fd, identity)
    if published is not None and published.is_closed:
        return published
    horizon = _last_whole(fd, identity, published)
    cut_bytes = _cut(disk, fd, identity, horizon.end)
    if cut_bytes:
        _log.warning("torn_record_cut", segment=identity.number, offset=horizon.end, bytes=cut_bytes)
    if cut_bytes or horizon != published:
        disk.fdatasync(fd)
        write_horizon(disk, fd, identity, horizon)
    return horizon


def _last_whole(fd: int, identity: Identity, published: Horizon | None) -> Horizon:
    """Walk from the published horizon to the end of the last whole record.

    The horizon lags by a bound, so behind a damaged record only so much is searched for others. Without a horizon
    everything is.
    """
    horizon = published or Horizon(DATA_START, identity.first_sequence)
    search_stop = None if published is None else horizon.end + SEARCH_BYTES
    entry = next_entry(fd, identity, horizon.end, identity.size, search_stop)
    while entry is not None:
        if is_whole(fd, identity, entry):
            horizon = Horizon(entry.end, max(horizon.sequence, entry.header.sequence))
        entry = next_entry(fd, identity, entry.end, identity.size, search_stop)
    return horizon


def _cut(disk: Disk, fd: int, identity: Identity, end: int) -> int:
    """Zero the torn record behind the last whole one; return how many bytes were overwritten.

    Its header is enough, or the place of one: what else an earlier use of the file or a given up record left there
    has none.
    """
    torn = entry_at(fd, identity, end, identity.size)
    stop = min(end + HEADER_BYTES if torn is None else torn.end, identity.size)
    overwritten = 0
    for offset in range(end, stop, _CHUNK):
        length = min(_CHUNK, stop - offset)
        if os.pread(fd, length, offset) != bytes(length):
            disk.write(fd, [bytes(length)], offset)
            overwritten += length
    return overwritten
