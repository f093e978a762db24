"""The checker itself: sound evidence passes, and each broken promise is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from agent.core.case import CaseState
from agent.core.instance import End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from tests.faults.evidence import Bytes, Evidence, Kind, Made, Version, Witness
from tests.faults.invariants import check, given_up
from tests.faults.planted import (
    CAPTURE,
    NEXT,
    NOW,
    REF,
    RESERVE,
    SENT,
    SET,
    SR,
    TEXT,
    TWICE,
    arrival,
    case,
    delivered,
    followed,
    item,
    kinds,
    next_version,
    sound,
    waiting,
)


def test_sound_evidence_passes() -> None:
    """A repeated request with the same bytes is no duplicate, a young partial file no leftover."""
    assert check(sound(), drained=True) == []


def test_an_archive_that_takes_no_3d_sr_passes() -> None:
    """It has what stood in reserve instead, and the next version's names it."""
    sent = (RESERVE, TEXT, CAPTURE)
    rows = (item(SR, OutboxStatus.REFUSED), *(item(one, OutboxStatus.CONFIRMED) for one in sent))
    objects = tuple(one.bytes for one in sent)
    pacs = {"pacs": Witness(requests=objects, kept=frozenset(objects))}
    first = delivered(*SET, outbox=rows)
    assert check(sound(versions=[first], archives=pacs), drained=True) == []
    following = replace(NEXT[1], predecessor=RESERVE.bytes.sop_instance_uid)
    objects = (*objects, *(one.bytes for one in (NEXT[0], *NEXT[2:])))
    pacs = {"pacs": Witness(requests=objects, kept=frozenset(objects))}
    second = next_version(NEXT[0], following, *NEXT[2:])
    assert check(sound(versions=[first, second], archives=pacs), drained=True) == []


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


def archive(*requests: Bytes, kept: tuple[Made, ...] = SENT) -> dict[str, Witness]:
    """Return an archive that got the set and more."""
    objects = frozenset(made.bytes for made in kept)
    return {"pacs": Witness(requests=(*(made.bytes for made in SENT), *requests), kept=objects)}


LOST: dict[str, Callable[[], Evidence]] = {
    "an acknowledged instance is not in the spool": lambda: sound(acknowledged=frozenset({Bytes("1.9", "9" * 64)})),
    "an acknowledged instance has other bytes": lambda: sound(acknowledged=frozenset({Bytes("1.1", "9" * 64)})),
    "a collected instance is in no case": lambda: sound(versions=[delivered(*SET, members=frozenset())]),
    "a quarantined object has no copy": lambda: sound(quarantined=frozenset()),
    "a version has no text SR": lambda: sound(versions=[delivered(SR)], archives={"pacs": archive()["pacs"]}),
    "an axilla with an estimate has no SR": lambda: sound(versions=[delivered(*SET, estimated=frozenset("LR"))]),
    "a confirmed object is not in the archive": lambda: sound(archives=archive(kept=SENT[:2])),
    "an object stays behind in reserve for nothing": lambda: sound(
        versions=[delivered(*SET, outbox=(item(SR), item(RESERVE), item(TEXT, OutboxStatus.SPARE), item(CAPTURE)))]
    ),
    "an axilla has no SR in reserve": lambda: sound(versions=[delivered(SR, TEXT, CAPTURE)]),
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
    "an archive that has an SR got the one in reserve, too": lambda: sound(archives=archive(RESERVE.bytes)),
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
        versions=[delivered(*SET, outbox=(item(SR), item(RESERVE), item(CAPTURE), item(TEXT, OutboxStatus.SENT)))]
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
