"""Which of the identifiers in a message is the Patient ID that images carry, and which one a merge retires.

HL7 2.5.1: CX (2.A.14), PID-3 (3.4.2.3), MRG-1 (3.4.9.1), events A40 (3.3.40) and A47 (3.3.47).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from agent.core.patient import PatientKey
from agent.receive.hl7_fault import ErrorCode, Fault, erroneous
from agent.receive.hl7_message import Segment, Value
from agent.receive.hl7_settings import Hl7Rules
from agent.receive.hl7_values import day_of


@dataclass(frozen=True, slots=True)
class Identifier:
    """One that could be the Patient ID; the smaller its rank the better."""

    rank: tuple[int, int]
    kind: str  # CX.5
    key: PatientKey


def identifiers(values: Sequence[Value], rules: Hl7Rules, on: date | None = None) -> list[Identifier]:
    """Return the identifiers that could be a Patient ID, best first, of equals the one that stands first.

    The site's own come first (an authority that it maps, its own issuer, or no authority), then the order of its
    identifier types. Left out: other types (visit, account, insurance), those whose issuer nobody knows, and those
    that expired before `on` (CX.8).
    """
    found = (_identifier(value, rules) for value in values if not _has_expired(value, on))
    return sorted((one for one in found if one), key=lambda one: one.rank)


def only_one(found: Sequence[Identifier], segment: str, number: int) -> PatientKey:
    """Return the best one.

    Raises
    ------
    Fault
        If there is none, or its issuer gave two that are equally good.
    """
    if not found:
        raise _nobody(segment, number)
    keys = _equals(found)
    if len(keys) > 1:
        what = f"{segment}-{number} holds two identifiers of the same authority and type"
        raise erroneous(ErrorCode.UNKNOWN_KEY_IDENTIFIER, what, segment, number)
    return keys[0]


def merged(pid: Segment, mrg: Segment, rules: Hl7Rules, on: date) -> list[tuple[PatientKey, PatientKey]]:
    """Return what MRG-1 retires, each with the identifier of PID-3 that stands in its place.

    An identifier gives way to one of the same authority and type; where one of the two has no type, of the same
    authority.

    Raises
    ------
    Fault
        If either cannot be chosen, or both are the same.
    """
    unknown = ErrorCode.UNKNOWN_KEY_IDENTIFIER
    retired = identifiers(mrg.repetitions(1), rules)
    named = identifiers(pid.repetitions(3), rules, on)
    for found, segment, number in ((retired, "MRG", 1), (named, "PID", 3)):
        if not found:
            raise _nobody(segment, number)
    gone = {one.key for one in retired}
    staying = [one for one in named if one.key not in gone]
    if not staying:
        raise erroneous(unknown, "MRG-1 retires the identifier that PID-3 says survives", "MRG", 1)
    pairs = list(_paired(retired, staying))
    if not pairs:
        raise erroneous(unknown, "MRG-1 and PID-3 hold no identifiers of the same authority and type", "MRG", 1)
    return pairs


def _paired(retired: Sequence[Identifier], staying: Sequence[Identifier]) -> Iterator[tuple[PatientKey, PatientKey]]:
    for issuer in dict.fromkeys(one.key.issuer for one in retired):
        olds = [one for one in retired if one.key.issuer == issuer]
        of_type = (olds[0].kind, "") if olds[0].kind else [one.kind for one in staying]
        theirs = [one for one in staying if one.key.issuer == issuer and one.kind in of_type]
        for old in _equals(olds) if theirs else ():
            yield old, only_one(theirs, "PID", 3)


def _nobody(segment: str, number: int) -> Fault:
    what = f"{segment}-{number} holds no identifier of a patient whose assigning authority is known"
    return erroneous(ErrorCode.UNKNOWN_KEY_IDENTIFIER, what, segment, number)


def _equals(found: Sequence[Identifier]) -> list[PatientKey]:
    """Return the best one's key and those of its issuer that are as good."""
    best = found[0]
    same = (one.key for one in found if one.rank == best.rank and one.key.issuer == best.key.issuer)
    return list(dict.fromkeys(same))


def _identifier(value: Value, rules: Hl7Rules) -> Identifier | None:
    text, kind = value.at(1), value.at(5).upper()
    types = (*rules.identifier_types, "")
    authority = [name for name in (value.at(4, 1), value.at(4, 2)) if name]
    mapped = next((rules.issuers[name] for name in authority if name in rules.issuers), None)
    issuer = mapped or next(iter(authority), None) or rules.site_issuer
    if not text or not issuer or kind not in types or not (text + issuer).isprintable():
        return None
    is_ours = mapped is not None or issuer == rules.site_issuer
    return Identifier((int(not is_ours), types.index(kind)), kind, PatientKey(issuer, text))


def _has_expired(value: Value, on: date | None) -> bool:
    ends = day_of(value.at(8)[:8])
    return on is not None and ends is not None and ends < on
