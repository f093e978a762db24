"""Attributes of a source's header that overlays repeat: where its pixels lie, and how they are shown."""

import math
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TypeAlias

from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException

Headers: TypeAlias = Mapping[str, bytes]
"""SOP Instance UID -> Part 10 file without pixels."""


def read_attributes(header: bytes, keywords: Sequence[str]) -> Dataset:
    """Return those attributes of a header that it has and that can be read; what breaks its VR counts as absent."""
    kept = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the source's faults are not ours to repeat
        found = dcmread(BytesIO(header), stop_before_pixels=True, specific_tags=list(keywords))
        for keyword in keywords:
            try:
                element = found[keyword]
            except (KeyError, ValueError, TypeError, OverflowError, BytesLengthException):
                continue
            if not element.is_empty:
                kept.add(element)
    return kept


def numbers(ds: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Return the values of a numeric attribute; empty unless there are as many as wanted, all of them finite."""
    value = ds.get(keyword)
    values = [value] if isinstance(value, int | float) else list(value or ())
    if len(values) != count:
        return ()
    try:
        given = tuple(float(one) for one in values)
    except (ValueError, TypeError):
        return ()
    return given if all(math.isfinite(one) for one in given) else ()
