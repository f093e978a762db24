"""Named boundaries at which the fault tests kill the agent; in production each is one dictionary look-up."""

import os
import signal
from typing import Final

POINTS: Final = (
    "receive.association_accepted",
    "spool.after_append",
    "spool.after_sync",
    "receive.after_success",
    "assemble.after_commit",
    "assemble.after_complete",
    "infer.after_claim",
    "infer.after_estimate",
    "infer.after_save",
    "deliver.before_first_store",
    "deliver.between_stores",
    "deliver.after_last_store",
    "deliver.after_confirm",
)
"""Every boundary, in the order in which data crosses them. The fault tests fail if one is never reached."""

_KILL_AT: Final = os.environ.get("SENTINODE_TEST_KILL_AT", "")  # "name:hit", set by the fault tests alone
_TRACE: Final = os.environ.get("SENTINODE_TEST_TRACE", "")  # a file that collects the names reached
_hits: dict[str, int] = {}


def crashpoint(name: str) -> None:
    """Mark a boundary; kill the whole process group here if a fault test asked for it.

    Raises
    ------
    KeyError
        If `name` is not declared in `POINTS` (only while a fault test is on).
    """
    if not _KILL_AT and not _TRACE:
        return
    if name not in POINTS:
        raise KeyError(name)
    _hits[name] = _hits.get(name, 0) + 1
    if _TRACE:
        with open(_TRACE, "a", encoding="ascii") as trace:
            trace.write(name + "\n")
    if f"{name}:{_hits[name]}" == _KILL_AT:
        os.killpg(os.getpgrp(), signal.SIGKILL)
