"""An object taken apart for the rules: its own attributes, and those of every item of every sequence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag

from agent.report.iod_tables import Attributes, Iod, iod

CONTENT_SEQUENCE: Final = 0x0040A730
NOTHING: Final = Attributes()


@dataclass(frozen=True, slots=True)
class Level:
    """A dataset or an item, its elements by tag, and what it must have. `path` holds the keywords above, a dot each."""

    elements: Mapping[int, DataElement]
    attributes: Attributes
    path: str = ""
    item: bool = False  # of a content tree, below its root

    def named(self, tag: int) -> str:
        """Name an attribute of this level by its keyword, and where it is."""
        return f"{self.path}{keyword_for_tag(tag) or f'({tag >> 16:04X},{tag & 0xFFFF:04X})'}"

    def value(self, tag: int) -> object:
        """Return an attribute's value, None where it is missing or empty."""
        element = self.elements.get(tag)
        return None if element is None or is_empty(element) else element.value


def is_empty(element: DataElement) -> bool:
    """Whether an element has no value."""
    value = element.value
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def levels(ds: Dataset) -> Sequence[Level]:
    """Return every level of an object, the whole first.

    Raises
    ------
    Permanent
        If the SOP class is not known.
    """
    definition = iod(str(ds.get("SOPClassUID", "")))
    return list(_levels(ds, definition.attributes, definition, "", item=False))


def _levels(ds: Dataset, attributes: Attributes, definition: Iod, path: str, *, item: bool) -> Iterator[Level]:
    elements = {int(e.tag): e if isinstance(e, DataElement) else ds[e.tag] for e in ds.values()}
    yield Level(elements, attributes, path, item)
    for tag, element in elements.items():
        if element.VR != "SQ" or not element.value:
            continue
        below = f"{path}{element.keyword}."
        is_tree = tag == CONTENT_SEQUENCE
        known = definition.content if is_tree else _known(tag, attributes, definition)
        for one in element.value:
            yield from _levels(one, known, definition, below, item=is_tree)


def _known(tag: int, attributes: Attributes, definition: Iod) -> Attributes:
    """Return what is known of a sequence's items; the root of a content tree is a content item as well."""
    if attributes is definition.attributes and tag not in attributes.below:
        attributes = definition.content
    return attributes.below.get(tag, NOTHING)
