"""The checker itself: sound evidence passes, and each broken promise is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from agent.core.case import Case, CaseState
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus
from agent.core.result import Kind as ObjectKind
from agent.infer.attempts import STUCK as STUCK_TWICE
from tests.builders import PATIENT
from tests.faults.evidence import Bytes, Evidence, Kind, Made, Version, Violation, Witness
from tests.faults.invariants import check, given_up

TWICE = f"{STUCK_TWICE}; its inputs: 1.1 (MG, used)"
NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
REF, BROKEN_REF = SpoolRef(1, 1, 64), SpoolRef(1, 1, 128)
RECEIVED, BROKEN = Bytes("1.1", "a" * 64), Bytes("1.2", "b" * 64)
SR, TEXT = Made("sr:L", Bytes("2.1", "c" * 64)), Made("text_sr", Bytes("2.2", "d" * 64))
CAPTURE = Made("secondary_capture:L:1", Bytes("2.3", "e" * 64))
SET = (SR, TEXT, CAPTURE)


def case(state: CaseState = CaseState.DONE, **more: Any) -> Case:
    """Return a case in a state."""
    return Case(7, UUID(int=1), 1, "aln", PATIENT, state, 1, NOW, NOW, **more)


def item(made: Made, status: OutboxStatus = OutboxStatus.CONFIRMED) -> OutboxItem:
    """Return the outbox row of an object."""
    uid = made.bytes.sop_instance_uid
    kind = ObjectKind.TEXT_SR
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
    return Made(made.role, own, predecessor)


NEXT = (successor(SR, "2.1"), successor(TEXT, "2.2"), successor(CAPTURE, ""))


def followed(second: Version, first: Version | None = None) -> Evidence:
    """Return evidence of two versions whose objects all lie in the archive."""
    versions = [first or delivered(*SET), second]
    objects = [made.bytes for version in versions for made in version.made]
    return sound(versions=versions, archives={"pacs": Witness(requests=objects, kept=frozenset(objects))})


def sound(**changes: Any) -> Evidence:
    """Return evidence of one patient answered and one damaged object, with some of it changed."""
    objects = tuple(made.bytes for made in SET)
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


def test_sound_evidence_passes() -> None:
    """A repeated request with the same bytes is no duplicate, a young partial file no leftover."""
    assert check(sound(), drained=True) == []


def test_a_version_that_names_the_one_before_passes() -> None:
    """Its documents supersede those of the version before, whatever the order in which they are read."""
    seen = followed(next_version(*NEXT))
    assert check(seen, drained=True) == []
    assert check(replace(seen, versions=seen.versions[::-1]), drained=True) == []


def test_a_version_without_result_has_no_successor_that_names_it() -> None:
    """What was given up has no objects: the next version names the one before it, or nothing."""
    failed = Version(case=case(CaseState.FAILED, reason=TWICE), members=frozenset({"1.1"}))
    first = tuple(replace(made, predecessor="") for made in NEXT)
    assert check(followed(next_version(*first), failed), drained=True, may_give_up=True) == []


def other(made: Made) -> Made:
    """Return the object with other bytes."""
    return replace(made, bytes=replace(made.bytes, sha256="f" * 64))


def archive(*requests: Bytes, kept: tuple[Made, ...] = SET) -> dict[str, Witness]:
    """Return an archive that got the set and more."""
    objects = frozenset(made.bytes for made in kept)
    return {"pacs": Witness(requests=(*(made.bytes for made in SET), *requests), kept=objects)}


LOST: dict[str, Callable[[], Evidence]] = {
    "an acknowledged instance is not in the spool": lambda: sound(acknowledged=frozenset({Bytes("1.9", "9" * 64)})),
    "an acknowledged instance has other bytes": lambda: sound(acknowledged=frozenset({Bytes("1.1", "9" * 64)})),
    "a collected instance is in no case": lambda: sound(versions=[delivered(*SET, members=frozenset())]),
    "a quarantined object has no copy": lambda: sound(quarantined=frozenset()),
    "a version has no text SR": lambda: sound(versions=[delivered(SR)], archives={"pacs": archive()["pacs"]}),
    "an axilla with an estimate has no SR": lambda: sound(versions=[delivered(*SET, estimated=frozenset("LR"))]),
    "a confirmed object is not in the archive": lambda: sound(archives=archive(kept=SET[:2])),
    "nothing was queued for an archive": lambda: sound(archives=archive() | {"second": Witness()}),
    "an axilla that was asked about has no SR": lambda: sound(versions=[delivered(*SET, asked=frozenset("LR"))]),
    "a version has no SR at all": lambda: sound(versions=[delivered(TEXT, CAPTURE, estimated=frozenset())]),
    "a version has no capture": lambda: sound(versions=[delivered(SR, TEXT)]),
    "done without objects": lambda: waiting(CaseState.DONE),
    "delivering without objects": lambda: waiting(CaseState.DELIVERING),
    "done, and a capture was not queued for an archive": lambda: sound(
        versions=[delivered(*SET, outbox=(item(SR), item(TEXT)))]
    ),
    "done, and an archive refused the capture": lambda: sound(
        versions=[delivered(*SET, outbox=(item(SR), item(TEXT), item(CAPTURE, OutboxStatus.REFUSED)))]
    ),
    "failed, with a reason": lambda: waiting(CaseState.FAILED, reason="the model is broken"),
    "given up, where one worker died": lambda: waiting(CaseState.FAILED, reason=TWICE),
    "a version names no predecessor": lambda: followed(next_version(*(replace(one, predecessor="") for one in NEXT))),
    "a version names another predecessor": lambda: followed(next_version(replace(NEXT[0], predecessor="9"), *NEXT[1:])),
    "a first version names a predecessor": lambda: sound(versions=[delivered(replace(SR, predecessor="9"), *SET[1:])]),
    "a version was answered before the one before it": lambda: followed(
        next_version(*(replace(one, predecessor="") for one in NEXT)),
        Version(case=case(CaseState.DELIVERING), members=frozenset({"1.1"}), made=SET),
    ),
    "a version lacks what the one before had": lambda: followed(next_version(*NEXT, members=frozenset({"1.3"}))),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_named(name: str) -> None:
    """Each kind of loss is reported as such."""
    assert Kind.LOST in kinds(check(LOST[name]()))


DUPLICATE: dict[str, Callable[[], Evidence]] = {
    "an arrival has two ends": lambda: sound(
        arrivals=[*sound().arrivals, arrival(REF, "1.1", End.DUPLICATE)],
    ),
    "an arrival has no record": lambda: sound(
        arrivals=[*sound().arrivals, arrival(SpoolRef(1, 1, 999), "1.1", End.DUPLICATE)]
    ),
    "a version has two text SRs": lambda: sound(versions=[delivered(*SET, replace(TEXT, bytes=SR.bytes))]),
    "a version has an SR of an axilla without an estimate": lambda: sound(
        versions=[delivered(*SET, estimated=frozenset())]
    ),
    "an archive got an object of no version": lambda: sound(archives=archive(Bytes("2.9", "9" * 64))),
    "a patient has two cases": lambda: sound(
        versions=[*sound().versions, Version(case=replace(case(CaseState.READY), case_uuid=UUID(int=2)))]
    ),
    "an object was sent again with other bytes": lambda: sound(archives=archive(other(TEXT).bytes)),
}


@pytest.mark.parametrize("name", DUPLICATE)
def test_what_is_there_twice_is_named(name: str) -> None:
    """Each kind of duplicate is reported as such."""
    assert Kind.DUPLICATE in kinds(check(DUPLICATE[name]()))


STUCK: dict[str, Callable[[], Evidence]] = {
    "held without a reason": lambda: waiting(CaseState.HELD),
    "collecting and never looked at": lambda: waiting(CaseState.COLLECTING),
    "dormant and never looked at": lambda: waiting(CaseState.DORMANT),
    "running without a lease": lambda: waiting(CaseState.RUNNING),
    "collecting and long due": lambda: waiting(CaseState.COLLECTING, due_at=NOW - timedelta(minutes=5)),
    "delivering, and nothing is on its way": lambda: sound(versions=[delivered(*SET, case=case(CaseState.DELIVERING))]),
    "done, and an object is on its way": lambda: sound(
        versions=[delivered(*SET, outbox=(item(SR), item(CAPTURE), item(TEXT, OutboxStatus.SENT)))]
    ),
    "a partial file is old": lambda: sound(partial_ages={"x.partial": timedelta(minutes=61)}),
}


@pytest.mark.parametrize("name", STUCK)
def test_what_is_stuck_is_named(name: str) -> None:
    """Each kind of standstill is reported, also while there is work."""
    assert kinds(check(STUCK[name]())) == [Kind.STUCK]


@pytest.mark.parametrize(
    ("state", "more"),
    [
        (CaseState.COLLECTING, {"due_at": NOW + timedelta(seconds=9)}),
        (CaseState.RUNNING, {"due_at": NOW}),
        (CaseState.READY, {}),
    ],
)
def test_waiting_is_no_standstill_until_the_end(state: CaseState, more: dict[str, Any]) -> None:
    """A case that waits for a moment or a worker is in order, but not once all work is done."""
    assert check(waiting(state, **more)) == []
    assert kinds(check(waiting(state, **more), drained=True)) == [Kind.STUCK]


def test_a_record_without_an_end_is_stuck_at_the_end() -> None:
    """The keeper may be behind while it works, not afterwards."""
    seen = sound(arrivals=sound().arrivals[:1])
    assert check(seen) == []
    assert kinds(check(seen, drained=True)) == [Kind.STUCK]


def test_failed_without_a_reason_is_stuck_as_well() -> None:
    """Nobody can tell what to do about it."""
    assert sorted(kinds(check(waiting(CaseState.FAILED)))) == [Kind.LOST, Kind.STUCK]


def test_the_end_of_all_work_has_an_answer_to_everything() -> None:
    """What is held with its reason or asleep is in order on the way; at the end it is an answer that never came."""
    for state in (CaseState.HELD, CaseState.DORMANT, CaseState.CLOSED):
        seen = waiting(state, reason="why", due_at=NOW + timedelta(days=1))
        assert check(seen) == []
        assert kinds(check(seen, drained=True)) == [Kind.LOST]


def test_two_deaths_on_a_version_excuse_it() -> None:
    """Where kills come at random it may be given up; it is counted, and nothing else is excused."""
    seen = waiting(CaseState.FAILED, reason=TWICE)
    assert check(seen, drained=True, may_give_up=True) == []
    assert given_up(seen.versions) == 1
    other = waiting(CaseState.FAILED, reason="20 attempts ended without an answer")
    assert kinds(check(other, may_give_up=True)) == [Kind.LOST]
    assert given_up(other.versions) == 0


def test_an_agent_that_answers_nothing_is_found_out() -> None:
    """Every kind of empty ending, of every version, is a loss."""
    versions = [
        Version(case=replace(case(state, reason="why"), id=number, patient=PatientKey("PHANTOM", str(number))))
        for number, state in enumerate((CaseState.FAILED, CaseState.DONE, CaseState.CLOSED))
    ]
    found = check(Evidence(now=NOW, versions=versions, archives={"pacs": Witness()}), drained=True)
    assert kinds(found) == [Kind.LOST] * 3
