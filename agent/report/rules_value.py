"""Rules for every attribute of every object: its value is one of its VR, as many as its VM allows (PS3.5 6.2, PS3.6).

Each rule yields the keywords of the attributes that break it, never their values. What an object takes over from its
source image stays as the source has it: identity must equal, letter by letter.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from pydicom import DataElement
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue

from agent.report.draft import Draft
from agent.report.header import OPTIONAL, REQUIRED
from agent.report.levels import Level, is_empty
from agent.report.rules_iod import Breaks
from agent.report.slot import Finished

INHERITED: Final = frozenset(tag_for_keyword(k) for k in (*REQUIRED, *OPTIONAL, "PatientOrientation"))
UID: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
CODE_STRING: Final = re.compile(r"[A-Z0-9 _]{0,16}")
DECIMAL: Final = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII)
DATE_TIME: Final = re.compile(r"\d{4}(\d\d){0,5}(\.\d{1,6})?([+-]\d{4})?", re.ASCII)
AGE: Final = re.compile(r"\d{3}[DWMY]", re.ASCII)
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
CONTROL_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")  # tab, line, form and carriage are allowed


def _short(most: int) -> Callable[[Any], bool]:
    """One line of at most so many letters, no backslash."""
    return lambda value: len(str(value)) <= most and "\\" not in str(value) and not CONTROL.search(str(value))


def _long(most: int) -> Callable[[Any], bool]:
    """Lines of together at most so many letters."""
    return lambda value: len(str(value)) <= most and not CONTROL_IN_TEXT.search(str(value))


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: low <= int(value) <= high


def _matching(pattern: "re.Pattern[str]") -> Callable[[Any], bool]:
    return lambda value: pattern.fullmatch(str(value)) is not None


def _is_date(value: object) -> bool:
    text = str(value)
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return len(text) == len("YYYYMMDD")


def _is_decimal(value: object) -> bool:
    text = str(getattr(value, "original_string", value))
    return len(text) <= 16 and DECIMAL.fullmatch(text) is not None


def _is_person(value: object) -> bool:
    text = str(value)
    return text.count("=") < 3 and all(_short(64)(group) for group in text.split("="))


def _is_even(value: bytes) -> bool:
    return len(value) % 2 == 0


def _is_finite(value: float) -> bool:
    return math.isfinite(value)


REPRESENTATIONS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "AE": _short(16),
    "AS": _matching(AGE),
    "DA": _is_date,
    "DS": _is_decimal,
    "DT": _matching(DATE_TIME),
    "FD": _is_finite,
    "FL": _is_finite,
    "IS": _whole(-(2**31), 2**31 - 1),
    "LO": _short(64),
    "LT": _long(10240),
    "OB": _is_even,
    "OB or OW": _is_even,  # which of the two is decided when it is written
    "OW": _is_even,
    "PN": _is_person,
    "SH": _short(16),
    "SL": _whole(-(2**31), 2**31 - 1),
    "SS": _whole(-(2**15), 2**15 - 1),
    "ST": _long(1024),
    "TM": _matching(TIME),
    "UC": _short(2**32 - 2),
    "UL": _whole(0, 2**32 - 1),
    "UN": _is_even,
    "US": _whole(0, 2**16 - 1),
    "UT": _long(2**32 - 2),
}
"""Whether one value is of a VR (PS3.5 table 6.2-1); CS and UI have rules of their own."""


def uids_are_valid(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Digits and dots, 64 at most, no leading zeros (PS3.5 9.1); those of a source image are repeated as they are."""
    for level, tag, element in _of(levels, "UI"):
        for value in _values(element):
            text = str(value)
            if (len(text) > 64 or UID.fullmatch(text) is None) and text not in _given(draft):
                yield level.named(tag)


def code_strings_are_upper_case(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Capital letters, digits, spaces and underscores, 16 at most."""
    for level, tag, element in _of(levels, "CS"):
        if not all(CODE_STRING.fullmatch(str(value)) for value in _values(element)):
            yield level.named(tag)


def values_fit_their_representation(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Every value has the form and the length of its VR."""
    for level in levels:
        for tag, element in level.elements.items():
            fits = REPRESENTATIONS.get(element.VR)
            if fits is None or is_empty(element) or _is_inherited(level, tag):
                continue
            if not all(value in ("", None) or fits(value) for value in _values(element)):
                yield level.named(tag)


def representations_are_the_dictionarys(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Every attribute has the VR that its reader expects."""
    for level in levels:
        for tag, element in level.elements.items():
            expected = _entry(tag).representations
            if expected and not expected.issuperset(element.VR.split(" or ")):
                yield level.named(tag)


def multiplicities_are_the_dictionarys(draft: Draft, one: Finished, levels: Sequence[Level]) -> Iterator[str]:
    """Every attribute that is not empty has as many values as its VM allows."""
    for level in levels:
        for tag, element in level.elements.items():
            count = element.VM
            if count and not _entry(tag).allows(count) and not _is_inherited(level, tag):
                yield level.named(tag)


def _of(levels: Sequence[Level], representation: str) -> Iterator[tuple[Level, int, DataElement]]:
    for level in levels:
        for tag, element in level.elements.items():
            if representation == element.VR and not is_empty(element) and not _is_inherited(level, tag):
                yield level, tag, element


def _values(element: DataElement) -> Sequence[Any]:
    value = element.value
    return value if isinstance(value, (MultiValue, list, tuple)) else (value,)


def _is_inherited(level: Level, tag: int) -> bool:
    return not level.path and tag in INHERITED


def _given(draft: Draft) -> frozenset[str]:
    """Return the UIDs of the source images."""
    instances = (*draft.evidence, *draft.at_hand)
    every = ((i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid, i.sop_class_uid) for i in instances)
    return frozenset(uid for uids in every for uid in uids)


class _Entry(NamedTuple):
    """What the data dictionary says of an attribute; of a private one nothing."""

    representations: frozenset[str] = frozenset()
    low: int = 0
    high: float = math.inf
    step: int = 1

    def allows(self, count: int) -> bool:
        """Whether an attribute may have so many values."""
        return self.low <= count <= self.high and (count - self.low) % self.step == 0


@cache
def _entry(tag: int) -> _Entry:
    try:
        representations, multiplicity = dictionary_VR(tag), dictionary_VM(tag)
    except KeyError:
        return _Entry()
    low, _, high = multiplicity.partition("-")
    step = int(high.rstrip("n") or 1) if high.endswith("n") else 1
    most = math.inf if high.endswith("n") else int(high or low)
    return _Entry(frozenset(representations.split(" or ")), int(low), most, step)


RULES: Final[tuple[Breaks, ...]] = (
    uids_are_valid,
    code_strings_are_upper_case,
    values_fit_their_representation,
    representations_are_the_dictionarys,
    multiplicities_are_the_dictionarys,
)
