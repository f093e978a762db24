"""What must hold after every kill, judged from what can be seen from outside and in the database. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from uuid import UUID

from agent.core.case import Case, CaseState
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.infer.attempts import STUCK as STUCK_TWICE
from tests.faults.evidence import Evidence, Kind, Version, Violation, Witness
from tests.faults.retired import is_continued, merged

PARTIAL_AT_LONGEST = timedelta(hours=1)
OVERDUE = timedelta(minutes=2)
UNDERWAY = (OutboxStatus.WAITING, OutboxStatus.SENT)
WAITING = frozenset({CaseState.COLLECTING, CaseState.READY, CaseState.RUNNING, CaseState.DELIVERING})
TOLD_WHY = frozenset({CaseState.HELD, CaseState.FAILED})
UNANSWERED = frozenset({CaseState.HELD, CaseState.DORMANT, CaseState.CLOSED})
SAVED = frozenset({CaseState.DELIVERING, CaseState.DONE})


def check(seen: Evidence, *, drained: bool = False, may_give_up: bool = False) -> list[Violation]:
    """Return every broken promise.

    Parameters
    ----------
    seen
        What is known.
    drained
        Whether all work is done: then every version is answered.
    may_give_up
        Whether more than one worker may have died on a version. That alone excuses FAILED: see `given_up`.
    """
    found = [*_received(seen), *_arrived(seen, drained), *_archived(seen), *_files(seen), *_succession(seen)]
    found += merged(seen, drained)
    for version in seen.versions:
        found += _state(version, seen.now, drained)
        found += _answered(version, seen, drained, may_give_up)
        found += _result_set(version)
        found += _delivered(version, seen.archives)
        found += _in_reserve(version, seen.archives)
    return found


def given_up(versions: Sequence[Version]) -> int:
    """Return how many versions FAILED because workers died on them twice."""
    return sum(_is_given_up(version.case) for version in versions)


def _is_given_up(case: Case) -> bool:
    return case.state is CaseState.FAILED and case.reason.startswith(STUCK_TWICE)


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


def _answered(version: Version, seen: Evidence, drained: bool, may_give_up: bool) -> Iterator[Violation]:
    """No version ends without a result, but one on which workers died twice, or for which another one goes on."""
    case = version.case
    about = f"case {case.id} is {case.state}"
    if case.state is CaseState.FAILED and not (may_give_up and _is_given_up(case)):
        yield Violation(Kind.LOST, f"{about}: {case.reason}")
    if drained and case.state in UNANSWERED and not (case.state is CaseState.CLOSED and is_continued(version, seen)):
        yield Violation(Kind.LOST, f"{about} at the end, without an answer: {case.reason}")
    if case.state in SAVED and not version.made:
        yield Violation(Kind.LOST, f"{about} without objects")


def _result_set(version: Version) -> Iterator[Violation]:
    """A result has one text SR, an SR for each axilla asked about with one in reserve, a capture, and no role twice."""
    if not version.made:
        return
    about = f"case {version.case.id}"
    roles = Counter(made.role for made in version.made)
    for role, count in roles.items():
        if count > 1:
            yield Violation(Kind.DUPLICATE, f"{about} has {count} objects {role}")
    reports = {made.role for made in version.made if not made.is_capture}
    for role in sorted(_documents(version.asked | version.estimated) - reports):
        yield Violation(Kind.LOST, f"{about} has no object {role}")
    for role in sorted(reports - _documents(version.estimated)):
        yield Violation(Kind.DUPLICATE, f"{about} has an object {role} too many")
    if not any(made.is_capture for made in version.made):
        yield Violation(Kind.LOST, f"{about} has no capture")


def _documents(sides: Iterable[str]) -> set[str]:
    """Return the roles of a result that says a number for these sides."""
    return {"text_sr", *(f"sr:{side}{form}" for side in sides for form in ("", ":comprehensive"))}


def _in_reserve(version: Version, archives: Mapping[str, Witness]) -> Iterator[Violation]:
    """What stands in reserve leaves only where that for which it stands is not taken; nothing else stays behind."""
    instead = {one.bytes.sop_instance_uid: one.instead_of for one in version.made if one.instead_of}
    for item in version.outbox:
        about = f"case {version.case.id} {item.role}"
        if item.status is OutboxStatus.SPARE and item.sop_instance_uid not in instead:
            yield Violation(Kind.LOST, f"{about}: in reserve for nothing")
    for name, witness in archives.items():
        kept = {one.sop_instance_uid for one in witness.kept}
        asked = {one.sop_instance_uid for one in witness.requests}
        for uid in sorted(asked & instead.keys()):
            if instead[uid] in kept:
                yield Violation(
                    Kind.DUPLICATE, f"case {version.case.id}: {name} got {uid} and {instead[uid]}, the same"
                )


def _delivered(version: Version, archives: Mapping[str, Witness]) -> Iterator[Violation]:
    """What counts as confirmed lies in the archive, with the bytes that were saved; DONE means all, everywhere."""
    case, made = version.case, {one.bytes.sop_instance_uid: one.bytes for one in version.made}
    for item in version.outbox:
        if item.status is OutboxStatus.CONFIRMED and made[item.sop_instance_uid] not in archives[item.destination].kept:
            yield Violation(Kind.LOST, f"case {case.id} {item.role}: confirmed, not in {item.destination}")
    if case.state is CaseState.DONE:
        instead = {one.bytes.sop_instance_uid: one.instead_of for one in version.made}
        replaced = {
            (i.destination, instead[i.sop_instance_uid]) for i in version.outbox if i.status is OutboxStatus.CONFIRMED
        }
        queued = {
            (i.destination, i.role)
            for i in version.outbox
            if i.status is not OutboxStatus.REFUSED or (i.destination, i.sop_instance_uid) in replaced
        }
        for name, role in sorted(set(product(archives, (one.role for one in version.made))) - queued):
            yield Violation(Kind.LOST, f"case {case.id} {role}: done, not delivered to {name}")


def _succession(seen: Evidence) -> Iterator[Violation]:
    """A patient has one case; each version keeps what the one before had, and its documents name that one's.

    A version that was answered before an earlier one cannot name it.
    """
    of_patient: dict[PatientKey, Version] = {}
    of_case: dict[UUID, Version] = {}
    for version in sorted(seen.versions, key=lambda version: version.case.version):
        case, before = version.case, of_case.get(version.case.case_uuid, version)
        other = of_patient.get(case.patient, version)
        if other.case.case_uuid != case.case_uuid:
            yield Violation(Kind.DUPLICATE, f"cases {other.case.id} and {case.id} are of one patient")
        for gone in sorted(before.members - version.members):
            yield Violation(Kind.LOST, f"case {case.id} lacks an instance of version {before.case.version}: {gone}")
        of_patient[case.patient] = of_case[case.case_uuid] = version
    yield from _predecessors(seen)


def _predecessors(seen: Evidence) -> Iterator[Violation]:
    """Documents name those of the version before that was sent; those that were withdrawn unsent they may name."""
    sent = {one.sop_instance_uid for witness in seen.archives.values() for one in witness.requests}
    allowed: dict[UUID, dict[str, set[str]]] = {}
    for version in sorted(seen.versions, key=lambda version: version.case.version):
        case, own = version.case, [one for one in version.made if not one.is_capture]
        known = allowed.setdefault(case.case_uuid, {})
        for one in own:
            if one.predecessor not in known.get(one.role, {""}):
                yield Violation(
                    Kind.LOST, f"case {case.id} {one.role} names {one.predecessor or 'nothing'} as predecessor"
                )
        is_withdrawn = case.state is CaseState.CLOSED
        if is_withdrawn and any(one.bytes.sop_instance_uid in sent for one in version.made):
            known.clear()  # what was sent of it stands for the versions before
        for one in own:
            uid = one.bytes.sop_instance_uid
            if is_withdrawn and uid not in sent:
                known.setdefault(one.role, {""}).add(uid)
            else:
                known[one.role] = {uid} if uid in sent or not one.instead_of else {""}


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
