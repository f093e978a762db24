"""One C-FIND over an association: its matches, bounded in number and in time."""

from collections.abc import Callable, Iterator
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from agent.core.errors import Permanent, Transient
from agent.core.services import MESSAGE_TRANSFER_SYNTAXES
from agent.dimse.still import hold_still

PENDING: Final = (0xFF00, 0xFF01)
_REFUSED: Final = (0x0122, 0x0124, 0xA900)  # SOP class not supported, not authorised, identifier does not match
_WORDS: Final = {  # PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4, PS3.7 annex C
    0x0110: "processing failure",
    0x0122: "it does not support this SOP class",
    0x0124: "it does not authorise us",
    0xA700: "it is out of resources",
    0xA701: "it is out of resources: it cannot count the matches",
    0xA702: "it is out of resources: it cannot send",
    0xA801: "the PACS does not know our AE title as a destination",
    0xA900: "it does not understand the identifiers of the query",
    0xFE00: "it was cancelled",
}
_MOST_AFTER_CANCEL: Final = 1000


def message_context(sop_class_uid: str) -> PresentationContext:
    """Return the presentation context of a service that carries no stored object."""
    return build_context(sop_class_uid, list(MESSAGE_TRANSFER_SYNTAXES))


def named(status: int | None) -> str:
    """Write a DIMSE status."""
    return "no response" if status is None else f"status 0x{status:04X}"


def failure(service: str, status: int | None) -> Transient | Permanent:
    """Return the error that a final status stands for, in words: refused for good, or perhaps not the next time."""
    kind = Permanent if status in _REFUSED else Transient
    words = _WORDS.get(status or 0) or ("it cannot process the request" if (status or 0) >> 12 == 0xC else "")
    return kind(f"{service} ended with {named(status)}{f': {words}' if words else ''}")


def matches(
    opened: Association,
    query: Dataset,
    model: UID,
    *,
    message_id: int,
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
    for count, (status, match) in enumerate(opened.send_c_find(query, model, msg_id=message_id), 1):
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
            opened.send_c_cancel(message_id, query_model=model)
        if match is not None and count <= most:
            yield match
