"""What an accepted message says: one piece of news for each patient in it."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Final

from agent.core.adt import RESULT, PatientNews
from agent.core.patient import PatientKey
from agent.receive.hl7_fault import ErrorCode, Fault, erroneous, rejected
from agent.receive.hl7_identity import identifiers, merged, only_one
from agent.receive.hl7_message import Message, Segment
from agent.receive.hl7_settings import Hl7Rules
from agent.receive.hl7_values import demographics_of, moment_of, offset_of

MERGES: Final = frozenset({"A40", "A47"})
UPDATES: Final = frozenset("A01 A02 A03 A04 A05 A06 A07 A08 A11 A12 A13 A28 A31".split())
"""Events of a person or a visit that change no identifier: their PID is current."""

AHEAD: Final = timedelta(minutes=10)
"""How far a sender's clock may be ahead of ours: the latest news wins, so news of the future would win for ever."""


def news_of(message: Message, rules: Hl7Rules, received_at: datetime) -> tuple[PatientNews, ...]:
    """Return what a message says of its patients.

    Raises
    ------
    Fault
        If its event is not handled, a patient or a time in it cannot be told, or it says that it is yet to happen.
    """
    event = _event(message)
    sent_at = _sent_at(message, rules.zone, received_at + AHEAD)
    found: list[PatientNews] = []
    for pid, mrg in _groups(message, event):
        said, other_names = demographics_of(pid)
        for patient, retired in _keys(pid, mrg, rules, sent_at):
            control_id = message.header.control_id
            found.append(PatientNews(control_id, event, sent_at, patient, retired, said, other_names))
    return tuple(dict.fromkeys(found))


def _event(message: Message) -> str:
    if message.code != "ADT":
        if not message.named("PID"):
            what = f"{_word('message type', message.code)} is not handled"
            raise rejected(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, what, "MSH", 9)
        return RESULT
    if message.event not in MERGES | UPDATES:
        what = f"{_word('event type', message.event)} is not handled"
        raise rejected(ErrorCode.UNSUPPORTED_EVENT_CODE, what, "MSH", 9)
    return message.event


def _word(kind: str, code: str) -> str:
    """Name a code, unless it is something else that came in its place."""
    return f"{kind} {code}" if re.fullmatch("[A-Z][A-Z0-9]{2}", code) else f"this {kind}"


def _sent_at(message: Message, zone: tzinfo, latest: datetime) -> datetime:
    """Return when the event happened: EVN-6, else EVN-2, else MSH-7. MSH-7's offset holds for the whole message."""
    written = message.header.component(7, 1)
    zone = offset_of(written) or zone
    places = [("EVN", number, evn.value(number)) for evn in message.named("EVN")[:1] for number in (6, 2)]
    for segment, number, text in (*places, ("MSH", 7, written)):
        moment = moment_of(text, zone)
        if moment and moment > latest:
            what = f"{segment}-{number} lies in the future: check the clock"
            raise erroneous(ErrorCode.DATA_TYPE, what, segment, number)
        if moment:
            return moment
    raise erroneous(ErrorCode.REQUIRED_FIELD_MISSING, "MSH-7 and EVN-2 say no time to the minute", "MSH", 7)


def _groups(message: Message, event: str) -> Iterator[tuple[Segment, Segment | None]]:
    """Yield each PID, in a merge with the MRG that follows it. Raises Fault."""
    if not message.named("PID"):
        raise erroneous(ErrorCode.SEGMENT_SEQUENCE, "there is no PID segment", "PID")
    if event not in MERGES:
        yield from ((pid, None) for pid in message.named("PID"))
        return
    waiting: Segment | None = None
    for segment in (s for s in message.segments if s.name in ("PID", "MRG")):
        if (segment.name == "MRG") != (waiting is not None):
            raise _unpaired()
        if waiting is not None:
            yield waiting, segment
        waiting = segment if segment.name == "PID" else None
    if waiting is not None:
        raise _unpaired()


def _unpaired() -> Fault:
    return erroneous(ErrorCode.SEGMENT_SEQUENCE, "each PID of a merge needs one MRG behind it", "MRG")


def _keys(
    pid: Segment, mrg: Segment | None, rules: Hl7Rules, sent_at: datetime
) -> list[tuple[PatientKey, PatientKey | None]]:
    """Return the patient, in a merge with each key that is retired. Raises Fault."""
    on = sent_at.astimezone(rules.zone).date()
    if mrg is None:
        return [(only_one(identifiers(pid.repetitions(3), rules, on), "PID", 3), None)]
    return [(stays, goes) for goes, stays in merged(pid, mrg, rules, on)]
