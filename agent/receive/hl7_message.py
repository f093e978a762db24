"""One HL7 v2 message: its header, and of its segments those that say who a patient is.

HL7 2.5.1, chapter 2: encoding rules (2.5, 2.6), escape sequences (2.7), MSH (2.15.9).
"""

import re
import string
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hl7

from agent.receive.hl7_charset import decode
from agent.receive.hl7_fault import ErrorCode, Fault, erroneous, rejected

READ: Final = ("MSH", "EVN", "PID", "MRG")
MAX_READ_CHARACTERS: Final = 32768
"""Most that the segments that are read may hold together: what is parsed takes many times its length in memory."""

REPORTS: Final = ("ORC", "OBR", "OBX", "ZDS")
"""Read of results (ORU) beside those; of each the beginning, of OBX those alone that name a study."""
MAX_REPORT_CHARACTERS: Final = 262144
"""Most that the segments about reports may hold together, as far as they are read."""
_REPORT_FIELDS: Final = 26  # OBR-25 is the last that says anything
NAMES_STUDY: Final = frozenset({"113014", "110180"})
"""Codes of DCM in OBX-3 under which OBX-5 holds a Study Instance UID (IHE RAD TF-2, 4.28; PS3.16)."""

MAX_CONTROL_ID: Final = 199  # HL7 2.7; 20 in 2.5.1
_NULL: Final = (
    '""'  # "delete what you hold" (2.5.3); here it says nothing: no message takes back what an image is held against
)


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2, with the defaults of what a short MSH-2 leaves out."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    encoding: str = "^~\\&"  # MSH-2 as sent

    def are_usable(self) -> bool:
        """Tell whether they can be told from each other and from text."""
        all_five = {self.field, self.component, self.repetition, self.escape, self.subcomponent}
        return len(all_five) == 5 and all_five <= set(string.punctuation) and 1 <= len(self.encoding) <= 5


@dataclass(frozen=True, slots=True)
class Header:
    """MSH, its fields as sent (neither split nor unescaped), and the codec of the message."""

    delimiters: Delimiters
    fields: tuple[str, ...]
    codec: str

    def field(self, number: int) -> str:
        """Return MSH-`number` (3 or more), empty where there is none."""
        return self.fields[number - 1] if number <= len(self.fields) else ""

    def component(self, number: int, component: int) -> str:
        """Return one component of MSH-`number`."""
        parts = self.field(number).split(self.delimiters.component)
        return parts[component - 1].strip() if component <= len(parts) else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.field(10)


class Segment:
    """A segment that `hl7` parsed, read leniently: what is not there is empty."""

    def __init__(self, parsed: Any, header: Header) -> None:
        self.name = str(parsed[0][0])
        self._parsed = parsed
        self._header = header

    def repetitions(self, number: int) -> list["Value"]:
        """Return what a field holds, one value a repetition; none where it is empty."""
        if number >= len(self._parsed):
            return []
        values = [Value(_children(repetition), self._header) for repetition in self._parsed[number]]
        return [value for value in values if not value.is_empty()]

    def value(self, number: int, component: int = 1) -> str:
        """Return one component of a field's first repetition."""
        found = self.repetitions(number)
        return found[0].at(component) if found else ""


