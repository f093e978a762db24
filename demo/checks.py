"""Whether a patient's story holds: each check gives what it looked at, and the problem if there is one."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from pydicom.uid import ComprehensiveSRStorage

from agent.report.figures import percent, written
from demo import reading
from demo.deciding import OPERATOR
from demo.outcome import PACS, Outcome, Row, Version

ROUNDING: Final = 1e-4
RESERVE: Final = ":comprehensive"  # ends the role of an SR in reserve


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `problem` is empty if it is as it must be."""

    what: str
    problem: str = ""


def check(outcome: Outcome) -> list[Check]:
    """Look at everything that became of one patient."""
    return [done for one in CHECKS for done in one(outcome)]


def _ends(outcome: Outcome) -> Iterator[Check]:
    """Every image has one end, and the expected one."""
    expected = outcome.patient.expected
    found = Counter(end for end, _ in outcome.ends.values())
    wanted = Counter(
        quarantined=expected.quarantined, not_relevant=expected.not_relevant, correction=expected.corrections
    )
    wanted["collected"] = len(outcome.patient.sent) - wanted.total()
    words = ", ".join(f"{n} {end.replace('_', ' ')}" for end, n in found.items())
    problem = "" if +wanted == found else f"of {len(outcome.patient.sent)} images: {words}, expected {dict(+wanted)}"
    yield Check(f"every image received has one end: {words}", problem)


def _quarantined(outcome: Outcome) -> Iterator[Check]:
    cut = {str(ds.SOPInstanceUID) for ds in outcome.patient.cut}
    if cut:
        found = {uid for uid, (end, _) in outcome.ends.items() if end == "quarantined"}
        problem = "" if cut == found else "not the damaged image is quarantined, but another"
        yield Check("the damaged image, and no other, is quarantined", problem)


def _states(outcome: Outcome) -> Iterator[Check]:
    expected = outcome.patient.expected
    found = [version.case["state"] for version in outcome.versions]
    wanted = [expected.state] * len(expected.versions)
    words = f"{len(found)} version{'s' if len(found) > 1 else ''}, {found[-1]}" if found else "no case"
    yield Check(f"the case: {words}", "" if found == wanted else f"{found} instead of {wanted}")


def _objects(outcome: Outcome) -> Iterator[Check]:
    for number, version in enumerate(outcome.versions[: len(outcome.patient.expected.versions)], start=1):
        wanted, found = outcome.patient.expected.objects(number), Counter(one.kind for one in version.arrived)
        words = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in found.items()) or "nothing"
        yield Check(f"version {number}: {words} in the PACS", "" if found == wanted else f"expected {wanted}")
        rows = version.delivered_to(PACS)
        open_ones = [d["role"] for d in rows if not _is_settled(d)]
        if rows:
            yield Check("the PACS listed each of them when asked", f"not confirmed: {open_ones}" if open_ones else "")
    yield Check("nothing else lies in her studies", f"{len(outcome.strays)} unknown objects" if outcome.strays else "")


def _is_settled(delivery: Row) -> bool:
    """Whether an object was confirmed, or stands in reserve for one that the PACS takes."""
    in_reserve = delivery["role"].endswith(RESERVE) and delivery["status"] == "spare"
    return in_reserve or delivery["status"] == "confirmed"


def _old_archive(outcome: Outcome) -> Iterator[Check]:
    """An archive that takes no Comprehensive 3D SR has a Comprehensive SR of each axilla that tells the same."""
    for version in outcome.versions:
        for name, arrived in version.elsewhere.items():
            reports = version.of_kind("sr")
            wanted = [one.role + RESERVE for one in reports] + [one.role for one in version.of_kind("text_sr")]
            found = sorted(one.role for one in arrived)
            yield Check(f"{name} has {_listed(set(found))}", "" if found == sorted(wanted) else f"expected {wanted}")
            instead = [one for one in arrived if one.kind == "sr"]
            wrong = [one.role for one in instead if one.ds.SOPClassUID != ComprehensiveSRStorage]
            if instead:
                yield Check("the SRs there are Comprehensive SR, which it takes", _these(wrong))
                same = [
                    {(reading.side(one.ds), reading.probability(one.ds)) for one in ones} for ones in (reports, instead)
                ]
                yield Check("and tell the PACS's numbers", "" if same[0] == same[1] else f"they tell {same[1]}")
            rows = {d["role"]: str(d["status"]) for d in version.delivered_to(name)}
            noted = rows == dict.fromkeys(wanted, "confirmed") | {one.role: "refused" for one in reports}
            if rows:
                yield Check(f"the agent noted what {name} refused and what it has", "" if noted else f"it noted {rows}")


