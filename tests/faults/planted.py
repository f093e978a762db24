"""Evidence made by hand: sound, or with something planted in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agent.core.case import Case, CaseState
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.ports import OutboxItem, OutboxStatus
from agent.core.result import Kind as ObjectKind
from agent.infer.attempts import STUCK as STUCK_TWICE
from tests.builders import PATIENT
from tests.faults.evidence import Bytes, Evidence, Kind, Made, Version, Violation, Witness

TWICE = f"{STUCK_TWICE}; its inputs: 1.1 (MG, used)"
NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
REF, BROKEN_REF = SpoolRef(1, 1, 64), SpoolRef(1, 1, 128)
RECEIVED, BROKEN = Bytes("1.1", "a" * 64), Bytes("1.2", "b" * 64)
SR, TEXT = Made("sr:L", Bytes("2.1", "c" * 64)), Made("text_sr", Bytes("2.2", "d" * 64))
CAPTURE = Made("secondary_capture:L:1", Bytes("2.3", "e" * 64))
RESERVE = Made("sr:L:comprehensive", Bytes("2.4", "9" * 64), instead_of="2.1")
SET = (SR, RESERVE, TEXT, CAPTURE)
SENT = (SR, TEXT, CAPTURE)


def case(state: CaseState = CaseState.DONE, **more: Any) -> Case:
    """Return a case in a state."""
    return Case(7, UUID(int=1), 1, "aln", PATIENT, state, 1, NOW, NOW, **more)


def item(made: Made, status: OutboxStatus | None = None) -> OutboxItem:
    """Return the outbox row of an object: of a version that was delivered to an archive that takes everything."""
    uid = made.bytes.sop_instance_uid
    kind = ObjectKind.TEXT_SR
    status = status or (OutboxStatus.SPARE if made.instead_of else OutboxStatus.CONFIRMED)
    return OutboxItem(1, 7, "pacs", status, 0, NOW, NOW, kind, made.role, "1.2", uid, "1.3", "1.4", "1.5")


def delivered(*made: Made, **more: Any) -> Version:
    """Return a delivered version with these objects."""
    values: dict[str, Any] = {"case": case(), "members": frozenset({"1.1"}), "asked": frozenset("L")}
    values |= {"estimated": frozenset("L")}
    return Version(**values | {"made": made, "outbox": tuple(map(item, made))} | more)


def arrival(ref: SpoolRef, uid: str, end: End) -> Arrival:
    """Return the end of a record."""
    return Arrival(ref, NOW, "a/1", uid, end, "")


def next_version(*made: Made, **more: Any) -> Version:
    """Return a delivered version 2 with these objects."""
    following = replace(case(), id=8, version=2)
    return delivered(*made, **{"case": following, "members": frozenset({"1.1", "1.3"})} | more)


def successor(made: Made, predecessor: str) -> Made:
    """Return the object of the next version; it names another as its predecessor."""
    own = Bytes(made.bytes.sop_instance_uid + ".2", made.bytes.sha256)
    instead_of = made.instead_of and f"{made.instead_of}.2"
    return Made(made.role, own, predecessor, instead_of=instead_of)


NEXT = (successor(SR, "2.1"), successor(RESERVE, ""), successor(TEXT, "2.2"), successor(CAPTURE, ""))


def followed(second: Version, first: Version | None = None) -> Evidence:
    """Return evidence of two versions whose objects all lie in the archive."""
    versions = [first or delivered(*SET), second]
    objects = [made.bytes for version in versions for made in version.made if not made.instead_of]
    return sound(versions=versions, archives={"pacs": Witness(requests=objects, kept=frozenset(objects))})


def sound(**changes: Any) -> Evidence:
    """Return evidence of one patient answered and one damaged object, with some of it changed."""
    objects = tuple(made.bytes for made in SENT)
    values: dict[str, Any] = {
        "now": NOW,
        "acknowledged": frozenset({RECEIVED, BROKEN}),
        "spooled": {REF: RECEIVED, BROKEN_REF: BROKEN},
        "arrivals": [arrival(REF, "1.1", End.COLLECTED), arrival(BROKEN_REF, "1.2", End.QUARANTINED)],
        "quarantined": frozenset({BROKEN.sha256}),
        "versions": [delivered(*SET)],
        "archives": {"pacs": Witness(requests=(*objects, objects[0]), kept=frozenset(objects))},
        "partial_ages": {"x.partial": timedelta(minutes=59)},
    }
    return Evidence(**values | changes)


def waiting(state: CaseState, **more: Any) -> Evidence:
    """Return evidence with a case that has no result yet."""
    return sound(versions=[Version(case=case(state, **more), members=frozenset({"1.1"}))], archives={"pacs": Witness()})


def kinds(violations: list[Violation]) -> list[Kind]:
    """Return the kinds of violations."""
    return [violation.kind for violation in violations]
