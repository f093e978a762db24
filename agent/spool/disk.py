"""What the writing side asks of the operating system, as values: tests pass calls that fail, or that forget."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EIO
from pathlib import Path
from typing import Final

from agent.spool.record import Chunk

IOV_MAX: Final = 1024
_MODE: Final = 0o640


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, _MODE)


def _start_writeback(fd: int, offset: int, length: int) -> None:
    """Linux starts to write what is dirty there, and drops what is clean: nothing, of what was just written."""
    os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True, slots=True)
class Disk:
    """The calls through which everything that the writer changes goes.

    `dsync` is the flag with which `pwritev` returns only when what it wrote is durable; 0 where there is none, and
    each record is synced by a call of its own. `start_writeback` only asks the system not to wait for the sync.
    """

    open: Callable[[Path, int], int] = _open
    pwritev: Callable[[int, Sequence[Chunk], int, int], int] = os.pwritev
    start_writeback: Callable[[int, int, int], None] = _start_writeback
    fdatasync: Callable[[int], None] = os.fdatasync
    fsync: Callable[[int], None] = os.fsync
    allocate: Callable[[int, int, int], None] = os.posix_fallocate
    rename: Callable[[Path, Path], None] = os.rename
    unlink: Callable[[Path], None] = os.unlink
    close: Callable[[int], None] = os.close
    dsync: int = os.RWF_DSYNC

    def write(self, fd: int, chunks: Sequence[Chunk], offset: int, flags: int = 0) -> bool:
        """Write all buffers, one behind the other; return whether one call did. Raises OSError.

        Flags count only where one call can do.
        """
        views = [memoryview(chunk).cast("B") for chunk in chunks if chunk]
        if len(views) > IOV_MAX:
            flags = 0
        calls = 0
        while views:
            done = self.pwritev(fd, views[:IOV_MAX], offset, flags)
            if done == 0:
                raise OSError(EIO, "the disk takes nothing")
            calls, flags, offset = calls + 1, 0, offset + done
            views = _left(views, done)
        return calls == 1

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable. Raises OSError."""
        fd = self.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fsync(fd)
        finally:
            self.close(fd)


def _left(views: list[memoryview], done: int) -> list[memoryview]:
    """Return what is left of the buffers behind the first `done` bytes."""
    if done == sum(map(len, views)):
        return []
    for index, view in enumerate(views):
        if done < len(view):
            return [view[done:], *views[index + 1 :]]
        done -= len(view)
    return []