class Value:
    """One repetition of a field."""

    def __init__(self, components: Sequence[Any], header: Header) -> None:
        self._components = components
        self._header = header

    def at(self, component: int, subcomponent: int = 1) -> str:
        """Return a text, unescaped, without spaces around it; empty for a null."""
        if component > len(self._components):
            return ""
        parts = _children(self._components[component - 1])
        text = str(parts[subcomponent - 1]).strip() if subcomponent <= len(parts) else ""
        return "" if text == _NULL else unescape(text, self._header.delimiters, self._header.codec).strip()

    def is_empty(self) -> bool:
        """Tell whether nothing is said anywhere in it."""
        return all(str(part).strip() in ("", _NULL) for found in self._components for part in _children(found))


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose header is as it must be."""

    header: Header
    code: str  # MSH-9.1: ADT, ORU, …
    event: str  # MSH-9.2, else EVN-1: A08, …
    segments: tuple[Segment, ...]

    def named(self, name: str) -> list[Segment]:
        """Return the segments of one name."""
        return [segment for segment in self.segments if segment.name == name]


def read_header(raw: bytes) -> Header:
    """Read what an acknowledgement needs, were the rest unusable.

    Raises
    ------
    Fault
        If it is no message, or a batch.
    """
    text, codec = decode(raw)
    first = next(iter(_lines(text)), "")
    if first[:3] in ("FHS", "BHS"):
        raise rejected(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "batches are not handled: send its messages one by one")
    match = re.match(r"MSH(.)", first)
    if not match:
        raise rejected(ErrorCode.SEGMENT_SEQUENCE, "the message does not begin with MSH", "MSH")
    fields = first.split(match[1])
    delimiters = _delimiters(match[1], fields[1])
    if not delimiters.are_usable():
        raise rejected(ErrorCode.DATA_TYPE, "MSH-1 and MSH-2 hold no usable delimiters", "MSH", 2)
    return Header(delimiters, tuple(fields), codec)


def parse(raw: bytes, header: Header) -> Message:
    """Parse what is read of a message.

    Raises
    ------
    Fault
        If the header lacks something, or there are several, or what is read of it is too long.
    """
    if fault := _wrong_with(header):
        raise fault
    names = {name + header.delimiters.field for name in READ}
    lines = [line for line in _lines(raw.decode(header.codec)) if (line + header.delimiters.field)[:4] in names]
    if sum(map(len, lines)) > MAX_READ_CHARACTERS:
        raise erroneous(ErrorCode.DATA_TYPE, f"MSH, EVN, PID and MRG hold more than {MAX_READ_CHARACTERS} characters")
    lines = _with_reports(raw, header, names) if header.component(9, 1) == "ORU" else lines
    parsed = hl7.parse("\r".join(line + header.delimiters.field for line in lines))
    segments = tuple(Segment(segment, header) for segment in parsed)
    if sum(segment.name == "MSH" for segment in segments) > 1:
        raise rejected(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "several messages came in one block: send them one by one")
    event = header.component(9, 2) or next((s.value(1) for s in segments if s.name == "EVN"), "")
    return Message(header, header.component(9, 1), event, segments)


def unescape(text: str, delimiters: Delimiters, codec: str) -> str:
    r"""Resolve escape sequences (2.7): delimiters, bytes in hexadecimal, line breaks as spaces; others say no text.

    What only looks like one stays as it is.
    """
    mark = re.escape(delimiters.escape)
    one = f"{mark}([FSTRE]|X(?:[0-9A-Fa-f]{{2}})+|[HN]|[CMZ][0-9A-Za-z]*|\\.[a-z]{{2}}[+-]?[0-9]*){mark}"
    meant = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
    }

    def resolve(match: re.Match[str]) -> str:
        inner = match[1]
        if inner in meant:
            return meant[inner]
        if inner[0] == "X":
            return bytes.fromhex(inner[1:]).decode(codec, "replace")
        return " " if inner[0] == "." else ""

    return re.sub(one, resolve, text)


def _wrong_with(header: Header) -> Fault | None:
    missing = ErrorCode.REQUIRED_FIELD_MISSING
    if not header.control_id.strip():
        return erroneous(missing, "MSH-10 (message control ID) is empty", "MSH", 10)
    if len(header.control_id) > MAX_CONTROL_ID:
        return erroneous(ErrorCode.DATA_TYPE, f"MSH-10 is longer than {MAX_CONTROL_ID} characters", "MSH", 10)
    if not header.component(9, 1):
        return erroneous(missing, "MSH-9 (message type) is empty", "MSH", 9)
    version = header.component(12, 1)
    if version and not version.startswith("2"):
        return rejected(ErrorCode.UNSUPPORTED_VERSION, "MSH-12 is not a version 2", "MSH", 12)
    return None


def _with_reports(raw: bytes, header: Header, names: Container[str]) -> list[str]:
    """Return the lines that are read of a message with results: those under `names`, and what they say of reports."""
    field, kept, size = header.delimiters.field, [], 0
    for line in _lines(raw.decode(header.codec)):
        if (line + field)[:4] in names:
            kept.append(line)
        elif line[:3] in REPORTS and line[3:4] == field:
            fields = line.split(field, _REPORT_FIELDS)[:_REPORT_FIELDS]
            if fields[0] != "OBX" or _code(fields, header) in NAMES_STUDY:
                kept.append(field.join(fields))
                size += len(kept[-1])
    if size > MAX_REPORT_CHARACTERS:
        raise erroneous(ErrorCode.DATA_TYPE, f"ORC, OBR and ZDS hold more than {MAX_REPORT_CHARACTERS} characters")
    return kept


def _code(obx: Sequence[str], header: Header) -> str:
    """Return what an OBX observes, by its code (OBX-3.1)."""
    return obx[3].split(header.delimiters.component)[0].strip() if len(obx) > 3 else ""


def _delimiters(field: str, encoding: str) -> Delimiters:
    component, repetition, escape, subcomponent = [*encoding[:4], *"^~\\&"[len(encoding) :]]
    return Delimiters(field, component, repetition, escape, subcomponent, encoding)


def _lines(text: str) -> list[str]:
    """Return the segments. CR ends them; LF beside it or, where no CR is, instead of it is borne."""
    ends = "\r" if "\r" in text else "\n"
    return [line for found in text.lstrip("\ufeff").split(ends) if (line := found.strip("\n").lstrip())]


def _children(parsed: Any) -> Sequence[Any]:
    return [parsed] if isinstance(parsed, str) else parsed
