"""What the reading side says about segments to the writing side: this one is not needed any more.

A segment is released by an empty file, `released/segment-00000012.generation-3`: its name is all that it says, so it
is there or not, never half; and it names one use of the segment, so that one that is left over releases nothing.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from agent.core.retention import SegmentState
from agent.spool.disk import Disk
from agent.spool.errors import is_of_the_place, translated
from agent.spool.segment import Horizon, Identity, opened, read_horizon, read_identity, segment_files, segment_name

_FOLDER: Final = "released"
_NAME: Final = re.compile(r"segment-(\d{8,})\.generation-(\d+)")


def segments(folder: Path) -> list[SegmentState]:
    """Return the segments of a spool in ascending order.

    Those that are damaged, just being renewed, or that the disk does not give back are left out.

    Raises
    ------
    SpoolFailed
        If the disk refuses.
    """
    try:
        gone = released(folder)
        found = [_read(path) for path in segment_files(folder).values()]
    except OSError as error:
        raise translated(error) from error
    return [_state(*pair, gone) for pair in found if pair is not None]


def release(folder: Path, segment: int, generation: int, disk: Disk | None = None) -> bool:
    """Tell the writer, durably, that a segment may be used anew; harmless when repeated.

    Returns
    -------
    False if it is not closed yet: more records may come to it. True also if that use of it is over already.

    Raises
    ------
    SpoolFull, SpoolFailed
        If the disk refuses.
    """
    disk = disk or Disk()
    try:
        if not (folder / segment_name(segment)).exists():
            return True
        pair = _read(folder / segment_name(segment))
        if pair is None or pair[0].generation != generation:
            return pair is not None and pair[0].generation > generation
        if not pair[1].is_closed:
            return False
        if not (folder / _FOLDER).is_dir():
            (folder / _FOLDER).mkdir(exist_ok=True)
            disk.sync_folder(folder)
        disk.close(disk.open(_marker(folder, segment, generation), os.O_WRONLY | os.O_CREAT))
        disk.sync_folder(folder / _FOLDER)
    except OSError as error:
        raise translated(error) from error
    return True


def released(folder: Path) -> set[tuple[int, int]]:
    """Return number and generation of what was released, stale ones included. Raises OSError."""
    try:
        names = os.listdir(folder / _FOLDER)
    except FileNotFoundError:
        return set()
    return {(int(match[1]), int(match[2])) for match in map(_NAME.fullmatch, names) if match}


def identity_of(folder: Path, segment: int) -> Identity | None:
    """Return what a segment is, None if it is gone or damaged. Raises OSError."""
    try:
        with opened(folder / segment_name(segment)) as fd:
            return read_identity(fd)
    except FileNotFoundError:
        return None


def forget(folder: Path, segment: int, generation: int, disk: Disk) -> None:
    """Take a release back that was obeyed or is stale. Raises OSError."""
    disk.unlink(_marker(folder, segment, generation))


def _marker(folder: Path, segment: int, generation: int) -> Path:
    return folder / _FOLDER / f"segment-{segment:08d}.generation-{generation}"


def _read(path: Path) -> tuple[Identity, Horizon] | None:
    try:
        with opened(path) as fd:
            identity = read_identity(fd)
            horizon = None if identity is None else read_horizon(fd, identity)
    except FileNotFoundError:
        return None
    except OSError as error:
        if not is_of_the_place(error):
            raise
        return None  # one bad place keeps nobody from releasing the others
    return None if identity is None or horizon is None else (identity, horizon)


def _state(identity: Identity, horizon: Horizon, gone: Collection[tuple[int, int]]) -> SegmentState:
    use = (identity.number, identity.generation)
    return SegmentState(*use, identity.size, horizon.end, horizon.sequence, horizon.is_closed, use in gone)
