"""Attributes of a source's header that overlays repeat: where its pixels lie, and how they are shown."""

import math
import struct
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final, TypeAlias

from pydicom import DataElement, Dataset, dcmread
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat, format_number_as_ds

Headers: TypeAlias = Mapping[str, bytes]
"""SOP Instance UID -> Part 10 file without pixels."""
MOST_LETTERS: Final = 16
"""Of a Decimal String (PS3.5 table 6.2-1)."""
_UNREADABLE: Final = (
    *(KeyError, ValueError, TypeError, OverflowError, EOFError, OSError, struct.error),
    BytesLengthException,
)


def read_attributes(header: bytes, keywords: Sequence[str]) -> Dataset:
    """Return those attributes of a header that it has and that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the source's faults are not ours to repeat
        return kept(dcmread(BytesIO(header), stop_before_pixels=True, specific_tags=list(keywords)), keywords)


def kept(found: Dataset, keywords: Sequence[str]) -> Dataset:
    """Return those attributes of a dataset that have a value; what breaks its VR counts as absent.

    Decimal numbers of more letters than a Decimal String may have (PS3.5 6.2), as many headers hold, are written anew.
    """
    ds = Dataset()
    for keyword in keywords:
        try:
            element = found[keyword]
        except _UNREADABLE:
            continue
        if not element.is_empty:
            ds.add(_fitting(element) if element.VR == "DS" else element)
    return ds


def _fitting(element: DataElement) -> DataElement:
    given = element.value
    values = list(given) if isinstance(given, MultiValue) else [given]
    if not all(isinstance(one, DSfloat) for one in values):  # pydicom leaves a faulty one among several as it is
        return element
    fitting = [_written(one) for one in values]
    return DataElement(element.tag, "DS", fitting if isinstance(given, MultiValue) else fitting[0])


def _written(number: DSfloat) -> DSfloat:
    """Return a number in at most 16 letters, unchanged where it has no more; infinity stays, which nobody uses."""
    if len(str(number)) <= MOST_LETTERS or not math.isfinite(number):
        return number
    return DSfloat(format_number_as_ds(float(number)))


def numbers(ds: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Return the values of a numeric attribute; empty unless there are as many as wanted, all of them finite."""
    value = ds.get(keyword)
    values = [value] if isinstance(value, int | float) else list(value or ())
    if len(values) != count:
        return ()
    try:
        given = tuple(float(one) for one in values)
    except ValueError:  # of several values pydicom leaves the faulty ones as they are
        return ()
    return given if all(math.isfinite(one) for one in given) else ()
