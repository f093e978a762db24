"""What must hold of patients whose keys were merged: one live result under the new one, nothing more under the old."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from agent.core.case import CaseState
from agent.core.patient import PatientKey
from tests.faults.evidence import Evidence, Kind, Leak, Version, Violation, Witness

ON_ITS_WAY = timedelta(seconds=2)
LET_BE = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED})


def merged(seen: Evidence, drained: bool) -> Iterator[Violation]:
    """Yield what was broken about messages and about the patients whom they merged."""
    yield from _heard(seen, drained)
    for version in seen.versions:
        yield from _left_alone(version, seen)
        yield from _names_its_patient(version)
    yield from _absorbed(seen)
    by_uid = {made.bytes.sop_instance_uid: version for version in seen.versions for made in version.made}
    for name, witness in seen.archives.items():
        yield from _leaked(name, witness, by_uid)
    if drained:
        for message in seen.messages:
            if message.retired and message.surviving:
                yield from _one_live_result(seen, message.retired, message.surviving)


def is_continued(version: Version, seen: Evidence) -> bool:
    """Whether another version goes on for one that was withdrawn: a later one, or one of the case that absorbed it."""
    mine = version.case
    later = any(v.case.case_uuid == mine.case_uuid and v.case.version > mine.version for v in seen.versions)
    return later or any(v.case.case_uuid == version.absorbed_by for v in seen.versions)


def _heard(seen: Evidence, drained: bool) -> Iterator[Violation]:
    """Each message answered AA is in the spool, and a merge is applied once all work is done."""
    for message in sorted(seen.messages, key=lambda message: message.control_id):
        if message.control_id not in seen.spooled_messages:
            yield Violation(Kind.LOST, f"answered AA, not in the spool: message {message.control_id}")
        if drained and message.retired and seen.survivors.get(message.retired) != message.surviving:
            yield Violation(Kind.LOST, f"answered AA, not applied: message {message.control_id}")


def _left_alone(version: Version, seen: Evidence) -> Iterator[Violation]:
    """No version of a retired key waits, is answered or delivered: a merge ends them all in one transaction."""
    case = version.case
    if case.patient in seen.survivors and case.state not in LET_BE:
        yield Violation(Kind.RETIRED, f"case {case.id} of a retired key is {case.state}")


def _names_its_patient(version: Version) -> Iterator[Violation]:
    """An object names the patient of its version, also where the images name the key that was retired since."""
    for made in version.made:
        if made.patient is not None and made.patient != version.case.patient:
            yield Violation(Kind.RETIRED, f"case {version.case.id} {made.role} names another patient")


def _absorbed(seen: Evidence) -> Iterator[Violation]:
    """Nothing of an absorbed case is missing in the one that goes on."""
    for version in seen.versions:
        following = [v for v in seen.versions if v.case.case_uuid == version.absorbed_by]
        newest = max(following, key=lambda v: v.case.version, default=None)
        for gone in sorted(version.members - newest.members) if newest else ():
            yield Violation(Kind.LOST, f"case {newest.case.id} lacks an instance of absorbed {version.case.id}: {gone}")


def _leaked(name: str, witness: Witness, by_uid: dict[str, Version]) -> Iterator[Violation]:
    """Nothing is sent under a retired key, but for one object that was on its way when its version was withdrawn."""
    excused: Counter[int] = Counter()
    for leak in witness.leaks:
        version = by_uid.get(leak.sop_instance_uid)
        if version is not None and not excused[version.case.id] and _was_on_its_way(leak, version):
            excused[version.case.id] += 1
        else:
            yield Violation(Kind.RETIRED, f"{name} got {leak.sop_instance_uid} under a retired key at {leak.at}")


def _was_on_its_way(leak: Leak, version: Version) -> bool:
    return version.closed_at is not None and leak.at - version.closed_at < ON_ITS_WAY


def _one_live_result(seen: Evidence, retired: PatientKey, surviving: PatientKey) -> Iterator[Violation]:
    """Under the key that survives stands exactly one result that no other one supersedes."""
    superseded = {made.predecessor for version in seen.versions for made in version.made}
    theirs = [v for v in seen.versions if v.case.patient == surviving and v.case.state is CaseState.DONE]
    live = [v for v in theirs if not superseded & {made.bytes.sop_instance_uid for made in v.made}]
    if len(live) != 1:
        yield Violation(Kind.RETIRED, f"{len(live)} live results after a merge: cases {[v.case.id for v in live]}")
    for version in seen.versions:
        if version.case.patient == retired and not is_continued(version, seen):
            yield Violation(Kind.RETIRED, f"case {version.case.id} of a retired key goes on under no other one")
