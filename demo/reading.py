"""What the fetched objects say, read from their bytes alone."""

import re
from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import KeyObjectSelectionDocumentStorage

from agent.dicom import codes

IDENTITY: Final = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
_PREDECESSORS: Final = Tag("PredecessorDocumentsSequence")
_REFERENCED: Final = Tag("ReferencedSOPInstanceUID")
_LATERALITY: Final = "272741003"
_SIDES: Final = {code.value: side for side, code in codes.SIDES.items()}
_NUMBER: Final = re.compile(r"(LEFT|RIGHT) axilla: probability of [a-z ]+ (< 0\.1|> 99\.9|\d+\.\d) %")


def identity(ds: Dataset) -> tuple[str, ...]:
    """Who the patient is, as an object says it; a name with all its component groups."""
    return tuple(str(ds.get(keyword, "")) for keyword in IDENTITY)


def references(ds: Dataset) -> set[str]:
    """SOP Instance UIDs of everything that an object names, its predecessors apart."""
    found: set[str] = set()
    for element in ds:
        if element.VR == "SQ" and element.tag != _PREDECESSORS:
            for item in element.value:
                found |= references(item)
        elif element.tag == _REFERENCED:
            found.add(str(element.value))
    return found


def predecessors(ds: Dataset) -> set[str]:
    """SOP Instance UIDs of the documents that a document replaces (PS3.3 C.17.2)."""
    named = Dataset()
    named.ReferencedSOPSequence = ds.get("PredecessorDocumentsSequence", [])
    return references(named)


def side(ds: Dataset) -> str:
    """The axilla of an SR: L, R or empty."""
    sides = (
        _SIDES.get(str(item.ConceptCodeSequence[0].CodeValue), "")
        for item in _items(ds)
        if item.ValueType == "CODE" and _name(item).CodeValue == _LATERALITY
    )
    return next(sides, "")


def probability(ds: Dataset) -> float | None:
    """The probability that an SR measures, in percent."""
    numbers = (
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in _items(ds)
        if item.ValueType == "NUM" and _name(item).CodeValue == codes.PROBABILITY.value
    )
    return next(numbers, None)


def said(text: str) -> set[tuple[str, str]]:
    """The (side, percentage as written) pairs that a sentence tells."""
    return {(match[1][0], match[2]) for match in _NUMBER.finditer(text)}


def sections(ds: Dataset) -> list[tuple[str, list[str]]]:
    """A text SR as headings with their lines."""
    return [
        (str(_name(part).CodeMeaning), [str(item.TextValue) for item in _items(part) if item.ValueType == "TEXT"])
        for part in ds.get("ContentSequence", [])
        if part.ValueType == "CONTAINER"
    ]


def key_object(ds: Dataset) -> list[str]:
    """Return what a Key Object says: its title with the number of objects that it names, and its description."""
    if ds.SOPClassUID != KeyObjectSelectionDocumentStorage:
        return []
    named = sum(item.ValueType in ("IMAGE", "COMPOSITE") for item in ds.ContentSequence)
    described = codes.KEY_OBJECT_DESCRIPTION.value
    words = [str(item.TextValue) for item in ds.ContentSequence if _name(item).CodeValue == described]
    return [f"{_name(ds).CodeMeaning}: {named} objects", *words]


def not_used(ds: Dataset) -> list[str]:
    """Return what a text SR says of images and facts that were there and not used."""
    starts = ("Not used", "Clinical facts not used")
    return [line for _, lines in sections(ds) for line in lines if line.startswith(starts)]


def absent(ds: Dataset) -> list[str]:
    """Return what a text SR says of images that were waited for and did not come."""
    return [line for _, lines in sections(ds) for line in lines if "did not arrive" in line]


def _name(item: Dataset) -> Dataset:
    names = item.get("ConceptNameCodeSequence") or [Dataset()]
    first: Dataset = names[0]
    if "CodeValue" not in first:
        first.CodeValue, first.CodeMeaning = "", ""
    return first


def _items(ds: Dataset) -> Iterator[Dataset]:
    """Every content item below an item, itself not."""
    for item in ds.get("ContentSequence", []):
        yield item
        yield from _items(item)
