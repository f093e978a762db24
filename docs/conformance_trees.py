"""Tables of what the agent's documents say: their content trees, joined over all documents of a kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from agent.core.result import Kind
from docs.conformance_objects import CONTENT, Level, code, configured, shown, spelt, usual_number
from docs.conformance_scenes import CONFIGURED, Made


@dataclass(frozen=True)
class Item:
    """One row of a content tree."""

    depth: int
    relationship: str
    value_type: str
    name: str
    value: str
    presence: str

    def line(self) -> str:
        """Return the row of the table."""
        kind = f"{'>' * self.depth} {self.relationship}".strip()
        return f"| {kind} | {self.value_type} | {self.name} | {self.value} | {self.presence} |"


TREE_HEAD: Final = "| nesting, relationship | value type | concept name | value | occurs |\n|-|-|-|-|-|"


def tree(objects: Sequence[Made]) -> list[Item]:
    """Return the items of the documents' content trees, joined: items of one name stand once."""
    return list(_items([Level(one.ds, one) for one in objects], 0))


def _items(levels: Sequence[Level], depth: int) -> Iterator[Item]:
    if depth == 0:
        yield _item(levels, 0, "1")
        yield from _items(levels, 1)
        return
    by_key: dict[tuple[str, str, str], dict[int, list[Level]]] = {}
    for key in _order(levels):
        by_key[key] = {}
    for number, level in enumerate(levels):
        for item in level.items(CONTENT):
            by_key[_key(item.ds)].setdefault(number, []).append(item)
    usual = usual_number(levels)
    for found in by_key.values():
        parents = [found[n] for n in found if not levels[n].of.varied]
        every = [item for items in found.values() for item in items]
        if parents:
            occurs = ("1" if len(parents) == usual else "0") + _to(parents, usual)
            yield _item(every, depth, occurs)
            if any(CONTENT in item.ds for item in every):
                yield from _items(every, depth + 1)


def _to(parents: Sequence[Sequence[Level]], usual: int) -> str:
    most = max(map(len, parents))
    if most > 1:
        return "-n"
    return "" if len(parents) == usual else "-1"


def _order(levels: Sequence[Level]) -> list[tuple[str, str, str]]:
    """Join the orders of several sequences: what is new comes right behind what it followed."""
    order: list[tuple[str, str, str]] = []
    for level in levels:
        position = 0
        for item in level.items(CONTENT):
            key = _key(item.ds)
            if key not in order:
                order.insert(position, key)
            position = order.index(key) + 1
    return order


def _key(item: Dataset) -> tuple[str, str, str]:
    names = item.get("ConceptNameCodeSequence")
    return (
        str(item.get("RelationshipType", "")),
        str(item.get("ValueType", "by reference")),
        code(names[0])[1] if names else "",
    )


def _item(levels: Sequence[Level], depth: int, occurs: str) -> Item:
    usual = [level.ds for level in levels if not level.of.varied]
    names = {spelt(item.ConceptNameCodeSequence[0]) for item in usual if "ConceptNameCodeSequence" in item}
    relationship, value_type, _ = _key(usual[0])
    return Item(depth, relationship, value_type, "<br>".join(sorted(names)), _value(levels, value_type), occurs)


VALUES: Final[dict[str, Callable[[Dataset], str]]] = {
    "CODE": lambda item: spelt(item.ConceptCodeSequence[0]),
    "NUM": lambda item: "in " + spelt(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]),
    "CONTAINER": lambda item: "".join(f"TID {t.TemplateIdentifier}" for t in item.get("ContentTemplateSequence", ())),
    "IMAGE": lambda item: str(item.ReferencedSOPSequence[0].ReferencedSOPClassUID),
    "COMPOSITE": lambda item: str(item.ReferencedSOPSequence[0].ReferencedSOPClassUID),
    "SCOORD": lambda item: str(item.GraphicType),
    "TEXT": lambda item: str(item.TextValue),
    "UIDREF": lambda item: str(item.UID),
}


def _unsaid(item: Dataset) -> str:
    return ""


def _value(levels: Sequence[Level], value_type: str) -> str:
    whole = [level for level in levels if value_type != "NUM" or level.ds.MeasuredValueSequence]
    said = [(level.of, VALUES.get(value_type, _unsaid)(level.ds)) for level in whole]
    keys = configured(said)
    values = {text for of, text in said if of.varied not in CONFIGURED}
    is_closed = len(values) == 1 or value_type not in ("TEXT", "UIDREF")
    text = (shown(values) or f"{len(values)} of them") if is_closed and values != {""} else ""
    return f"{text}; CONFIG {', '.join(keys)}".removeprefix("; ") if keys else "" if text == "1 of them" else text


def has_tree(kind: Kind) -> bool:
    """Whether objects of this kind have a content tree."""
    return kind in (Kind.SR, Kind.TEXT_SR, Kind.KEY_OBJECT, Kind.REJECTION)
