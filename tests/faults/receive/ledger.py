"""What was sent, what was acknowledged, and whether it is there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.core.ports import Record, RecordKind
from agent.spool import Disk, SpoolReader, SpoolWriter

ACKNOWLEDGED_KINDS = (RecordKind.INSTANCE, RecordKind.EVENT_REPORT, RecordKind.HL7)
SEGMENT_BYTES = 1 << 17  # small, so that many are made


def key(name: str, payload: bytes) -> str:
    """Return what tells one thing that was sent from all others: the UID of an instance, and the digest."""
    return f"{name} {sha256(payload).hexdigest()}"


@dataclass
class Ledger:
    """Keys of what was sent, and of what was acknowledged since."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    def copy(self) -> "Ledger":
        """Return another one that begins with the same."""
        return Ledger(set(self.sent), set(self.acknowledged))


@dataclass(frozen=True, slots=True)
class Broken:
    """Keys by what is wrong with them.

    Attributes
    ----------
    false
        Acknowledged, and not there with that digest.
    lost
        Those of them of which nothing is there.
    invented
        There, and never sent so.
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
    """Start a writer as after any end, and compare what a reader then shows with the ledger."""
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
    return compare(SpoolReader(folder).after({}), ledger)


def compare(records: Iterable[Record], ledger: Ledger) -> Broken:
    """Compare what is shown with the ledger."""
    shown = {_key_of(record) for record in records if record.kind in ACKNOWLEDGED_KINDS}
    false = ledger.acknowledged - shown
    names = {one.partition(" ")[0] for one in shown}
    lost = {one for one in false if one.partition(" ")[0] not in names}
    return Broken(frozenset(false), frozenset(lost), frozenset(shown - ledger.sent))


def _key_of(record: Record) -> str:
    return key(record.meta.get("sop_instance_uid", record.kind.name), record.payload)


def _not(_: Any) -> None:
    """Do nothing."""
