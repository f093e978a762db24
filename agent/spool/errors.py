"""Why a record could not be made durable. Both are temporary: the sender keeps the object and tries again."""

import errno
from typing import Final

from agent.core.errors import Transient, Unreadable


class SpoolFull(Transient):
    """No room: the disk or quota is full, the limit is reached, or free space is below the watermark."""


class SpoolFailed(Transient):
    """The disk refused to write or to sync; what was being written counts as lost."""


class SpoolUnreadable(SpoolFailed, Unreadable):
    """The disk does not give back a part of a segment; the rest it may."""


class SpoolLocked(Transient):
    """Another process writes to this spool."""


_OF_THE_PLACE: Final = (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO)  # EBADMSG: a checksum of the disk's


def is_of_the_place(error: OSError) -> bool:
    """Whether the disk does not give back what lies at one place; others it may."""
    return error.errno in _OF_THE_PLACE


def not_read(error: OSError) -> SpoolFailed:
    """Return the error of a segment that could not be read."""
    if is_of_the_place(error):
        return SpoolUnreadable("the disk does not give back a part of a spool segment")
    return SpoolFailed("a spool segment could not be read")


def translated(error: OSError) -> SpoolFull | SpoolFailed:
    """Return the spool's error for one of the operating system's; it names the reason, never a path."""
    reason = errno.errorcode.get(error.errno or 0, "unknown")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SpoolFull(f"no room for the record: {reason}")
    return SpoolFailed(f"the record could not be made durable: {reason}")
