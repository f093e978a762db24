"""Reading a content tree back (PS3.3 C.17.3), for the rules that a finished document must keep.

What all items are asked is read by tag: by keyword it took a third of making a report.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from highdicom.sr import CodedConcept
from pydicom import DataElement, Dataset
from pydicom.tag import BaseTag, Tag

CONTENT, VALUE_TYPE, REFERENCED = Tag("ContentSequence"), Tag("ValueType"), Tag("ReferencedSOPSequence")
NAME, CONCEPT = Tag("ConceptNameCodeSequence"), Tag("ConceptCodeSequence")
RELATION, TEXT = Tag("RelationshipType"), Tag("TextValue")
CODE_VALUE, SCHEME = Tag("CodeValue"), Tag("CodingSchemeDesignator")
CODED: Final = (NAME, CONCEPT)

Code = tuple[str, str]  # value and scheme designator


@dataclass(frozen=True)
class Tree:
    """A content tree, walked once: a dynamic MR's has hundreds of items, and dozens of rules ask it."""

    items: tuple[Dataset, ...]  # depth first
    by_name: Mapping[Code, list[Dataset]]
    by_type: Mapping[str, list[Dataset]]

    @classmethod
    def of(cls, root: Dataset) -> "Tree":
        """Walk a document."""
        found = tuple(items(root))
        by_name: defaultdict[Code, list[Dataset]] = defaultdict(list)
        by_type: defaultdict[str, list[Dataset]] = defaultdict(list)
        for item in found:
            by_type[str(_value(item, VALUE_TYPE) or "")].append(item)
            if name := _name(item):
                by_name[name].append(item)
        return cls(found, dict(by_name), dict(by_type))

    def named(self, concept: CodedConcept) -> list[Dataset]:
        """Return every item with this concept name."""
        return self.by_name.get(code(concept), [])

    def typed(self, value_type: str) -> list[Dataset]:
        """Return every item of this Value Type."""
        return self.by_type.get(value_type, [])

    @property
    def codes(self) -> Iterator[Code]:
        """Every code, whether a name or a value."""
        return (code(entry) for item in self.items for tag in CODED for entry in _entries(item, tag))

    @property
    def referenced(self) -> set[str]:
        """The SOP Instance UID of every object that an item refers to."""
        return {
            str(instance.ReferencedSOPInstanceUID) for item in self.items for instance in _entries(item, REFERENCED)
        }


def items(parent: Dataset) -> list[Dataset]:
    """Return every content item below `parent`, depth first."""
    found: list[Dataset] = []
    for item in _entries(parent, CONTENT):
        found.append(item)
        found += items(item)
    return found


def children(parent: Dataset, value_type: str) -> list[Dataset]:
    """Return the direct children of one value type."""
    return [item for item in _entries(parent, CONTENT) if _value(item, VALUE_TYPE) == value_type]


def below(parent: Dataset) -> Sequence[Dataset]:
    """Return the direct children."""
    return _entries(parent, CONTENT)


def value_type(item: Dataset) -> str:
    """Return an item's Value Type, empty where it has none."""
    return str(_value(item, VALUE_TYPE) or "")


def relation(item: Dataset) -> str:
    """Return how an item is related to the one above, empty where that is not said."""
    return str(_value(item, RELATION) or "")


def text(item: Dataset) -> str:
    """Return the sentence of a TEXT item, empty where it has none."""
    return str(_value(item, TEXT) or "")


def name(item: Dataset) -> Code:
    """Return an item's concept name, empty where it has none."""
    return _name(item) or ("", "")


def named(parent: Dataset, concept: CodedConcept) -> list[Dataset]:
    """Return every item below `parent` with this concept name."""
    return [item for item in items(parent) if is_named(item, concept)]


def is_named(item: Dataset, concept: CodedConcept) -> bool:
    """Whether an item's concept name is this code."""
    return _name(item) == code(concept)


def code(item: Dataset) -> Code:
    """Return (value, designator) of a code sequence item; empty where it has none."""
    return str(_value(item, CODE_VALUE) or ""), str(_value(item, SCHEME) or "")


def _name(item: Dataset) -> Code | None:
    names = _entries(item, NAME)
    return code(names[0]) if names else None


def _entries(parent: Dataset, tag: BaseTag) -> Sequence[Dataset]:
    return _value(parent, tag) or ()


def _value(ds: Dataset, tag: BaseTag) -> Any:
    """Return an attribute's value, None where it is missing; what was read and not yet looked at is decoded."""
    element = ds.get_item(tag)
    if element is None:
        return None
    return element.value if isinstance(element, DataElement) else ds[tag].value


def number(item: Dataset) -> float:
    """Return the value of a NUM item."""
    return float(item.MeasuredValueSequence[0].NumericValue)


def unit(item: Dataset) -> str:
    """Return the unit code of a NUM item."""
    return str(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue)


def evidence(ds: Dataset, keyword: str) -> set[tuple[str, str]]:
    """Return (study, instance) of every object that an evidence sequence names."""
    return {
        (str(study.StudyInstanceUID), str(instance.ReferencedSOPInstanceUID))
        for study in ds.get(keyword, ())
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
