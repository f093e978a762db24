"""Why a record could not be made durable. Both are temporary: the sender keeps the object and tries again."""

import errno

from agent.core.errors import Transient


class SpoolFull(Transient):
    """No room: the disk or quota is full, the limit is reached, or free space is below the watermark."""


class SpoolFailed(Transient):
    """The disk refused to write or to sync; what was being written counts as lost."""


class SpoolLocked(Transient):
    """Another process writes to this spool."""


def translated(error: OSError) -> SpoolFull | SpoolFailed:
    """Return the spool's error for one of the operating system's; it names the reason, never a path."""
    reason = errno.errorcode.get(error.errno or 0, "unknown")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SpoolFull(f"no room for the record: {reason}")
    return SpoolFailed(f"the record could not be made durable: {reason}")
