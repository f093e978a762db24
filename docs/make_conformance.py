"""Render docs/conformance.md from the code's tables, composed objects and docs/conformance.md.in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import UID

from agent.core.result import Kind
from agent.dicom import codes
from docs import conformance_network
from docs.conformance_objects import HEAD, MOST_VALUES, Row, attributes, code, in_common, modules
from docs.conformance_scenes import Made, made
from docs.conformance_trees import TREE_HEAD, has_tree, tree

PAGE: Final = Path(__file__).with_name("conformance.md")
TEMPLATE: Final = Path(__file__).with_name("conformance.md.in")
Groups = dict[tuple[Kind, str], list[Made]]


def render() -> str:
    """Return the whole page."""
    made_here = made()
    created: dict[str, list[Kind]] = {}
    for kind, uid in made_here:
        created.setdefault(uid, []).append(kind)
    concepts = _coded([one.ds for objects in made_here.values() for one in objects if not one.varied])
    values = {
        **conformance_network.values(created),
        "shown_values": str(MOST_VALUES),
        "objects": "\n".join(_objects(made_here)),
        "private_codes": "\n".join(f"| {v} | {m} |" for (scheme, v), m in concepts.items() if scheme == codes.SCHEME),
        "other_codes": "\n".join(
            f"| {v} | {scheme} | {m} |" for (scheme, v), m in concepts.items() if scheme != codes.SCHEME
        ),
    }
    return filled(TEMPLATE.read_text(encoding="utf-8"), values)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Put values in the places of a template that name them, and the contents in theirs.

    Raises
    ------
    ValueError
        If a place has no value, or a value no place.
    """
    named = set(re.findall(r"\{\{(\w+)\}\}", template)) - {"contents"}
    if named != values.keys():
        raise ValueError(f"template and values differ: {sorted(named ^ values.keys())}")
    page = re.sub(r"\{\{(\w+)\}\}", lambda m: str(values.get(m[1], m[0])), template)
    return page.replace("{{contents}}", "\n".join(_contents(page)))


def _contents(page: str) -> Iterator[str]:
    for hashes, title in re.findall(r"^(##+) (.+)$", page, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        yield f"{'  ' * (len(hashes) - 2)}- [{title}](#{anchor})"


def _objects(groups: Groups) -> Iterator[str]:
    tables = {key: attributes(objects) for key, objects in groups.items()}
    common = in_common(list(tables.values()), [one for objects in groups.values() for one in objects])
    paths = {row.path for row in common}
    yield from ("### A.1 What every object has", "", HEAD, *(row.line() for row in common))
    before: tuple[Sequence[Row], Sequence[Any]] = ((), ())
    for number, ((kind, uid), objects) in enumerate(groups.items(), start=2):
        rows = [row for row in tables[kind, uid] if row.path not in paths]
        items = tree(objects) if has_tree(kind) else []
        yield from ("", f"### A.{number} {TITLES[kind].format(UID(uid).name)}", "")
        if kind is Kind.SR and before[0]:
            yield f"In reserve for A.{number - 1}, from which it differs as follows."
            rows = _differing(rows, before[0])
            items = [item for item in items if item not in before[1]]
        else:
            yield from ("| IE | module | usage |", "|-|-|-|", *modules(uid, tables[kind, uid]))
        before = before if kind is Kind.SR and before[0] else (rows, items)
        yield from ("", HEAD, *(row.line() for row in rows))
        if items:
            yield from ("", "Content tree:", "", TREE_HEAD, *(item.line() for item in items))


def _differing(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Return the rows that others lack, and the sequences in which they stand."""
    paths = [row.path for row in rows if row not in others]
    return [row for row in rows if any(path[: len(row.path)] == row.path for path in paths)]


TITLES: Final = {
    Kind.SR: "{}: estimate of one axilla",
    Kind.TEXT_SR: "{}: summary in words",
    Kind.SECONDARY_CAPTURE: "{}: heatmap or summary picture",
    Kind.SEGMENTATION: "{}: region of influence",
    Kind.PRESENTATION_STATE: "{}: region and answer over the image",
    Kind.KEY_OBJECT: "{}: key images",
    Kind.REJECTION: "{}: rejection of earlier versions",
}


def _coded(objects: Sequence[Dataset]) -> dict[tuple[str, str], str]:
    """Return the meaning of every code of the agent's own table, and of objects, by scheme and value."""
    found: dict[tuple[str, str], str] = {}
    for ds in objects:
        ds.walk(lambda item, element: _note(item, found))
    for value in vars(codes).values():
        for concept in value.values() if isinstance(value, Mapping) else [value]:
            if isinstance(concept, CodedConcept):
                found[concept.scheme_designator, concept.value] = concept.meaning
    return dict(sorted(found.items()))


def _note(item: Dataset, found: dict[tuple[str, str], str]) -> None:
    if "CodeMeaning" in item:
        meaning, named = code(item)
        value, _, scheme = named.rpartition(", ")
        found[scheme, value] = meaning


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
