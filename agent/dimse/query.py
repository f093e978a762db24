"""One C-FIND over an association: its matches, bounded in number and in time."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from agent.core.errors import Permanent, Transient
from agent.core.services import MESSAGE_TRANSFER_SYNTAXES

PENDING: Final = (0xFF00, 0xFF01)
_REFUSED: Final = (0x0122, 0x0124, 0xA900)  # SOP class not supported, not authorised, identifier does not match
_MOST_AFTER_CANCEL: Final = 1000
_MESSAGE_ID: Final = 1


def message_context(sop_class_uid: str) -> PresentationContext:
    """Return the presentation context of a service that carries no stored object."""
    return build_context(sop_class_uid, list(MESSAGE_TRANSFER_SYNTAXES))


def named(status: int | None) -> str:
    """Write a DIMSE status."""
    return "no response" if status is None else f"status 0x{status:04X}"


def failure(service: str, status: int | None) -> Transient | Permanent:
    """Return the error that a final status stands for: refused for good, or perhaps not the next time."""
    kind = Permanent if status in _REFUSED else Transient
    return kind(f"{service} ended with {named(status)}")


def hold_still(opened: Association) -> None:
    """Wait until pynetdicom's reactor stands still, so that it cannot take a response away from whoever waits for it.

    `send_c_find` waits for a flag that still stands from the operation before on the same association: a match was
    lost without a word.

    Raises
    ------
    Transient
        If the association is over.
    """
    checkpoint: Any = opened._reactor_checkpoint
    checkpoint.clear()
    while opened.is_alive() and not checkpoint._cond._waiters:
        time.sleep(0.0001)
    if not opened.is_established:
        raise Transient("the association ended before everything was asked")


def matches(
    opened: Association,
    query: Dataset,
    model: UID,
    *,
    most: int,
    until: float,
    clock: Callable[[], float],
) -> Iterator[Dataset]:
    """Yield the matches of one query (PS3.4 C.4.1). Who takes some of them takes all: the answer must be read whole.

    Raises
    ------
    Transient
        If it fails, or is not over when `clock` says `until`; the association is aborted then.
    Permanent
        If the peer refuses it, or there are more than `most`: the query is cancelled then (C-CANCEL, PS3.7 9.3.2.3).
    """
    hold_still(opened)
    for count, (status, match) in enumerate(opened.send_c_find(query, model, msg_id=_MESSAGE_ID), 1):
        code = status.get("Status")
        if code not in PENDING:
            if count > most + 1:
                raise Permanent(f"the peer lists too many: more than {most}")
            if code != 0x0000:
                raise failure("C-FIND", code)
            return
        if clock() > until or count > most + _MOST_AFTER_CANCEL:
            opened.abort()
            raise Transient(f"C-FIND was not over in time, after {count} matches")
        if count == most + 1:
            opened.send_c_cancel(_MESSAGE_ID, query_model=model)
        if match is not None and count <= most:
            yield match
