"""Defects that the trials must find: disks that tell the spool what is not so."""

import os
from collections.abc import Sequence
from dataclasses import replace

from agent.spool import Disk
from agent.spool.record import Chunk


def acknowledges_before_sync(disk: Disk) -> Disk:
    """Take a record for durable that was only written."""
    return replace(disk, dsync=0, fdatasync=lambda fd: None)


def syncs_again(disk: Disk) -> Disk:
    """Believe a second sync after one that failed: the kernel has dropped by then what it could not write."""

    def insist(fd: int) -> None:
        try:
            disk.fdatasync(fd)
        except OSError:
            disk.fdatasync(fd)

    return replace(disk, dsync=0, fdatasync=insist)


def takes_errors_for_success(disk: Disk) -> Disk:
    """Believe that a write which failed was made."""

    def pwritev(fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> int:
        try:
            return disk.pwritev(fd, chunks, offset, flags)
        except OSError:
            return sum(memoryview(chunk).nbytes for chunk in chunks)

    return replace(disk, pwritev=pwritev)


def acknowledges_what_it_keeps(disk: Disk) -> Disk:
    """Keep in memory what should be written: a kill loses it."""

    def pwritev(fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> int:
        length = sum(memoryview(chunk).nbytes for chunk in chunks)
        return length if flags & os.RWF_DSYNC else disk.pwritev(fd, chunks, offset, flags)

    return replace(disk, pwritev=pwritev)


PLANTED = {
    plant.__name__: plant
    for plant in (acknowledges_before_sync, syncs_again, takes_errors_for_success, acknowledges_what_it_keeps)
}
