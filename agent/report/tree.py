"""Reading a content tree back (PS3.3 C.17.3), for the rules that a finished document must keep.

Every rule walks the tree, so what all items are asked is read by tag: by keyword it took a third of making a report.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from highdicom.sr import CodedConcept
from pydicom import DataElement, Dataset
from pydicom.tag import BaseTag, Tag

CONTENT, VALUE_TYPE = Tag("ContentSequence"), Tag("ValueType")
NAME, CONCEPT = Tag("ConceptNameCodeSequence"), Tag("ConceptCodeSequence")
CODE_VALUE, SCHEME = Tag("CodeValue"), Tag("CodingSchemeDesignator")
CODED: Final = (NAME, CONCEPT)


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


def named(parent: Dataset, concept: CodedConcept) -> list[Dataset]:
    """Return every item below `parent` with this concept name."""
    wanted = code(concept)
    return [item for item in items(parent) if _name(item) == wanted]


def is_named(item: Dataset, concept: CodedConcept) -> bool:
    """Whether an item's concept name is this code."""
    return _name(item) == code(concept)


def code(item: Dataset) -> tuple[str, str]:
    """Return (value, designator) of a code sequence item; empty where it has none."""
    return str(_value(item, CODE_VALUE) or ""), str(_value(item, SCHEME) or "")


def codes_below(parent: Dataset) -> Iterator[tuple[str, str]]:
    """Yield every code in the tree, whether a name or a value."""
    for item in items(parent):
        for tag in CODED:
            for entry in _entries(item, tag):
                yield code(entry)


def _name(item: Dataset) -> tuple[str, str] | None:
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


def referenced(ds: Dataset) -> set[str]:
    """Return the SOP Instance UID of every object that an item of the tree refers to."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for item in items(ds)
        for instance in item.get("ReferencedSOPSequence", ())
    }