def _rejected(outcome: Outcome) -> Iterator[Check]:
    """The Key Objects of a version name everything that the PACS has of the version before, and nothing else."""
    for before, version in pairwise(outcome.versions):
        left = {one.uid for one in before.arrived if one.kind != "rejection"}
        named = {uid for one in version.of_kind("rejection") for uid in reading.references(one.ds)}
        what = f"version {version.case['version']} rejects each object of version {before.case['version']}"
        yield Check(what, "" if named == left else f"{len(left - named)} are missing, {len(named - left)} too many")


def _valid(outcome: Outcome) -> Iterator[Check]:
    """What dciodvfy says, where it is installed."""
    if outcome.invalid:
        wrong = [f"{path.name}: {line}" for path, lines in outcome.invalid.items() for line in lines]
        yield Check(f"dciodvfy finds no error in {len(outcome.invalid)} objects", "; ".join(wrong))


def _answers(outcome: Outcome) -> Iterator[Check]:
    expected = outcome.patient.expected
    for used, version in zip(expected.versions, outcome.versions, strict=False):
        if used:
            sides = {str(answer["side"]) for answer in version.estimates}
            yield Check(f"a number for {_listed(sides)}", "" if sides == set(expected.sides) else "not the right sides")
            found = set(version.summary.get("modalities_used", ()))
            yield Check(f"it rests on {_listed(found)}", "" if found == set(used.split()) else f"expected {used}")


def _reasons(outcome: Outcome) -> Iterator[Check]:
    """Where there is no number, the reason is given, and no number slipped into any object."""
    reason = outcome.patient.expected.reason
    for version in outcome.versions if reason else ():
        given = [str(answer.get("reason", "")) for answer in version.answers] or [str(version.case["reason"])]
        yield Check("the reason is given", "" if all(reason in one for one in given) else f"it is {given}")
        texts = [text for one in version.of_kind("text_sr") for _, lines in reading.sections(one.ds) for text in lines]
        if texts:
            yield Check("and stands in the text SR", "" if any(reason in t for t in texts) else "it does not")
        numbers = [t for t in texts if re.search(r"\d ?%", t)] or version.estimates
        yield Check("there is no number", f"there is: {numbers}" if numbers else "")


def _identity(outcome: Outcome) -> Iterator[Check]:
    arrived = [(version, one) for version in outcome.versions for one in version.everything]
    wrong = [one.role for version, one in arrived if {reading.identity(one.ds)} != _source(outcome, version)]
    if arrived:
        yield Check("Patient ID, issuer, name and birth date are the source's in every object", _these(wrong))


def _source(outcome: Outcome, version: Version) -> set[tuple[str, ...]]:
    """Return who the images say that she is, under the Patient ID that is hers at that version."""
    own = [reading.identity(ds) for ds in outcome.patient.own.values()]
    keys = outcome.patient.keys
    now = keys[min(outcome.versions.index(version), len(keys) - 1)][1]
    return {(now, *said[1:]) for said in own} if len(keys) > 1 else set(own)


def _merge(outcome: Outcome) -> Iterator[Check]:
    """The first version is under the retired Patient ID; nothing after the merge is."""
    keys = outcome.patient.keys
    if len(keys) > 1:
        found = [(version.case["issuer"], version.case["patient_id"]) for version in outcome.versions]
        yield Check("the case goes on under the surviving Patient ID", "" if found == keys else f"it is under {found}")
        later = [one for version in outcome.versions[1:] for one in version.everything]
        wrong = [one.role for one in later if str(one.ds.PatientID) != outcome.patient.who.patient_id]
        yield Check("no result of after the merge is under the retired Patient ID", _these(wrong))


def _held(outcome: Outcome) -> Iterator[Check]:
    """What must be held was held for that reason until the operator decided, and nothing was sent before."""
    expected, ruling = outcome.patient.expected, outcome.patient.story.ruling
    for version in outcome.versions:
        found = list(version.holds)
        if not expected.held:
            yield Check("it was never held", f"it was: {found}" if found else "")
            continue
        by_operator = len(found) == 1 and found[0][1].startswith(OPERATOR)
        good = by_operator and expected.held in found[0][0] and found[0][1].endswith(f"decided: {ruling}")
        why, decided = found[0] if found else ("nothing", "")
        yield Check(f"held: {why} {decided}.", "" if good else f"expected {expected.held!r}, then --{ruling}: {found}")
        stored = [datetime.fromisoformat(row["stored_at"]) for row in version.deliveries if row["stored_at"]]
        early = version.resolved_at is None or any(at < version.resolved_at for at in stored)
        yield Check("nothing was sent before that", "something was, or nobody decided" if early else "")


