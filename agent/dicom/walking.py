"""One walk over the bytes of an encoded dataset: its lengths against what is there, its nesting, its elements.

It is linear in the number of elements, not recursive, and ends at so many of them that take some tenths of a second: a
sender decides how much there is to walk (PS3.5 section 7).
"""

import struct
from typing import Final, NamedTuple, TypeAlias

from pydicom._dicom_dict import DicomDictionary

from agent.core.errors import Rejected

MAX_DEPTH: Final = 32
MOST_STEPS: Final = 500_000
"""Elements, items and fragments of one object; what nests or lies at the top counts more: it takes longer.

An enhanced MR image of 2,000 frames with all that may be said of each has about as many.
"""

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
PIXEL_DATA: Final = 0x7FE00010

_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_PIECE: Final = 1 << 20
_PER_TURN, _PER_TOP_ELEMENT = 2, 3
_ITEM_END_TAG: Final = (0xFFFE, 0xE00D)
_NONE: Final[dict[int, "Element"]] = {}  # of a nested dataset nobody asks which elements are its own
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_SEQUENCES: Final = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


class Element(NamedTuple):
    """Where the value of an element lies. `length` is None where only a delimiter ends it."""

    start: int
    length: int | None
    limit: int  # no value reaches beyond: the end of what encloses it
    implicit: bool  # how what is nested in it is encoded
    sequence: bool


Step: TypeAlias = tuple[int, int, int, int, bool]
"""One element on the way through a dataset, or the beginning of an item (tag FFFEE000), at any depth.

Depth (odd: of an element, 1 at the top; even: of an item), tag, start and length of the value (0 of what nests), and
whether it is a sequence. A plain tuple, since there are so many.
"""


class Open(NamedTuple):
    """A dataset, a sequence or a train of pixel fragments that is being walked."""

    kind: str  # "dataset", "sequence", "fragments"
    end: int
    delimited: bool  # a delimiter must come before `end`
    implicit: bool


