"""Reading a content tree back (PS3.3 C.17.3), for the rules that a finished document must keep."""

from collections.abc import Iterator

from highdicom.sr import CodedConcept
from pydicom import Dataset


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
    return bool(names) and code(names[0]) == (concept.value, concept.scheme_designator)


def code(item: Dataset) -> tuple[str, str]:
    """Return (value, designator) of a code sequence item."""
    return str(item.CodeValue), str(item.CodingSchemeDesignator)


def codes_below(parent: Dataset) -> Iterator[tuple[str, str]]:
    """Yield every code in the tree, whether a name or a value."""
    for item in items(parent):
        for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
            for entry in item.get(keyword, ()):
                yield code(entry)


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
