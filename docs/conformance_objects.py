"""Tables of what the agent's objects hold, attribute by attribute and item by item, read from objects it composed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.uid import UID

from agent.report import iod_tables
from docs.conformance_scenes import CONFIGURED, Made

MOST_VALUES: Final = 5
REFERRING: Final = ("Referenced", "Presentation")
LONGEST: Final = 70
CONTENT: Final = "ContentSequence"
WORDS: Final = {"sr": "SR", "sop": "SOP", "voi": "VOI", "lut": "LUT", "icc": "ICC", "sc": "SC"}


@dataclass(frozen=True)
class Level:
    """A dataset or an item of a sequence, with the object that holds it."""

    ds: Dataset
    of: Made

    def items(self, keyword: str) -> list["Level"]:
        """Return the items of a sequence, one level below."""
        return [Level(item, self.of) for item in self.ds.get(keyword) or ()]


@dataclass(frozen=True)
class Row:
    """One attribute as PS3.2 lists it."""

    path: tuple[str, ...]
    tag: str
    vr: str
    value: str
    presence: str
    source: str
    module: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        name = f"{'>' * (len(self.path) - 1)}{dictionary_description(self.path[-1])}"
        return f"| {self.module} | {name} | {self.tag} | {self.vr} | {self.value} | {self.presence} | {self.source} |"


HEAD: Final = "| module | attribute | tag | VR | value | presence | source |\n|-|-|-|-|-|-|-|"


def attributes(objects: Sequence[Made]) -> list[Row]:
    """Return the rows of one SOP class, each with its module; the content tree has a table of its own."""
    sop_class = str(objects[0].ds.SOPClassUID)
    named = _modules(sop_class)
    rows = _rows([Level(one.ds, one) for one in objects], ())
    return [replace(row, module=named.get(row.path[0], "beyond the IOD")) for row in rows]


def modules(sop_class_uid: str, present: Iterable[Row]) -> Iterator[str]:
    """Yield the modules of an IOD as rows: IE, module, usage; of those that are not mandatory only what is there."""
    used = {row.module for row in present}
    for module in _iod(sop_class_uid):
        name = _title(module["key"])
        if module["usage"] == "M" or name in used:
            yield f"| {module['ie']} | {name} | {module['usage']} |"


def _iod(sop_class_uid: str) -> list[dict[str, Any]]:
    name = iod_tables.json.loads(iod_tables._read("sop_class_iod_map.json"))[sop_class_uid]
    return iod_tables._decoded("iod_module_map.json", [name])[name]


def _modules(sop_class_uid: str) -> dict[str, str]:
    """Return the module of each attribute: where several have it, the first mandatory one."""
    found: dict[str, str] = {}
    for module in sorted(_iod(sop_class_uid), key=lambda m: m["usage"] != "M"):
        rows = iod_tables._decoded("module_attribute_map.json", [module["key"]])[module["key"]]
        for row in rows:
            if not row["path"]:
                found.setdefault(row["keyword"], _title(module["key"]))
    return found


def _title(key: str) -> str:
    return " ".join(WORDS.get(word, word.capitalize()) for word in key.split("-"))


def _rows(levels: Sequence[Level], path: tuple[str, ...]) -> Iterator[Row]:
    keywords = {element.tag: element.keyword for level in levels for element in level.ds}
    for tag, keyword in sorted(keywords.items()):
        if keyword == CONTENT:
            continue
        there = [level for level in levels if tag in level.ds]
        elements = [(level.ds[tag], level.of) for level in there]
        below = [item for level in there for item in level.items(keyword)] if elements[0][0].VR == "SQ" else []
        nested = [item for item in below if not _is_code(item.ds)]
        value, source = ("", "AUTO") if nested else _told(keyword, elements)
        yield Row(
            (*path, keyword),
            str(tag).replace(" ", "").upper(),
            elements[0][0].VR,
            value,
            _presence(levels, elements),
            source,
        )
        yield from _rows(nested, (*path, keyword))


def _is_code(item: Dataset) -> bool:
    return "CodeMeaning" in item


def usual_number(levels: Sequence[Level]) -> int:
    """Return how many of these are of objects that are as usual: made with the defaults, of the scenes as they are."""
    return sum(not level.of.varied for level in levels)


def _presence(levels: Sequence[Level], elements: Sequence[tuple[DataElement, Made]]) -> str:
    usual = usual_number(levels)
    there = [element for element, of in elements if not of.varied]
    if all(element.is_empty for element in there):
        return "EMPTY"
    if len(there) < usual:
        return "ANAP"
    return "VNAP" if any(element.is_empty for element in there) else "ALWAYS"


def _told(keyword: str, elements: Sequence[tuple[DataElement, Made]]) -> tuple[str, str]:
    """Return the value, where it is one of a few, and where it is from."""
    said = [(of, _text(element)) for element, of in elements if not element.is_empty]
    values, keys = {text for of, text in said if of.varied not in CONFIGURED}, configured(said)
    if not values:
        return "", ""
    if len(values) > 1 and all(_is_copied(keyword, text, of) for of, text in said):
        return "", "COPY"
    is_closed = len(values) == 1 or elements[0][0].VR in ("CS", "SQ")
    return shown(values) if is_closed else "", "AUTO" + (f", CONFIG {', '.join(keys)}" if keys else "")


def configured(said: Sequence[tuple[Made, str]]) -> list[str]:
    """Return the keys of config.yaml on which a value depends."""
    found: defaultdict[tuple[str, int, str], set[str]] = defaultdict(set)
    for of, text in said:
        found[of.varied, of.scene, str(of.ds.SOPInstanceUID)].add(text)
    differing = {varied for (varied, *of), texts in found.items() if texts != found.get(("", *of), texts)}
    return [f"`{key}`" for key in CONFIGURED if key in differing]


def _is_copied(keyword: str, text: str, of: Made) -> bool:
    """Whether an image has this value, in the attribute of this name or in the one that is referred to."""
    names = {keyword, *(keyword.removeprefix(word) for word in REFERRING)}
    tags = [tag for name in names if (tag := tag_for_keyword(name)) is not None]
    return any(text == _text(source[tag]) for source in of.sources for tag in tags if tag in source)


def _text(element: DataElement) -> str:
    if element.VR == "SQ":
        return "; ".join(map(spelt, element.value))
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes {hash(element.value)}"
    values = element.value if element.VM > 1 else [element.value]
    return "\\".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def shown(values: Iterable[str]) -> str:
    """Return values for a table, nothing where they are many."""
    texts = sorted(map(_named, values))
    if len(texts) > MOST_VALUES or any(" bytes " in text or text.startswith("2.25.") for text in texts):
        return ""
    short = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts]
    return "<br>".join(text.replace("|", "\\|").replace("<", "&lt;").replace("\r\n", " ") for text in short)


def _named(text: str) -> str:
    """Name a UID of the standard; other texts stay."""
    return UID(text).name if text.startswith("1.2.840.10008.") else text


def in_common(groups: Sequence[Sequence[Row]], objects: Sequence[Made]) -> list[Row]:
    """Return the attributes that every SOP class has alike, however often it has a value, and all below them."""
    by_path = [{row.path: row for row in rows} for rows in groups]
    kept = []
    for row in _rows([Level(one.ds, one) for one in objects], ()):
        alike = [rows[row.path] for rows in by_path if row.path in rows]
        if len(alike) == len(groups) and all((r.value, r.source) == (row.value, row.source) for r in alike):
            kept.append(replace(row, module=" / ".join(dict.fromkeys(r.module for r in alike))))
    return kept


def code(item: Dataset) -> tuple[str, str]:
    """Return the meaning of a code, and its value and scheme."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    return str(item.CodeMeaning), f"{value}, {item.get('CodingSchemeDesignator', 'URN')}"


def spelt(item: Dataset) -> str:
    """Write a code as meaning, value and scheme."""
    return "{} ({})".format(*code(item))
