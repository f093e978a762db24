"""What a writer does with an earlier run's segments before it appends: find each torn tail, and cut it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.spool.disk import Disk
from agent.spool.errors import is_of_the_place
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
    next_readable,
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
    that was closed is left alone: of most of a large spool two pages are read. One of which the disk does not give
    everything back is left as it is, but what can be read of it is published.

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
        try:
            identity = read_identity(fd)
            published = None if identity is None else read_horizon(fd, identity)
        except OSError as error:
            if not is_of_the_place(error):
                raise
            _leave(disk, fd, number)
            continue
        if identity is None:
            disk.close(fd)
            _log.error("spool_segment_damaged", segment=number)
            continue
        horizon, is_readable = _settle(disk, fd, identity, published)
        last_sequence = max(last_sequence, horizon.sequence)
        if not is_readable:
            _leave(disk, fd, number)
            continue
        segment = OpenSegment(disk, fd, identity, horizon)
        if horizon.is_closed:
            segment.close()
        elif segment.is_placeholder or (segment.is_half_empty and (number, identity.generation) not in gone):
            segments.append(segment)
        else:
            segment.retire()
    return Recovered(segments, used_bytes, last_number, last_sequence)


def _leave(disk: Disk, fd: int, number: int) -> None:
    """Leave a segment as it is, neither appended to nor closed and so never released: what it hides may come back."""
    disk.close(fd)
    _log.error("spool_segment_unreadable", segment=number)


def _settle(disk: Disk, fd: int, identity: Identity, published: Horizon | None) -> tuple[Horizon, bool]:
    """Find the true end of one segment, cut what lies behind it, publish it; tell whether all could be read.

    Where it could not nothing is cut: what is hidden may have been acknowledged.
    """
    if published is not None and published.is_closed:
        return published, True
    horizon, is_readable = _last_whole(fd, identity, published)
    cut_bytes = _cut(disk, fd, identity, horizon.end) if is_readable else 0
    if cut_bytes:
        _log.warning("torn_record_cut", segment=identity.number, offset=horizon.end, bytes=cut_bytes)
    if cut_bytes or horizon != published:
        disk.fdatasync(fd)
        write_horizon(disk, fd, identity, horizon)
    return horizon, is_readable


def _last_whole(fd: int, identity: Identity, published: Horizon | None) -> tuple[Horizon, bool]:
    """Walk from the published horizon to the end of the last whole record; tell whether all could be read.

    The horizon lags by a bound, so behind a damaged record only so much is searched for others. Without a horizon
    everything is. What the disk does not give back is walked round.
    """
    horizon = published or Horizon(DATA_START, identity.first_sequence)
    at, search_stop = horizon.end, identity.size if published is None else horizon.end + SEARCH_BYTES
    is_readable = True
    while True:
        find = next_entry if is_readable else next_readable
        try:
            entry = find(fd, identity, at, identity.size, search_stop)
            if entry is None:
                return horizon, is_readable
            at = entry.end
            if is_whole(fd, identity, entry):
                horizon = Horizon(entry.end, max(horizon.sequence, entry.header.sequence))
        except OSError as error:
            if not is_of_the_place(error):
                raise
            is_readable = False


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
