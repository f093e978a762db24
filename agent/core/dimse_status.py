"""Every status that a peer may answer with when results are delivered: what it is called, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

T = TypeVar("T", bound=StrEnum)


class StatusClass(StrEnum):
    """Classes of status (PS3.7 table C-1)."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    CANCEL = "cancel"
    PENDING = "pending"


class Judgement(StrEnum):
    """What follows from one C-STORE response."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored_with_warning"
    RETRY = "retry"  # the peer could not, now
    NOT_OFFERED = "not_offered"  # the peer takes no object of this SOP class from anybody
    REFUSED = "refused"  # the peer will not, ever


class Asked(StrEnum):
    """What follows from the response to a storage commitment request (N-ACTION)."""

    ACCEPTED = "accepted"  # a report follows
    ASK_AGAIN = "ask_again"  # later, under a new Transaction UID
    NOT_OFFERED = "not_offered"  # this peer commits to nothing that we ask: C-FIND is the proof instead


class Uncommitted(StrEnum):
    """What follows for an object that a storage commitment report names as failed."""

    SEND_AGAIN = "send_again"
    ASK_AGAIN = "ask_again"  # under a new Transaction UID
    NOT_OFFERED = "not_offered"  # as where its SOP class is not accepted
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One status, or a range of them, with both ends; the first row of a table that covers a status counts."""

    first: int
    last: int
    name: str
    kind: StatusClass
    then: T
    source: str

    @property
    def codes(self) -> str:
        """The status as the standard writes it: A700, or A700-A7FF."""
        return f"{self.first:04X}" if self.first == self.last else f"{self.first:04X}-{self.last:04X}"


_B2: Final = "PS3.4 table B.2-1"
_C1: Final = "PS3.7 table C-1"
_C5: Final = "PS3.7 annex C.5"
_REASON: Final = "PS3.3 C.14.1.1"
_SUCCESS, _WARNING, _FAILURE = StatusClass.SUCCESS, StatusClass.WARNING, StatusClass.FAILURE

_SAID: Final = (  # PS3.7 annex C: what any service may answer
    (0x0105, "no such attribute"),
    (0x0106, "invalid attribute value"),
    (0x0110, "processing failure"),
    (0x0111, "duplicate SOP instance"),
    (0x0112, "no such SOP instance"),
    (0x0113, "no such event type"),
    (0x0114, "no such argument"),
    (0x0115, "invalid argument value"),
    (0x0117, "invalid SOP instance"),
    (0x0118, "no such SOP class"),
    (0x0119, "class-instance conflict"),
    (0x0120, "missing attribute"),
    (0x0121, "missing attribute value"),
    (0x0122, "refused: SOP class not supported"),
    (0x0123, "no such action type"),
    (0x0124, "refused: not authorized"),
    (0x0210, "duplicate invocation"),
    (0x0211, "unrecognized operation"),
    (0x0212, "mistyped argument"),
    (0x0213, "resource limitation"),
)
_WARNED: Final = (
    (0x0001, 0x0001, "warning", _C1),
    (0x0107, 0x0107, "attribute list error", "PS3.7 annex C.4"),
    (0x0116, 0x0116, "attribute value out of range", "PS3.7 annex C.4"),
    (0xB000, 0xBFFF, "warning", _C1),
)
_OTHER_FAILURES: Final = (
    (0x0100, 0x02FF, "failure", _C1),
    (0xA000, 0xAFFF, "failure", _C1),
    (0xC000, 0xCFFF, "failure", _C1),
)
_OUT_OF_PLACE: Final = (  # no answer to what we ask
    (0xFE00, 0xFE00, "canceled", StatusClass.CANCEL, "PS3.7 annex C.3"),
    (0xFF00, 0xFF01, "pending", StatusClass.PENDING, "PS3.7 annex C.2"),
    (0x0000, 0xFFFF, "no status of the standard", _FAILURE, "-"),
)
_C_STORE_FAILURES: Final = {
    0x0110: Judgement.RETRY,
    0x0118: Judgement.NOT_OFFERED,
    0x0122: Judgement.NOT_OFFERED,
    0x0213: Judgement.RETRY,
}
_NO_COMMITMENT: Final = frozenset({0x0112, 0x0117, 0x0118, 0x0119, 0x0122, 0x0123, 0x0124, 0x0211})

