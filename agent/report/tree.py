"""Reading a content tree back (PS3.3 C.17.3), for the rules that a finished document must keep."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from highdicom.sr import CodedConcept
from pydicom import Dataset

Code = tuple[str, str]  # value and scheme designator
CODE_SEQUENCES = ("ConceptNameCodeSequence", "ConceptCodeSequence")


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
            by_type[str(item.get("ValueType", ""))].append(item)
            if names := item.get("ConceptNameCodeSequence"):
                by_name[code(names[0])].append(item)
        return cls(found, dict(by_name), dict(by_type))

    def named(self, concept: CodedConcept) -> list[Dataset]:
        """Return every item with this concept name."""
        return self.by_name.get(_code_of(concept), [])

    def typed(self, value_type: str) -> list[Dataset]:
        """Return every item of this Value Type."""
        return self.by_type.get(value_type, [])

    @property
    def codes(self) -> Iterator[Code]:
        """Every code, whether a name or a value."""
        return (code(entry) for item in self.items for keyword in CODE_SEQUENCES for entry in item.get(keyword, ()))

    @property
    def referenced(self) -> set[str]:
        """The SOP Instance UID of every object that an item refers to."""
        return {
            str(instance.ReferencedSOPInstanceUID)
            for item in self.items
            for instance in item.get("ReferencedSOPSequence", ())
        }


def items(parent: Dataset) -> Iterator[Dataset]:
    """Yield every content item below `parent`, depth first."""
    for item in parent.get("ContentSequence", ()):
        yield item
        yield from items(item)


def children(parent: Dataset, value_type: str) -> list[Dataset]:
    """Return the direct children of one value type."""
    return [item for item in parent.get("ContentSequence", ()) if item.ValueType == value_type]


def named(parent: Dataset, concept: CodedConcept) -> list[Dataset]:
    """Return every item below `parent` with this concept name."""
    return [item for item in items(parent) if is_named(item, concept)]


def is_named(item: Dataset, concept: CodedConcept) -> bool:
    """Whether an item's concept name is this code."""
    names = item.get("ConceptNameCodeSequence")
    return bool(names) and code(names[0]) == _code_of(concept)


def _code_of(concept: CodedConcept) -> Code:
    return str(concept.value), str(concept.scheme_designator)


def code(item: Dataset) -> Code:
    """Return (value, designator) of a code sequence item."""
    return str(item.CodeValue), str(item.CodingSchemeDesignator)


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
