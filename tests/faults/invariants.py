"""What must hold after every kill, judged from what can be seen from outside and in the database. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from agent.core.case import Case, CaseState
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.ports import OutboxItem, OutboxStatus

PARTIAL_AT_LONGEST = timedelta(hours=1)
OVERDUE = timedelta(minutes=2)
UNDERWAY = (OutboxStatus.WAITING, OutboxStatus.SENT)
WAITING = frozenset({CaseState.COLLECTING, CaseState.READY, CaseState.RUNNING, CaseState.DELIVERING})
TOLD_WHY = frozenset({CaseState.HELD, CaseState.FAILED})


class Kind(StrEnum):
    """What kind of promise was broken."""

    LOST = "lost"
    DUPLICATE = "duplicate"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """One object by its SOP Instance UID and the SHA-256 of its encoded dataset."""

    sop_instance_uid: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Made:
    """One result object as the database holds it."""

    role: str
    bytes: Bytes


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a case with all that hangs on it."""

    case: Case
    members: frozenset[str] = frozenset()  # SOP Instance UIDs
    made: Sequence[Made] = ()
    estimated: frozenset[str] = frozenset()  # sides with a number
    outbox: Sequence[OutboxItem] = ()


@dataclass(frozen=True, kw_only=True)
class Witness:
    """One archive: every C-STORE request that reached it, in order, and what it keeps."""

    requests: Sequence[Bytes] = ()
    kept: frozenset[Bytes] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is known at one moment."""

    now: datetime
    acknowledged: frozenset[Bytes] = frozenset()  # what a sender was answered 0x0000 for
    spooled: Mapping[SpoolRef, Bytes] = field(default_factory=dict)  # instance records alone
    arrivals: Sequence[Arrival] = ()
    quarantined: frozenset[str] = frozenset()  # SHA-256 of what was copied out with its reason
    versions: Sequence[Version] = ()
    archives: Mapping[str, Witness] = field(default_factory=dict)
    partial_ages: Mapping[str, timedelta] = field(default_factory=dict)  # of files that are being written


def check(seen: Evidence, *, drained: bool = False) -> list[Violation]:
    """Return every broken promise; `drained` adds those that hold once all work is done."""
    found = [*_received(seen), *_arrived(seen, drained), *_archived(seen), *_files(seen)]
    for version in seen.versions:
        found += _state(version, seen.now, drained)
        found += _result_set(version)
        found += _delivered(version, seen.archives)
    return found


def _received(seen: Evidence) -> Iterator[Violation]:
    """Each instance answered 0x0000 is in the spool, byte for byte."""
    for missing in seen.acknowledged - set(seen.spooled.values()):
        yield Violation(Kind.LOST, f"acknowledged, not in the spool: {missing.sop_instance_uid}")


def _arrived(seen: Evidence, drained: bool) -> Iterator[Violation]:
    """Each record of an instance has one end, and what was collected belongs to a case."""
    ends = Counter(arrival.ref for arrival in seen.arrivals)
    for ref, count in ends.items():
        if count > 1:
            yield Violation(Kind.DUPLICATE, f"{count} ends of one arrival: {ref}")
        if ref not in seen.spooled:
            yield Violation(Kind.DUPLICATE, f"an arrival without a record: {ref}")
    if drained:
        for ref in seen.spooled.keys() - ends.keys():
            yield Violation(Kind.STUCK, f"a record without an end: {ref}")
    held = frozenset().union(*(version.members for version in seen.versions))
    for arrival in seen.arrivals:
        if arrival.end in (End.COLLECTED, End.DUPLICATE) and arrival.sop_instance_uid not in held:
            yield Violation(Kind.LOST, f"collected, in no case: {arrival.sop_instance_uid}")
        copied = arrival.ref in seen.spooled and seen.spooled[arrival.ref].sha256 in seen.quarantined
        if arrival.end is End.QUARANTINED and not copied:
            yield Violation(Kind.LOST, f"quarantined, no copy with its reason: {arrival.sop_instance_uid}")


def _state(version: Version, now: datetime, drained: bool) -> Iterator[Violation]:
    """Each version has ended, waits for a moment that comes, or says why a person is needed."""
    case = version.case
    about = f"case {case.id} is {case.state}"
    underway = [item for item in version.outbox if item.status in UNDERWAY]
    if case.state in TOLD_WHY and not case.reason:
        yield Violation(Kind.STUCK, f"{about} without a reason")
    if case.state in (CaseState.COLLECTING, CaseState.DORMANT, CaseState.RUNNING) and case.due_at is None:
        yield Violation(Kind.STUCK, f"{about} and nobody looks at it again")
    if case.state is CaseState.COLLECTING and case.due_at is not None and now - case.due_at > OVERDUE:
        yield Violation(Kind.STUCK, f"{about} and was due at {case.due_at}")
    if case.state is CaseState.DELIVERING and not underway:
        yield Violation(Kind.STUCK, f"{about} and nothing of it is on its way")
    if case.state is CaseState.DONE and underway:
        yield Violation(Kind.STUCK, f"{about} and {len(underway)} objects are still on their way")
    if drained and case.state in WAITING:
        yield Violation(Kind.STUCK, f"{about} at the end: {case.reason}")


def _result_set(version: Version) -> Iterator[Violation]:
    """A delivered version has one text SR, an SR for each axilla with an estimate, and no role twice."""
    if version.case.state not in (CaseState.DELIVERING, CaseState.DONE) or not version.made:
        return
    about = f"case {version.case.id}"
    roles = Counter(made.role for made in version.made)
    for role, count in roles.items():
        if count > 1:
            yield Violation(Kind.DUPLICATE, f"{about} has {count} objects {role}")
    wanted = {"text_sr", *(f"sr:{side}" for side in version.estimated)}
    reports = {role for role in roles if not role.startswith("secondary_capture")}
    for role in sorted(wanted - reports):
        yield Violation(Kind.LOST, f"{about} has no object {role}")
    for role in sorted(reports - wanted):
        yield Violation(Kind.DUPLICATE, f"{about} has an object {role} too many")


def _delivered(version: Version, archives: Mapping[str, Witness]) -> Iterator[Violation]:
    """What counts as confirmed lies in the archive, with the bytes that were saved."""
    made = {one.bytes.sop_instance_uid: one.bytes for one in version.made}
    for item in version.outbox:
        if item.status is OutboxStatus.CONFIRMED and made[item.sop_instance_uid] not in archives[item.destination].kept:
            yield Violation(Kind.LOST, f"case {version.case.id} {item.role}: confirmed, not in {item.destination}")
    if version.case.state is CaseState.DONE and version.made:
        for name in archives.keys() - {item.destination for item in version.outbox}:
            yield Violation(Kind.LOST, f"case {version.case.id}: nothing was queued for {name}")


def _archived(seen: Evidence) -> Iterator[Violation]:
    """An archive got nothing that no version accounts for, and no UID with two contents."""
    made = {one.bytes for version in seen.versions for one in version.made}
    for name, witness in seen.archives.items():
        contents = Counter(one.sop_instance_uid for one in set(witness.requests))
        for uid, count in contents.items():
            if count > 1:
                yield Violation(Kind.DUPLICATE, f"{name} got {count} contents under one UID: {uid}")
        for stray in set(witness.requests) - made:
            yield Violation(Kind.DUPLICATE, f"{name} got an object that no version accounts for: {stray}")


def _files(seen: Evidence) -> Iterator[Violation]:
    """What was half written is written again or gone within the hour."""
    for name, age in seen.partial_ages.items():
        if age > PARTIAL_AT_LONGEST:
            yield Violation(Kind.STUCK, f"{name} is {age} old")