C_STORE: Final[Sequence[Row[Judgement]]] = (
    Row(0x0000, 0x0000, "success", _SUCCESS, Judgement.STORED, _B2),
    Row(0xA700, 0xA7FF, "refused: out of resources", _FAILURE, Judgement.RETRY, _B2),
    Row(0xA900, 0xA9FF, "error: data set does not match SOP class", _FAILURE, Judgement.REFUSED, _B2),
    Row(0xC000, 0xCFFF, "error: cannot understand", _FAILURE, Judgement.REFUSED, _B2),
    Row(0xB000, 0xB000, "coercion of data elements", _WARNING, Judgement.STORED_WITH_WARNING, _B2),
    Row(0xB006, 0xB006, "elements discarded", _WARNING, Judgement.STORED_WITH_WARNING, _B2),
    Row(0xB007, 0xB007, "data set does not match SOP class", _WARNING, Judgement.STORED_WITH_WARNING, _B2),
    # what a repeated delivery under the same UID wants: the peer has the object already
    Row(0x0111, 0x0111, "duplicate SOP instance", _FAILURE, Judgement.STORED_WITH_WARNING, _C5),
    *(Row(a, b, name, _WARNING, Judgement.STORED_WITH_WARNING, source) for a, b, name, source in _WARNED),
    *(Row(c, c, name, _FAILURE, _C_STORE_FAILURES.get(c, Judgement.REFUSED), _C5) for c, name in _SAID if c != 0x0111),
    *(Row(a, b, name, _FAILURE, Judgement.REFUSED, source) for a, b, name, source in _OTHER_FAILURES[:2]),
    *(Row(a, b, name, kind, Judgement.REFUSED, source) for a, b, name, kind, source in _OUT_OF_PLACE),
)
"""Statuses of a C-STORE response."""

N_ACTION: Final[Sequence[Row[Asked]]] = (
    Row(0x0000, 0x0000, "success", _SUCCESS, Asked.ACCEPTED, "PS3.7 annex C.1"),
    Row(0x0131, 0x0131, "duplicate transaction UID", _FAILURE, Asked.ASK_AGAIN, _REASON),
    *(Row(a, b, name, _WARNING, Asked.ACCEPTED, source) for a, b, name, source in _WARNED),
    *(
        Row(c, c, name, _FAILURE, Asked.NOT_OFFERED if c in _NO_COMMITMENT else Asked.ASK_AGAIN, _C5)
        for c, name in _SAID
    ),
    *(Row(a, b, name, _FAILURE, Asked.ASK_AGAIN, source) for a, b, name, source in _OTHER_FAILURES),
    *(Row(a, b, name, kind, Asked.ASK_AGAIN, source) for a, b, name, kind, source in _OUT_OF_PLACE),
)
"""Statuses of the response to a storage commitment request."""

FAILURE_REASON: Final[Sequence[Row[Uncommitted]]] = (
    Row(0x0110, 0x0110, "processing failure", _FAILURE, Uncommitted.SEND_AGAIN, _REASON),
    Row(0x0112, 0x0112, "no such object instance", _FAILURE, Uncommitted.SEND_AGAIN, _REASON),
    Row(0x0119, 0x0119, "class/instance conflict", _FAILURE, Uncommitted.REFUSED, _REASON),
    Row(0x0122, 0x0122, "referenced SOP class not supported", _FAILURE, Uncommitted.NOT_OFFERED, _REASON),
    Row(0x0131, 0x0131, "duplicate transaction UID", _FAILURE, Uncommitted.ASK_AGAIN, _REASON),
    Row(0x0213, 0x0213, "resource limitation", _FAILURE, Uncommitted.SEND_AGAIN, _REASON),
    Row(0x0000, 0xFFFF, "no reason of the standard", _FAILURE, Uncommitted.SEND_AGAIN, "-"),
)
"""Failure Reason (0008,1197) of one object in a storage commitment report."""


def row_of(table: Sequence[Row[T]], status: int) -> Row[T]:
    """Return the row of a status in [0, 0xFFFF]; every table has one for each."""
    return next(row for row in table if row.first <= status <= row.last)


def judge(status: int) -> Judgement:
    """Say what a DIMSE status of a C-STORE response in [0, 0xFFFF] means for the object that was sent."""
    return row_of(C_STORE, status).then


def spell(table: Sequence[Row[T]], status: int) -> str:
    """Write a status as number and name: "0xA700, refused: out of resources"."""
    return f"0x{status:04X}, {row_of(table, status).name}"
