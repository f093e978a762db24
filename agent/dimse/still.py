"""Who reads what comes on an association: pynetdicom's reactor, or we."""

import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from pynetdicom.association import Association

from agent.core.errors import Transient


class AssociationLost(Transient):
    """The peer ended an association that we had."""


def message_ids() -> Iterator[int]:
    """Return Message IDs (PS3.7 E.1), none of which comes again before all the others did."""
    return cycle(range(1, 0x10000))


def hold_still(opened: Association) -> None:
    """Wait until pynetdicom's reactor stands still, so that it cannot take a response away from whoever waits for it.

    pynetdicom itself waits for a flag that may still stand from the operation before on the same association: then the
    reactor runs on, and a response or a match is lost without a word.

    Raises
    ------
    AssociationLost
        If the association is over.
    Transient
        If something came that nobody asked for, such as a second response to what was asked before: it would be taken
        for the response to what is asked next, so the association is aborted.
    """
    checkpoint: Any = opened._reactor_checkpoint
    checkpoint.clear()
    while opened.is_alive() and not checkpoint._cond._waiters:
        time.sleep(0.0001)
    if not opened.is_established:
        checkpoint.set()
        raise AssociationLost("the association ended before everything was said")
    if any(message is not None for _, message in tuple(opened.dimse.msg_queue.queue)):
        opened.abort()
        raise Transient("the peer sent a message that nobody asked for")
