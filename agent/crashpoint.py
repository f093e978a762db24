"""Named boundaries at which the fault tests kill the agent; in production each is one comparison."""

import itertools
import os
import signal
from typing import Final

POINTS: Final = (
    "receive.association_accepted",
    "spool.after_append",
    "spool.after_sync",
    "receive.after_success",
    "receive.after_event_report",
    "receive.after_hl7",
    "assemble.after_copy",
    "assemble.after_commit",
    "assemble.after_facts",
    "assemble.after_complete",
    "infer.after_claim",
    "infer.after_estimate",
    "infer.after_save",
    "deliver.before_first_store",
    "dimse.after_request",
    "deliver.after_answer",
    "deliver.between_stores",
    "deliver.after_last_store",
    "deliver.before_action",
    "deliver.after_action",
    "deliver.after_confirm",
)
"""Every boundary, in the order in which data crosses them. The fault tests fail if one is never reached."""
HOUSEKEEPING: Final = ("spool.copied", "spool.moved", "spool.released")
"""Boundaries that are crossed only where the room is scarce; they have tests of their own."""

_KILL_AT: Final = os.environ.get("SENTINODE_TEST_KILL_AT", "")  # "name:hit": the whole process group, each time
_KILL_ORDER: Final = os.environ.get(
    "SENTINODE_TEST_KILL_ORDER", ""
)  # a file: "name hit alone|tree number", obeyed once
_TRACE: Final = os.environ.get("SENTINODE_TEST_TRACE", "")  # a file that collects the names reached
_crossed: dict[str, "itertools.count[int]"] = {}


def crashpoint(name: str) -> None:
    """Mark a boundary; kill this process or the whole group here if a fault test ordered it.

    Raises
    ------
    KeyError
        If `name` is not declared here (only while a fault test is on).
    """
    if not (_KILL_AT or _KILL_ORDER or _TRACE):
        return
    if name not in POINTS + HOUSEKEEPING:
        raise KeyError(name)
    if _TRACE:
        with open(_TRACE, "a", encoding="ascii") as trace:
            trace.write(name + "\n")
    if _KILL_AT and f"{name}:{_crossing(name)}" == _KILL_AT:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    if _KILL_ORDER:
        _obey(name)


def _crossing(of: str) -> int:
    """Count a crossing, and return which one it is."""
    return next(_crossed.setdefault(of, itertools.count(1)))


def _obey(name: str) -> None:
    """Carry out the order that lies in the file, if it is for this boundary and this crossing of it since it came.

    The order is taken away first: the process that is started again crosses the boundary unharmed.
    """
    try:
        with open(_KILL_ORDER, encoding="ascii") as file:
            order = file.read()
    except FileNotFoundError:
        return
    wanted, hit, whom, _ = order.split()
    if name != wanted or _crossing(order) != int(hit):
        return
    os.unlink(_KILL_ORDER)
    if whom == "tree":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
