"""What was sent, what was acknowledged, and whether it is there."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import Record, RecordKind
from agent.spool import Disk, SpoolReader, SpoolWriter

ACKNOWLEDGED_KINDS = (RecordKind.INSTANCE, RecordKind.EVENT_REPORT, RecordKind.HL7)
SEGMENT_BYTES = 1 << 17  # small, so that many are made


def key(name: str, payload: bytes) -> str:
    """Return what tells one thing that was sent from all others: the UID of an instance, and the digest."""
    return f"{name} {sha256(payload).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a keeper has taken in: the last record of each segment, and where it found which key."""

    cursor: Mapping[int, SpoolRef] = field(default_factory=dict)
    places: Mapping[SpoolRef, str] = field(default_factory=dict)


@dataclass
class Ledger:
    """Keys of what was sent, and of what was acknowledged since and must be there; and what a keeper has taken in."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    taken: Taken = field(default_factory=Taken)

    def copy(self) -> "Ledger":
        """Return another one that begins with the same."""
        return Ledger(set(self.sent), set(self.acknowledged), self.taken)


@dataclass(frozen=True, slots=True)
class Broken:
    """Keys by what is wrong with them.

    Attributes
    ----------
    false
        Acknowledged, and not there with that digest, or a keeper that goes on from where it was does not see it.
    lost
        Those of them of which nothing is there.
    invented
        There, and never sent so; or at a place where a keeper read something else.
    stuck
        What a receiver that lives did not take within 30 s.
    """

    false: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    invented: frozenset[str] = frozenset()
    stuck: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.false or self.invented or self.stuck)


def check(folder: Path, ledger: Ledger) -> Broken:
    """Start a writer as after any end, and compare what readers then show with the ledger."""
    writer = SpoolWriter(
        folder,
        limit_bytes=1 << 30,
        refuse_below_free_bytes=0,
        segment_bytes=SEGMENT_BYTES,
        keep_spare=False,
        now=lambda: datetime.now(UTC),
        disk=Disk(fsync=_not, fdatasync=_not),  # nothing dies after it
    )
    writer.close()
    reader = SpoolReader(folder)
    shown = _keys(reader.after({}))
    seen = _keys(reader.after(ledger.taken.cursor)) | set(ledger.taken.places.values())
    false = ledger.acknowledged - (shown & seen)
    names = {one.partition(" ")[0] for one in shown}
    lost = {one for one in false if one.partition(" ")[0] not in names}
    invented = (shown - ledger.sent) | _misread(reader, ledger.taken)
    return Broken(frozenset(false), frozenset(lost), frozenset(invented))


def key_of(record: Record) -> str:
    """Return the key of what was recorded."""
    return key(record.meta.get("sop_instance_uid", record.kind.name), record.payload)


def _keys(records: Iterable[Record]) -> set[str]:
    return {key_of(record) for record in records if record.kind in ACKNOWLEDGED_KINDS}


def _misread(reader: SpoolReader, taken: Taken) -> set[str]:
    """Return keys of what stands at places where something else was read before."""
    found = set()
    for ref, before in taken.places.items():
        with suppress(Permanent):  # it is gone, as it may be
            found |= {key_of(reader.read(ref))} - {before}
    return found


def _not(_: Any) -> None:
    """Do nothing."""