class Scanner:
    """Walks over one dataset, noting every step; at most so many in all."""

    def __init__(self, data: bytes | memoryview, big_endian: bool, most_steps: int = MOST_STEPS) -> None:
        order = ">" if big_endian else "<"
        self.steps: list[Step] = []
        self._data = data
        self._left = most_steps
        self._most = most_steps
        self._tag_length = struct.Struct(f"{order}HHI")
        self._explicit_head = struct.Struct(f"{order}HH2sH")
        self._long = struct.Struct(f"{order}I")

    def header(self, position: int) -> tuple[int, int]:
        """Return the tag at a position, and the 32-bit length behind it as implicit VR and items have it."""
        group, number, length = self._tag_length.unpack_from(self._data, position)
        return group << 16 | number, length

    def scan(self, position: int, root: Open, elements: dict[int, Element]) -> int:
        """Walk from `position` to the end of `root`, noting its elements; return where that is.

        Raises
        ------
        Rejected
            If it is no dataset, or not whole, or nests too deeply, or has too many elements.
        """
        stack = [root]
        while stack:
            top = stack[-1]
            self._left -= _PER_TURN
            if top.kind == "dataset":
                known = len(elements)
                position = self._run(position, top.end, len(stack), top.implicit, elements)
                self._left -= _PER_TOP_ELEMENT * (len(elements) - known)
            if len(self.steps) >= self._left:
                raise Rejected(f"not parsable: more than {self._most} elements, items and fragments")
            if position >= top.end and not top.delimited:
                stack.pop()
            elif top is root and not root.delimited and self._only_zeros(position):
                position = top.end  # padding behind the last element
            elif top.end - position < 8:
                raise Rejected("truncated: it ends within an element, item or sequence")
            elif top.kind == "dataset":
                position = self._element(position, stack, elements)
            elif top.kind == "fragments":
                position = self._fragments(position, stack)
            else:
                position = self._items(position, stack)
        return position

    def _only_zeros(self, position: int) -> bool:
        data = self._data
        pieces = (data[at : at + _PIECE] for at in range(position, len(data), _PIECE))
        return not any(data[position : position + 8]) and all(bytes(piece).count(0) == len(piece) for piece in pieces)

    def _run(self, position: int, end: int, depth: int, implicit: bool, elements: dict[int, Element]) -> int:
        """Step over the plain elements that come first; whatever is more than that, or wrong, is left."""
        run = self._implicit_run if implicit else self._explicit_run
        return run(position, end, depth, elements if depth == 1 else None)

    def _room(self, elements: object) -> int:
        """How many plain elements may come."""
        return (self._left - len(self.steps)) // (1 if elements is None else 1 + _PER_TOP_ELEMENT) + 1

    def _explicit_run(self, position: int, end: int, depth: int, elements: dict[int, Element] | None) -> int:
        data, note, head, make = self._data, self.steps.append, self._explicit_head.unpack_from, tuple.__new__
        for _ in range(self._room(elements)):
            start = position + 8
            if start > end:
                break
            group, number, vr, length = head(data, position)
            if vr not in _SHORT:
                if vr not in _LONG or vr == b"SQ" or start + 4 > end:
                    break
                (length,) = self._long.unpack_from(data, start)
                start += 4
            tag = group << 16 | number
            if length > end - start or group == 0xFFFE:
                break
            if elements is not None:
                if tag in elements:
                    break
                elements[tag] = make(Element, (start, length, end, vr == b"UN", False))
            note((depth, tag, start, length, False))
            position = start + length
        return position

    def _implicit_run(self, position: int, end: int, depth: int, elements: dict[int, Element] | None) -> int:
        data, note, head, make = self._data, self.steps.append, self._tag_length.unpack_from, tuple.__new__
        for _ in range(self._room(elements)):
            start = position + 8
            if start > end:
                break
            group, number, length = head(data, position)
            tag = group << 16 | number
            if length > end - start or tag in _SEQUENCES or not tag or group == 0xFFFE:
                break
            if elements is not None:
                if tag in elements:
                    break
                elements[tag] = make(Element, (start, length, end, True, False))
            note((depth, tag, start, length, False))
            position = start + length
        return position

    def _element(self, position: int, stack: list[Open], elements: dict[int, Element]) -> int:
        """Step over an element, or into it if it nests. Top-level ones are noted in `elements`."""
        top = stack[-1]
        tag, length = self.header(position)
        if tag == _ITEM_END and top.delimited:
            stack.pop()
            return position + 8
        if tag >> 16 == 0xFFFE:
            raise Rejected(f"not parsable: {_name(tag)} where an element should begin")
        vr, start, length = (b"", position + 8, length) if top.implicit else self._explicit(position, tag, top.end)
        nested = _nested(tag, vr, length, top.implicit)
        if length != UNDEFINED and start + length > top.end:
            raise Rejected(f"truncated: {_name(tag)} claims {length} bytes, {max(top.end - start, 0)} are there")
        delimited, implicit = length == UNDEFINED, top.implicit or vr == b"UN"
        if len(stack) == 1:
            if tag in elements:
                raise Rejected(f"not parsable: {_name(tag)} occurs twice")
            known_length = None if delimited else length
            elements[tag] = Element(start, known_length, top.end, implicit, nested == "sequence")
        self.steps.append((len(stack), tag, start, 0 if nested else length, nested == "sequence"))
        if not nested:
            return start + length
        if len(stack) > 2 * MAX_DEPTH:  # each level is a sequence and its item
            raise Rejected(f"sequences nest deeper than {MAX_DEPTH}")
        if length:
            stack.append(Open(nested, top.end if delimited else start + length, delimited, implicit))
        return start

    def _explicit(self, position: int, tag: int, end: int) -> tuple[bytes, int, int]:
        """Return VR, start and length of the value of an element in explicit VR (PS3.5 7.1.2)."""
        _, _, vr, length = self._explicit_head.unpack_from(self._data, position)
        if vr in _SHORT:
            return vr, position + 8, length
        if vr not in _LONG:
            raise Rejected(f"not parsable: {_name(tag)} has no known value representation")
        if end - position < 12:
            raise Rejected(f"truncated: within {_name(tag)}")
        (length,) = self._long.unpack_from(self._data, position + 8)
        return vr, position + 12, length

    def _items(self, position: int, stack: list[Open]) -> int:
        """Step over items of plain elements, as many as come, into one that nests, or out at the end."""
        top, depth, data, head = stack[-1], len(stack), self._data, self._tag_length.unpack_from
        while top.end - position >= 8 and len(self.steps) < self._left:
            group, number, length = head(data, position)
            tag, start = group << 16 | number, position + 8
            if tag == _SEQUENCE_END and top.delimited:
                stack.pop()
                return start
            delimited = length == UNDEFINED
            self._left -= _PER_TURN if delimited else 1
            _check_item(tag, 0 if delimited else length, top.end - start)
            self.steps.append((depth, ITEM, start, 0, False))
            end = top.end if delimited else start + length
            position = self._run(start, end, depth + 1, top.implicit, _NONE) if length else start
            if delimited and end - position >= 8 and head(data, position)[:2] == _ITEM_END_TAG:
                position += 8
            elif delimited or position < end:
                stack.append(Open("dataset", end, delimited, top.implicit))
                return position
        return position

    def _fragments(self, position: int, stack: list[Open]) -> int:
        """Step over all pixel fragments that come."""
        data, end, head = self._data, stack[-1].end, self._tag_length.unpack_from
        for _ in range(self._left - len(self.steps)):
            if end - position < 8:
                return position
            group, number, length = head(data, position)
            tag, position = group << 16 | number, position + 8
            if tag == _SEQUENCE_END:
                stack.pop()
                return position
            _check_item(tag, length, end - position)
            position += length
            self._left -= 1
        return position


def _check_item(tag: int, length: int, there: int) -> None:
    if tag != ITEM:
        raise Rejected(f"not parsable: {_name(tag)} where an item should begin")
    if length > there:
        raise Rejected(f"truncated: an item claims {length} bytes, {there} are there")


def _nested(tag: int, vr: bytes, length: int, implicit: bool) -> str:
    """Say what the value of an element holds: "sequence", "fragments" or, empty, plain bytes."""
    if length == UNDEFINED:
        return "fragments" if tag == PIXEL_DATA or vr in (b"OB", b"OW") else "sequence"
    return "sequence" if vr == b"SQ" or (implicit and tag in _SEQUENCES) else ""


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
