"""The walk over a dataset is linear, ends at so many steps, and notes each of them."""

import struct
from collections.abc import Callable

import pytest

from agent.core.errors import Rejected
from agent.dicom.structure import Broken, outline
from agent.dicom.walking import ITEM, MOST_STEPS, Element, Open, Scanner

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
OPEN = 0xFFFFFFFF
SEQUENCE = 0x00081140


def _item(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


def _sequence(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, len(content) if length is None else length) + content


END_ITEM, END_SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
PLAIN = struct.pack("<HH2sH", 0x10, 0x20, b"LO", 0)
LONG = struct.pack("<HH2sHI", 0x10, 0x20, b"OB", 0, 0)
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, OPEN)


def _tops(count: int) -> bytes:
    return b"".join(struct.pack("<HH2sH", 9 + (n >> 16), n & 0xFFFF, b"LO", 0) for n in range(count))


def _implicit_tops(count: int) -> bytes:
    return b"".join(struct.pack("<HHI", 9 + 2 * (n >> 16), n & 0xFFFF, 0) for n in range(count))


def _implicit_nested(count: int) -> bytes:
    item = _item(struct.pack("<HHI", 0x10, 0x20, 0) * count)
    return struct.pack("<HHI", 8, 0x1140, len(item)) + item


FLOODS: dict[str, tuple[Callable[[int], bytes], str]] = {
    "top": (_tops, EXPLICIT),
    "implicit top": (_implicit_tops, IMPLICIT),
    "nested": (lambda count: _sequence(_item(PLAIN * count)), EXPLICIT),
    "nested long": (lambda count: _sequence(_item(LONG * count)), EXPLICIT),
    "nested implicit": (_implicit_nested, IMPLICIT),
    "empty items": (lambda count: _sequence(_item(b"") * count), EXPLICIT),
    "items": (lambda count: _sequence(_item(PLAIN) * count), EXPLICIT),
    "open items": (lambda count: _sequence(_item(END_ITEM, OPEN) * count), EXPLICIT),
    "empty sequences": (lambda count: _sequence(_item(_sequence(b"") * count)), EXPLICIT),
    "sequences": (lambda count: _sequence(_item(_sequence(_item(b"")) * count)), EXPLICIT),
    "fragments": (lambda count: PIXELS + _item(b"") * count + END_SEQUENCE, EXPLICIT),
}
"""Objects of very many small things, by their kind."""


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_small_things_is_refused(kind: str) -> None:
    """However many there are, the walk ends at so many steps."""
    make, syntax = FLOODS[kind]
    data = make(MOST_STEPS + 1)
    with pytest.raises(Broken, match=f"more than {MOST_STEPS} elements, items and fragments"):
        outline(data, syntax)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_thousand_small_things_are_walked(kind: str) -> None:
    """What an object may have, it may have of any kind."""
    make, syntax = FLOODS[kind]
    data = make(1000)
    assert outline(data, syntax).end == len(data)


def test_an_image_of_very_many_frames_is_walked() -> None:
    """2,000 frames, each with eight functional groups of four attributes (PS3.3 C.7.6.16)."""
    group = _sequence(_item(PLAIN * 4))
    frames = _sequence(_item(group * 8) * 2000)
    assert len(outline(frames, EXPLICIT).steps) == 1 + 2000 * (1 + 8 * 6)


@pytest.mark.parametrize("is_open", [True, False])
def test_every_step_is_noted_in_order(is_open: bool) -> None:
    """Depth, tag, length and whether it is a sequence; an element behind a nested sequence too."""
    length, end_item, end = (OPEN, END_ITEM, END_SEQUENCE) if is_open else (None, b"", b"")
    inner = PLAIN + _sequence(_item(PLAIN + end_item, length) + _item(b"" + end_item, length) + end, length) + LONG
    data = _sequence(_item(inner + end_item, length) + end, length) + PLAIN
    found = [(depth, tag, size, is_sequence) for depth, tag, _, size, is_sequence in outline(data, EXPLICIT).steps]
    assert found == [
        (1, SEQUENCE, 0, True),
        (2, ITEM, 0, False),
        (3, 0x00100020, 0, False),
        (3, SEQUENCE, 0, True),
        (4, ITEM, 0, False),
        (5, 0x00100020, 0, False),
        (4, ITEM, 0, False),
        (3, 0x00100020, 0, False),
        (1, 0x00100020, 0, False),
    ]


def test_only_its_own_elements_are_a_datasets() -> None:
    """What is nested is not among them, and a tag may occur inside and outside."""
    found = outline(_sequence(_item(PLAIN)) + PLAIN, EXPLICIT)
    assert set(found.elements) == {SEQUENCE, 0x00100020}
    (item,) = found.items(SEQUENCE)
    assert set(item.elements) == {0x00100020}


def test_a_walk_of_few_steps_ends_early() -> None:
    """The number is that of one walk."""
    elements: dict[int, Element] = {}
    with pytest.raises(Rejected, match="more than 20 elements"):
        Scanner(_sequence(_item(PLAIN * 30)), False, 20).scan(0, Open("dataset", 20 + 30 * 8, False, False), elements)
