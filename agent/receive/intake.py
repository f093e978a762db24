"""What the data loop's requests lead to: echoes are answered, objects and reports go to the spool as they come."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from agent.core.errors import Transient
from agent.core.services import STORAGE_COMMITMENT
from agent.crashpoint import crashpoint
from agent.receive.complaints import Level
from agent.receive.journal import AssociationLog, Draft
from agent.receive.lane import Answer, Operation, Request
from agent.receive.negotiation import STORAGE_SOP_CLASSES
from agent.receive.settings import Service
from agent.receive.statuses import (
    CANNOT_UNDERSTAND,
    NO_SUCH_EVENT_TYPE,
    NO_SUCH_SOP_CLASS,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    RESOURCE_LIMITATION,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    UNRECOGNIZED_OPERATION,
)

MAX_UID_LENGTH: Final = 255  # PS3.5 says 64; real modalities do not keep to it
MAX_REPORT_BYTES: Final = 1 << 20
"""Longest event information, all of which is held at once: results for some 9,000 objects. The agent asks for tens."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Tally:
    """What an association stored."""

    objects: int = 0
    bytes: int = 0


class Complain(Protocol):
    """Warns of something in an association."""

    def __call__(self, event: str, reason: str, *, level: Level = "warning", **ids: str) -> None:
        """Warn; `ids` say of what."""


class Intake:
    """Answers the requests of one association. What is no service of ours is refused, whatever it is.

    Parameters
    ----------
    log
        Where its records go.
    parties
        Who calls whom, from where: part of each record's meta.
    may
        What the caller may do.
    contexts
        Accepted presentation contexts: id -> (abstract syntax, transfer syntax).
    sop_classes
        UIDs of what may be stored; None: all.
    complain
        Warns of what is refused.
    """

    def __init__(
        self,
        log: AssociationLog,
        parties: Mapping[str, str],
        may: frozenset[Service],
        contexts: Mapping[int, tuple[str, str]],
        sop_classes: Container[str] | None = None,
        *,
        complain: Complain,
    ) -> None:
        self._association = log
        self._parties = parties
        self._may = may
        self._contexts = contexts
        self._sop_classes = sop_classes
        self._complain = complain
        self._log = _log.bind(association_id=log.association_id)
        self._storable = {abstract for abstract, _ in contexts.values() if abstract in STORAGE_SOP_CLASSES}
        self.tally = Tally()

    def begin(self, request: Request, context_id: int) -> Answer:
        """Begin to answer a request."""
        match request.field:
            case Operation.ECHO:
                return _Settled(SUCCESS if "echo" in self._may else NOT_AUTHORIZED)
            case Operation.STORE:
                return self._begin_store(request, *self._contexts[context_id])
            case Operation.EVENT_REPORT:
                return self._begin_report(request, *self._contexts[context_id])
        return _Settled(UNRECOGNIZED_OPERATION)

    def answered(self, request: Request, status: int) -> None:
        """Mark the boundary behind the acknowledgement: the sender may now forget the object."""
        if request.field == Operation.STORE and status == SUCCESS:
            crashpoint("receive.after_success")

    def stored(self, sop_instance: str, size: int) -> None:
        """Count an object of so many bytes that is durable; the end of its association tells how many there were.

        A line for each would cost a fifth of the receiver's throughput, and the database knows them all.
        """
        self.tally.objects += 1
        self.tally.bytes += size
        self._log.debug("instance_stored", sop_instance_uid=sop_instance)

    def refused(self, sop_instance: str, reason: str) -> None:
        """Log an object that is not taken; complaints are not of each."""
        self._log.debug("instance_refused", sop_instance_uid=sop_instance, reason=reason)
        self._complain("instance_refused", reason, level="error", sop_instance_uid=sop_instance)

    def _begin_store(self, request: Request, abstract_syntax: str, transfer_syntax: str) -> Answer:
        if "store" not in self._may:
            return _Settled(NOT_AUTHORIZED)
        if abstract_syntax not in STORAGE_SOP_CLASSES:
            return _Settled(SOP_CLASS_NOT_SUPPORTED)
        sop_class, sop_instance = _text(request.sop_class_uid), _text(request.sop_instance_uid)
        if not (request.has_dataset and _is_bearable(sop_class) and _is_bearable(sop_instance)):
            self._complain("instance_refused", "the request lacks its dataset or a UID")
            return _Settled(CANNOT_UNDERSTAND)
        if sop_class not in self._storable:  # one over a wrong context of these is as good: what it is was agreed on
            self._complain("instance_refused", "a SOP class that was not negotiated", sop_instance_uid=sop_instance)
            return _Settled(SOP_CLASS_NOT_SUPPORTED)
        if self._sop_classes is not None and sop_class not in self._sop_classes:
            return _Settled(SOP_CLASS_NOT_SUPPORTED)
        return self._store(sop_class, sop_instance, transfer_syntax)

    def _begin_report(self, request: Request, abstract_syntax: str, transfer_syntax: str) -> Answer:
        """Begin to take a storage commitment result (PS3.4 section J.3.3), which is kept as it comes."""
        if "commit" not in self._may:
            return _Settled(NOT_AUTHORIZED)
        if abstract_syntax != STORAGE_COMMITMENT:
            return _Settled(NO_SUCH_SOP_CLASS)
        if request.event_type_id is None:
            return _Settled(NO_SUCH_EVENT_TYPE)
        meta = {"event_type_id": str(request.event_type_id), "transfer_syntax_uid": transfer_syntax}
        return _Reported(
            self._association, meta, lambda reason: self._complain("event_report_refused", reason, level="error")
        )

    def _store(self, sop_class: str, sop_instance: str, transfer_syntax: str) -> Answer:
        meta = {
            **self._parties,
            "sop_class_uid": sop_class,
            "sop_instance_uid": sop_instance,
            "transfer_syntax_uid": transfer_syntax,
        }
        try:
            return _Stored(self, self._association.begin(meta), sop_instance)
        except Transient as error:
            self.refused(sop_instance, str(error))
            return _Settled(OUT_OF_RESOURCES)


