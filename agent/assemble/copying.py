"""Copying out what cannot be used, before its record counts as taken in."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Protocol

from agent.core.ports import Record, SpoolSource


class Quarantine(Protocol):
    """Where unusable objects are copied to."""

    def keep(
        self,
        part10: Iterable[bytes | memoryview],
        sha256: str,
        reason: str,
        *,
        size: int,
        received_at: datetime,
        sop_class_uid: str,
    ) -> object:
        """Keep an object and its reason; a second time changes nothing."""


def copy_out(
    record: Record, reason: str, spool: SpoolSource, part10: Callable[[Record], bytes], quarantine: Quarantine
) -> None:
    """Copy a record into quarantine as a file; what is too long to be in memory goes piece after piece.

    Raises
    ------
    Transient
        If the spool cannot be read, or the quarantine cannot be written.
    Permanent
        If the bytes are gone.
    """

    def pieces() -> Iterable[bytes | memoryview]:
        return spool.pieces(record.ref) if record.unread_bytes else (record.payload,)

    digest = hashlib.sha256()
    for piece in pieces():
        digest.update(piece)
    head = part10(replace(record, payload=b""))
    quarantine.keep(
        chain((head,), pieces()),
        digest.hexdigest(),
        reason,
        size=len(head) + (record.unread_bytes or len(record.payload)),
        received_at=record.received_at,
        sop_class_uid=record.meta.get("sop_class_uid", ""),
    )
