"""The acknowledgement of a message: MSH, MSA and, where something is wrong, ERR.

HL7 2.5.1, chapter 2: 2.9 (which one is asked for), 2.14.1 (ACK), 2.15.5 (ERR), 2.15.8 (MSA), 2.15.9 (MSH).
"""

from datetime import datetime
from typing import Final

from agent.receive.hl7_fault import Fault, Outcome
from agent.receive.hl7_message import Delimiters, Header
from agent.receive.hl7_verdict import Verdict

VERSION: Final = "2.5.1"
_UNREAD: Final = Header(Delimiters(), ("MSH", "^~\\&"), "ascii")
_COMMIT: Final = {Outcome.ACCEPT: "CA", Outcome.ERROR: "CE", Outcome.REJECT: "CR"}  # table 0008, enhanced mode


def acknowledge(verdict: Verdict, now: datetime, control_id: str) -> bytes | None:
    """Return the acknowledgement that the sender asked for, None where it asked for none.

    Both MSH-15 and MSH-16 empty is original mode: AA, AE or AR, always. Else it is enhanced mode: where MSH-15 asks
    for a commit acknowledgement it is CA, CE or CR; where only MSH-16 asks, it is AA, AE or AR.

    Parameters
    ----------
    verdict
        What became of the message.
    now
        UTC.
    control_id
        MSH-10 of the acknowledgement itself.
    """
    header = verdict.header or _UNREAD
    code = _code(header, verdict.outcome)
    if code is None:
        return None
    field = header.delimiters.field
    segments = [_msh(header, now, control_id), field.join(["MSA", code, header.control_id])]
    if verdict.fault:
        segments[1] += field + _escaped(str(verdict.fault), header.delimiters)
        segments.append(_err(verdict.fault, header.delimiters))
    return "".join(segment + "\r" for segment in segments).encode(header.codec, "replace")


def _code(header: Header, outcome: Outcome) -> str | None:
    commit, application = header.component(15, 1).upper(), header.component(16, 1).upper()
    if not commit and not application:
        return outcome.value
    if _is_asked(commit, outcome):
        return _COMMIT[outcome]
    return outcome.value if _is_asked(application, outcome) else None


def _is_asked(condition: str, outcome: Outcome) -> bool:
    """Tell what table 0155 asks for: always, never, on error or reject only, on success only."""
    is_accepted = outcome is Outcome.ACCEPT
    return condition == "AL" or condition == ("SU" if is_accepted else "ER")


def _msh(header: Header, now: datetime, control_id: str) -> str:
    """Return MSH: sender and receiver changed places; delimiters, version and character set as they came."""
    delimiters = header.delimiters
    event = header.component(9, 2)
    kind = delimiters.component.join(["ACK", event, "ACK"]) if event else "ACK"
    fields = [
        "MSH",
        delimiters.encoding,
        *(header.field(number) for number in (5, 6, 3, 4)),
        now.strftime("%Y%m%d%H%M%S+0000"),
        "",
        kind,
        control_id,
        header.field(11) or "P",
        header.field(12) or VERSION,
        *[""] * 5,
        header.field(18),
    ]
    return delimiters.field.join(fields).rstrip(delimiters.field)


def _err(fault: Fault, delimiters: Delimiters) -> str:
    """Return ERR: the place (ERR-2), the code of table 0357 (ERR-3), the severity (ERR-4) and the sentence (ERR-8)."""
    place = [fault.segment, "1", str(fault.number)] if fault.number else [fault.segment]
    code = delimiters.component.join([str(fault.code.value), fault.code.name.replace("_", " ").lower(), "HL70357"])
    text = _escaped(str(fault), delimiters)
    return delimiters.field.join(["ERR", "", delimiters.component.join(place), code, "E", "", "", "", text])


def _escaped(text: str, delimiters: Delimiters) -> str:
    names = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        delimiters.escape: "E",
    }
    return "".join(f"{delimiters.escape}{names[c]}{delimiters.escape}" if c in names else c for c in text)