class _Settled:
    """A request whose status is known from the start; what follows it is dropped."""

    def __init__(self, status: int) -> None:
        self._status = status

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Drop a part."""

    def finish(self, chunks: Sequence[memoryview]) -> int:
        """Return the status."""
        return self._status

    def abandon(self) -> None:
        """Nothing was kept."""


class _Stored:
    """An object on its way into the spool. After an error the rest of it is dropped, and it is refused at its end."""

    def __init__(self, intake: Intake, draft: Draft, sop_instance: str) -> None:
        self._intake = intake
        self._draft: Draft | None = draft
        self._sop_instance = sop_instance
        self._bytes = 0

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Append a part; not yet durable."""
        if self._draft is not None:
            try:
                self._draft.write(chunks)
                self._bytes += sum(map(len, chunks))
            except Transient as error:
                self._refuse(error)

    def finish(self, chunks: Sequence[memoryview]) -> int:
        """Append the rest, and return Success only when all of it is durable."""
        if self._draft is None:
            return OUT_OF_RESOURCES
        try:
            self._draft.commit(chunks)
        except Transient as error:
            self._refuse(error)
            return OUT_OF_RESOURCES
        self._intake.stored(self._sop_instance, self._bytes + sum(map(len, chunks)))
        return SUCCESS

    def abandon(self) -> None:
        """Forget the object."""
        if self._draft is not None:
            self._draft.abandon()

    def _refuse(self, error: Transient) -> None:
        self._intake.refused(self._sop_instance, str(error))
        self.abandon()
        self._draft = None


class _Reported:
    """An event report on its way into the spool. One that is too long is dropped, and refused at its end."""

    def __init__(self, association: AssociationLog, meta: Mapping[str, str], refused: Callable[[str], None]) -> None:
        self._association = association
        self._meta = meta
        self._refused = refused
        self._information = bytearray()
        self._is_too_long = False

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Hold a part."""
        for chunk in chunks:
            if len(self._information) + len(chunk) > MAX_REPORT_BYTES:
                self._is_too_long = True
                self._information.clear()
            if not self._is_too_long:
                self._information += chunk

    def finish(self, chunks: Sequence[memoryview]) -> int:
        """Hold the rest, and return Success only when the report is durable."""
        self.write(chunks)
        if self._is_too_long:
            return self._refuse("longer than a report may be")
        try:
            self._association.report(self._meta, bytes(self._information))
        except Transient as error:
            return self._refuse(str(error))
        crashpoint("receive.after_event_report")
        return SUCCESS

    def abandon(self) -> None:
        """Nothing was kept."""

    def _refuse(self, reason: str) -> int:
        self._refused(reason)
        return RESOURCE_LIMITATION


def _text(uid: bytes | None) -> str:
    """Return a UID without its padding. Of several values the first counts; bytes beyond ASCII stay what they are."""
    return (uid or b"").partition(b"\\")[0].rstrip(b"\0 ").decode("latin-1")


def _is_bearable(uid: str) -> bool:
    return 0 < len(uid) <= MAX_UID_LENGTH
