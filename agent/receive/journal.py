"""What the receiver alone knows, written to the spool in an order the keeper can rely on.

RECEIVER_STARTED before anything of this run, ASSOCIATION_OPENED before the association's instances,
ASSOCIATION_CLOSED after them. On a full disk a record that cannot be written now is written later.
"""

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind

_RETRY_S: Final = 1.0


class Draft(Protocol):
    """A record that is being written. After an error it is over."""

    @property
    def taken_bytes(self) -> int:
        """What it keeps from others until its end, in bytes."""

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Append a part of the payload, not yet durable; done with the buffers on return. Raises Transient."""

    def commit(self, chunks: Sequence[memoryview] = ()) -> SpoolRef:
        """Append the rest of the payload, and return when the record is durable. Raises Transient."""

    def abandon(self) -> None:
        """Leave nothing of it. Harmless when repeated."""


class SpoolChannel(Protocol):
    """One association's way into the spool. One draft at a time."""

    def append(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes) -> SpoolRef:
        """Append one record and return when it is durable. Raises Transient."""

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> Draft:
        """Begin a record whose payload is still to come. Raises Transient; Permanent if the meta is too long."""

    def close(self) -> None:
        """Give it back."""


class Spool(Protocol):
    """Writing side of the spool."""

    def channel(self) -> SpoolChannel:
        """Return a channel of its own for one association."""

    def has_free_disk(self) -> bool:
        """Tell whether objects would be taken now, as far as free bytes decide."""

    def usable_bytes(self) -> int:
        """Return the most bytes that its segments may take now: the disk may have less for them than the limit."""


class Journal:
    """The receiver's own records. Threads of all associations share it.

    Parameters
    ----------
    spool
        Where they go.
    run_id
        Identity of this run of the receiver.
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(self, spool: Spool, run_id: UUID, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._spool = spool
        self._run_id = run_id
        self._monotonic = monotonic
        self._next_try = -math.inf
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._is_started = False
        self._endings: deque[str] = deque()

    def start(self) -> None:
        """Record that a receiver started, once. Raises Transient."""
        with self._lock:
            if not self._is_started:
                self.note(RecordKind.RECEIVER_STARTED, {"run_id": str(self._run_id)})
                self._is_started = True

    def association(
        self, counted: Callable[[SpoolChannel], SpoolChannel] = lambda channel: channel
    ) -> "AssociationLog":
        """Return the log of a new association; `counted` makes of its channel one that counts what is unfinished."""
        return AssociationLog(self, counted(self._spool.channel()), f"{self._run_id}/{next(self._numbers)}")

    def report(self, meta: Mapping[str, str], payload: bytes) -> None:
        """Record an event report, over a channel of its own. Raises Transient."""
        self.start()
        self.note(RecordKind.EVENT_REPORT, meta, payload)

    def message(self, meta: Mapping[str, str], payload: bytes) -> None:
        """Record an HL7 message, over a channel of its own. Raises Transient; Permanent if the meta is too long."""
        self.start()
        self.note(RecordKind.HL7, meta, payload)

    def ended(self, association_id: str) -> None:
        """Remember an association whose end could not be written."""
        self._endings.append(association_id)

    def catch_up(self, *, at_once: bool = False) -> None:
        """Write the ends that are still to be written, as far as the disk lets us.

        On a full disk a try costs an allocation, and the one that calls accepts connections: after a failure nothing
        is tried for a second, unless `at_once`.
        """
        with self._lock:
            if self._monotonic() < self._next_try and not at_once:
                return
            while self._endings:
                try:
                    self.note(RecordKind.ASSOCIATION_CLOSED, {"association_id": self._endings[0]})
                except Transient:
                    self._next_try = self._monotonic() + _RETRY_S
                    return
                self._endings.popleft()

    def note(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes = b"") -> None:
        """Append one record, over a channel of its own for as long as that takes. Raises Transient."""
        channel = self._spool.channel()
        try:
            channel.append(kind, meta, payload)
        finally:
            channel.close()


class AssociationLog:
    """The records of one association. Only its own thread writes.

    It takes a segment of its own with its first instance: one that stores nothing costs no more than two small records
    among those of others.
    """

    def __init__(self, journal: Journal, channel: SpoolChannel, association_id: str) -> None:
        self.association_id = association_id
        self._journal = journal
        self._channel = channel
        self._opening: Mapping[str, str] | None = None
        self._is_opened = False
        self._has_stored = False

    def open(self, meta: Mapping[str, str]) -> None:
        """Record that the association was accepted. Raises Transient; then the first instance tries again."""
        self._opening = {"association_id": self.association_id, **meta}
        self._record_opening()

    def begin(self, meta: Mapping[str, str]) -> Draft:
        """Begin to record an instance that is still to come. Raises Transient."""
        self._record_opening()
        self._has_stored = True
        return self._channel.begin(RecordKind.INSTANCE, {"association_id": self.association_id, **meta})

    def report(self, meta: Mapping[str, str], payload: bytes) -> None:
        """Record an event report; it is durable on return. Raises Transient."""
        self._journal.report({"association_id": self.association_id, **meta}, payload)

    def close(self) -> None:
        """Record the end, if the beginning was recorded, and give the channel back."""
        try:
            if self._is_opened:
                self._record_end()
        except Transient:
            self._journal.ended(self.association_id)
        finally:
            self._channel.close()

    def _record_opening(self) -> None:
        if not self._is_opened and self._opening is not None:
            self._journal.start()
            self._journal.note(RecordKind.ASSOCIATION_OPENED, self._opening)
            self._is_opened = True

    def _record_end(self) -> None:
        """Behind its instances there is room for it, also on a full disk."""
        meta = {"association_id": self.association_id}
        if self._has_stored:
            self._channel.append(RecordKind.ASSOCIATION_CLOSED, meta, b"")
        else:
            self._journal.note(RecordKind.ASSOCIATION_CLOSED, meta)
