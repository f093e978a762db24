"""HL7 data types as ours: XPN to PN, TS to time, and what PID says of a person.

HL7 2.5.1, chapter 2.A (TS, XPN, CX) and 3.4.2 (PID); PS3.5 section 6.2.1 (PN).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from agent.core.demographics import Demographics
from agent.receive.hl7_message import Segment, Value

_TS: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)
_SEXES: Final = {"F": "F", "M": "M", "O": "O", "A": "O"}  # table 0001; U, N and what is not in it say nothing
_GROUPS: Final = {"": 0, "A": 0, "I": 1, "P": 2}  # table 4000, as PN orders its component groups


def offset_of(text: str) -> timezone | None:
    """Return the offset from UTC that a TS states, None where it states none or an impossible one."""
    match = _TS.fullmatch(text)
    return _offset(match[8]) if match and match[8] else None


def day_of(text: str) -> date | None:
    """Return the day of a TS, None where it is not that precise or no TS."""
    match = _TS.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match and match[3] else None
    except ValueError:
        return None


def moment_of(text: str, zone: tzinfo) -> datetime | None:
    """Return the moment of a TS in UTC, None where it does not say the minute; `zone` is for one without an offset."""
    match = _TS.fullmatch(text)
    day = day_of(text)
    if match is None or day is None or not match[5]:
        return None
    stated = _offset(match[8]) if match[8] else zone
    microseconds = int((match[7] or "0").ljust(6, "0"))
    try:
        local = datetime(day.year, day.month, day.day, int(match[4]), int(match[5]), int(match[6] or 0), microseconds)
        return local.replace(tzinfo=stated).astimezone(UTC) if stated else None
    except (ValueError, OverflowError):
        return None


def demographics_of(pid: Segment) -> tuple[Demographics, tuple[str, ...]]:
    """Return what PID says of a person, and the other names: the rest of PID-5, and PID-9."""
    name, others = person_names(pid.repetitions(5))
    aliases = [_in_its_group(value) for value in pid.repetitions(9)]
    other_names = dict.fromkeys(other for other in (*others, *aliases) if other.strip("=") and other != name)
    sex = _SEXES.get(pid.value(8).upper(), "")
    return Demographics(name, day_of(pid.value(7)), sex), tuple(other_names)


def person_names(values: Sequence[Value]) -> tuple[str, list[str]]:
    """Return the name by which a person goes as PN, and each other one.

    The legal name (XPN.7 L) or, where none is called so, the first one. Its alphabetic, ideographic and phonetic
    representations (XPN.8) become the groups of one PN.
    """
    types = [value.at(7).upper() for value in values]
    chosen = "L" if "L" in types else next(iter(types), "")
    groups, others = ["", "", ""], []
    for value, kind in zip(values, types, strict=True):
        group = _group(value)
        if kind == chosen and not groups[group]:
            groups[group] = _components(value)
        else:
            others.append(_in_its_group(value))
    return "=".join(groups).rstrip("="), others


def _in_its_group(value: Value) -> str:
    return "=" * _group(value) + _components(value)


def _group(value: Value) -> int:
    return _GROUPS.get(value.at(8).upper(), 0)


def _components(value: Value) -> str:
    """Return one group of a PN: XPN orders suffix before prefix, and has the degree apart."""
    family = value.at(1) or " ".join(_said(value.at(1, 2), value.at(1, 3)))
    suffix = " ".join(_said(value.at(4), value.at(6)))
    parts = [family, value.at(2), value.at(3), value.at(5), suffix]
    return "^".join(_plain(part) for part in parts).rstrip("^")


def _said(*texts: str) -> Iterator[str]:
    return filter(None, texts)


def _plain(text: str) -> str:
    """Take out what PN gives a meaning, and control characters."""
    return " ".join("".join(c if c.isprintable() and c not in "^=\\" else " " for c in text).split())


def _offset(text: str) -> timezone | None:
    hours, minutes = int(text[1:3]), int(text[3:])
    if hours > 23 or minutes > 59:
        return None
    delta = timedelta(hours=hours, minutes=minutes)
    return timezone(-delta if text[0] == "-" else delta)
