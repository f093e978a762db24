"""Which attributes an object of a SOP class must have (PS3.3 annex A): the standard's tables as highdicom ships them.

The tables are highdicom's own files, 22 MB for all modules; only those that are asked for are decoded. This is the
one place that knows where they lie.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pydicom.datadict import tag_for_keyword
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)

from agent.core.errors import Permanent

CONTENT: Final = "sr-document-content"
"""The module of the content tree: what an item must have depends on its Value Type (`agent.report.rules_iod`)."""
FUNCTIONAL_GROUPS: Final = frozenset({"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"})
"""Each of their macros is in one of the two, or in none."""
ALWAYS: Final = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage, SecondaryCaptureImageStorage)
"""Of the objects that every result has."""
_STRICTEST: Final = ("1", "2", "1C", "2C", "3")
_KEY: Final = re.compile(rb'^  "([^"]+)": (?=\[)', re.MULTILINE)


@dataclass(slots=True)
class Attributes:
    """What one level of an object must have, by tag. `required` is of type 1 or 2, `valued` of type 1 or 1C."""

    types: dict[int, str] = field(default_factory=dict)
    below: "dict[int, Attributes]" = field(default_factory=dict)
    required: frozenset[int] = frozenset()
    valued: frozenset[int] = frozenset()

    def add(self, tag: int, type_: str) -> None:
        """Note an attribute; of two types the stricter one holds."""
        self.types[tag] = min(type_, self.types.get(tag, "3"), key=_STRICTEST.index)

    def seal(self) -> None:
        """Draw the sets from the types, here and below."""
        self.required = frozenset(t for t, type_ in self.types.items() if type_ in ("1", "2"))
        self.valued = frozenset(t for t, type_ in self.types.items() if type_ in ("1", "1C"))
        for one in self.below.values():
            one.seal()


@dataclass(frozen=True, slots=True)
class Iod:
    """One object definition: the names of its mandatory modules, its attributes, and those of a content item."""

    mandatory: frozenset[str]
    attributes: Attributes
    content: Attributes


def iod(sop_class_uid: str) -> Iod:
    """Return the definition of a SOP class.

    Of modules that are not mandatory nothing is required; what is there is looked into all the same.

    Raises
    ------
    Permanent
        If highdicom knows no such SOP class.
    """
    return _definition(str(sop_class_uid))  # a pydicom UID would be kept beside the str that it equals


@cache
def _definition(sop_class_uid: str) -> Iod:
    name = json.loads(_read("sop_class_iod_map.json")).get(sop_class_uid)
    if name is None:
        raise Permanent(f"no IOD is known of the SOP class {UID(sop_class_uid).name}")
    usage = {m["key"]: m["usage"] for m in _decoded("iod_module_map.json", [name])[name]}
    whole, content = Attributes(), Attributes()
    for module, rows in _decoded("module_attribute_map.json", usage).items():
        _join(content if module == CONTENT else whole, rows, mandatory=usage[module] == "M")
    whole.seal()
    content.seal()
    return Iod(frozenset(m for m, needed in usage.items() if needed == "M"), whole, content)


def read_ahead() -> None:
    """Read what every result needs, which takes a quarter of a second; a process forked from this one has it."""
    for sop_class_uid in ALWAYS:
        iod(sop_class_uid)


def _read(name: str) -> bytes:
    return files("highdicom").joinpath("_standard", name).read_bytes()


@cache
def _offsets(name: str) -> Mapping[str, tuple[int, int]]:
    """Return where the value of each key lies in a file, which is written one key a line."""
    content = _read(name)
    found = [(m[1].decode(), m.end()) for m in _KEY.finditer(content)]
    ends = [*(content.rindex(b"]", 0, later) + 1 for _, later in found[1:]), content.rindex(b"]") + 1]
    return {key: (start, end) for (key, start), end in zip(found, ends, strict=True)}


def _decoded(name: str, keys: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the values of some keys of a file."""
    made, offsets = {}, _offsets(name)
    with files("highdicom").joinpath("_standard", name).open("rb") as file:
        for key in keys:
            start, end = offsets[key]
            file.seek(start)
            made[key] = json.loads(file.read(end - start))
    return made


def _join(into: Attributes, rows: Iterable[Mapping[str, Any]], *, mandatory: bool) -> None:
    for row in rows:
        path = row["path"]
        tags = [tag_for_keyword(keyword) for keyword in (*path, row["keyword"])]
        level = into
        for tag in tags[:-1]:
            level = level.below.setdefault(tag or 0, Attributes())
        optional = path[-1] in FUNCTIONAL_GROUPS if path else not mandatory
        if tags[-1] is not None:  # else retired since, and unknown to pydicom: nobody can have it
            level.add(tags[-1], "3" if optional else row["type"])