def _apart(outcome: Outcome) -> Iterator[Check]:
    """The other woman's images, all of them and no others, are in a case of their own that sends nothing."""
    foreign = {str(ds.SOPInstanceUID) for ds in outcome.patient.foreign}
    if foreign or outcome.apart:
        held = [{row["sop_instance_uid"] for row in version.instances} for version in outcome.apart]
        good = held == [foreign] and len(held) == outcome.patient.expected.cases_apart
        yield Check("the other woman's images are in a case of their own", "" if good else f"they are in {len(held)}")
        sent = [row["role"] for version in outcome.apart for row in version.deliveries]
        states = {version.case["state"] for version in outcome.apart}
        yield Check("which sends nothing", "" if states == {"dormant"} and not sent else f"it is {states}: {sent}")


def _references(outcome: Outcome) -> Iterator[Check]:
    """No object names another woman's images."""
    arrived = [one for version in outcome.versions for one in version.everything]
    own = set(outcome.patient.own) | {one.uid for one in arrived}
    wrong = [one.role for one in arrived if not reading.references(one.ds) <= own]
    if arrived:
        yield Check("every object names her images and results alone", _these(wrong))


def _numbers(outcome: Outcome) -> Iterator[Check]:
    """SR, text SR, captures and case list tell one number."""
    for version in outcome.versions:
        if version.estimates:
            problem = next(filter(None, (_disagreement(version, kind) for kind in _SAID)), "")
            yield Check("SR, text SR, Image Comments of the captures and case list tell one number", problem)


def _contributions(outcome: Outcome) -> Iterator[Check]:
    """What the inputs added gives the number."""
    for estimate in [e for version in outcome.versions for e in version.estimates]:
        total = sum(float(value) for value in estimate["contributions"].values())
        off = abs(1 / (1 + math.exp(-total)) - float(estimate["probability"]))
        yield Check("the contributions add up to the number", f"they are off by {off:.2%}" if off > ROUNDING else "")


def _disagreement(version: Version, kind: str) -> str:
    listed = {(str(a["side"]), float(a["probability"])) for a in version.estimates}
    wanted = {"sr": {(s, f"{percent(p):.4f}") for s, p in listed}}.get(kind, {(s, written(p)) for s, p in listed})
    found = set().union(*(_SAID[kind](one.ds) for one in version.of_kind(kind)))
    if found == wanted or (kind == "sr" and not found and not version.of_kind("sr")):
        return ""
    return f"{kind}: {sorted(found)}, case list: {sorted(wanted)}"


_SAID: Final = {
    "sr": lambda ds: {(reading.side(ds), f"{reading.probability(ds):.4f}")},
    "text_sr": lambda ds: {pair for _, lines in reading.sections(ds) for line in lines for pair in reading.said(line)},
    "secondary_capture": lambda ds: reading.said(str(ds.ImageComments)),
}


def _predecessors(outcome: Outcome) -> Iterator[Check]:
    for number, version in enumerate(outcome.versions):
        before = {one.role: {one.uid} for one in outcome.versions[number - 1].everything} if number else {}
        documents = [one for one in version.everything if one.kind in ("sr", "text_sr")]
        wrong = [one.role for one in documents if reading.predecessors(one.ds) != before.get(one.role, set())]
        if number:
            yield Check(f"SR and text SR of version {number + 1} name those of version {number}", _these(wrong))
        elif documents:
            yield Check("the first version names no predecessor", _these(wrong))


def _these(wrong: Sequence[str]) -> str:
    return f"not so: {', '.join(dict.fromkeys(wrong))}" if wrong else ""


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


CHECKS: Final[tuple[Callable[[Outcome], Iterator[Check]], ...]] = (
    _ends, _quarantined, _states, _objects, _old_archive, _answers, _reasons, _identity, _references, _numbers,
    _contributions, _predecessors, _rejected, _merge, _held, _apart, _valid,
)  # fmt: skip
