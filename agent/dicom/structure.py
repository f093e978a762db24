"""The bones of an encoded dataset: where each element lies, checked against what is really there.

pydicom shortens an element that claims more bytes than there are, without a word, and recurses into nested
sequences until Python stops it. So nothing is parsed before its lengths and depth have been checked here, once,
without recursion (PS3.5 section 7).
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydicom._dicom_dict import DicomDictionary

from agent.core.errors import Rejected

MAX_DEPTH: Final = 32
MAX_INFLATED_BYTES: Final = 128 * 1024 * 1024

_IMPLICIT: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.20"})
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_DEFLATED: Final = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
NATIVE: Final = _IMPLICIT | {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", _BIG_ENDIAN}
"""Transfer syntaxes whose Pixel Data is not compressed."""

_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_SEQUENCES: Final = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
_UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010


class Element(NamedTuple):
    """Where the value of an element lies. `length` is None where only a delimiter ends it."""

    start: int
    length: int | None
    limit: int  # no value reaches beyond: the end of what encloses it
    implicit: bool  # how what is nested in it is encoded
    sequence: bool


class Step(NamedTuple):
    """One element on the way through a dataset, or the beginning of an item (tag FFFEE000), at any depth."""

    depth: int  # odd: of an element, 1 at the top; even: of an item
    tag: int
    start: int
    length: int  # of the value; 0 of what nests
    is_sequence: bool


class _Open(NamedTuple):
    """A dataset, a sequence or a train of pixel fragments that is being walked."""

    kind: str  # "dataset", "sequence", "fragments"
    end: int
    delimited: bool  # a delimiter must come before `end`
    implicit: bool


@dataclass(frozen=True)
class Structure:
    """The top-level elements of a dataset or of one item of a sequence."""

    data: bytes
    big_endian: bool
    elements: Mapping[int, Element]
    end: int  # just behind it
    steps: Sequence[Step] = ()  # through everything, nested elements too

    def raw(self, tag: int) -> bytes:
        """Return the value of an element as it is encoded, empty where there is none."""
        element = self.elements.get(tag)
        if element is None or element.length is None:
            return b""
        return self.data[element.start : element.start + element.length]

    def ascii(self, tag: int) -> str:
        """Return a text of the default character repertoire, without its padding; what is not ASCII becomes "?"."""
        return self.raw(tag).decode("ascii", "replace").replace("\ufffd", "?").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """Return an unsigned short (US), None where there is none."""
        raw = self.raw(tag)
        return int.from_bytes(raw[:2], "big" if self.big_endian else "little") if len(raw) >= 2 else None

    def fragments(self, element: Element) -> Iterator[memoryview]:
        """Yield the fragments of encapsulated Pixel Data (PS3.5 A.4), without the Basic Offset Table."""
        scanner, whole = _Scanner(self.data, self.big_endian), memoryview(self.data)
        position, is_first = element.start, True
        while True:
            item, length = scanner.header(position)
            if item != ITEM:
                return
            if not is_first:
                yield whole[position + 8 : position + 8 + length]
            position, is_first = position + 8 + length, False

    def items(self, tag: int) -> "Iterator[Structure]":
        """Yield the items of a sequence; an element that is none has none."""
        element = self.elements.get(tag)
        if element is None or not element.sequence:
            return
        position = element.start
        end = element.limit if element.length is None else element.start + element.length
        scanner = _Scanner(self.data, self.big_endian)
        while position < end:
            tag, length = scanner.header(position)
            if tag != ITEM:
                return
            delimited = length == _UNDEFINED
            bound = end if delimited else position + 8 + length
            root = _Open("dataset", bound, delimited, element.implicit)
            item = scanner.scan(position + 8, root, {})
            yield item
            position = item.end


class Broken(Rejected):
    """A dataset that is whole only at its beginning: `partial` holds the elements before the damage."""

    def __init__(self, reason: str, partial: Structure) -> None:
        super().__init__(reason)
        self.partial = partial


def outline(payload: bytes, transfer_syntax_uid: str) -> Structure:
    """Walk an encoded dataset (no preamble, no File Meta Information) and return its top-level elements.

    Raises
    ------
    Rejected
        If it is not a dataset in that transfer syntax, an element claims more bytes than there are, sequences nest
        deeper than 32, a tag occurs twice, or it inflates to more than 128 MiB; Broken where its beginning was walked.
    """
    if not transfer_syntax_uid:
        raise Rejected("no transfer syntax")
    data = inflate(payload) if transfer_syntax_uid in _DEFLATED else payload
    root = _Open("dataset", len(data), False, transfer_syntax_uid in _IMPLICIT)
    big_endian = transfer_syntax_uid == _BIG_ENDIAN
    elements: dict[int, Element] = {}
    try:
        return _Scanner(data, big_endian).scan(0, root, elements)
    except Rejected as exc:
        whole = {tag: element for tag, element in elements.items() if not element.sequence}
        raise Broken(str(exc), Structure(data, big_endian, whole, len(data))) from None


def inflate(payload: bytes, limit_bytes: int = MAX_INFLATED_BYTES) -> bytes:
    """Undo the deflation of a dataset (PS3.5 A.5), refusing one that grows beyond a limit.

    Raises
    ------
    Rejected
        If the stream is damaged, ends early, or grows beyond `limit_bytes`.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(payload, limit_bytes)
    except zlib.error:
        raise Rejected("not parsable: the deflated dataset is damaged") from None
    if not stream.eof:
        grows = bool(stream.unconsumed_tail)
        raise Rejected(f"the deflated dataset grows beyond {limit_bytes} bytes" if grows else "truncated: deflated")
    return data


class _Scanner:
    """One walk over one dataset."""

    def __init__(self, data: bytes, big_endian: bool) -> None:
        self._data = data
        self._big_endian = big_endian
        self._steps: list[Step] = []
        self._tag_length = struct.Struct(">HHI" if big_endian else "<HHI")
        self._short = struct.Struct(">H" if big_endian else "<H")
        self._long = struct.Struct(">I" if big_endian else "<I")

    def header(self, position: int) -> tuple[int, int]:
        """Return the tag at a position, and the 32-bit length behind it as implicit VR and items have it."""
        group, number, length = self._tag_length.unpack_from(self._data, position)
        return group << 16 | number, length

    def scan(self, position: int, root: _Open, elements: dict[int, Element]) -> Structure:
        """Walk from `position` to the end of `root`, noting its elements."""
        stack = [root]
        while stack:
            top = stack[-1]
            if position >= top.end and not top.delimited:
                stack.pop()
            elif top is root and not root.delimited and self._only_zeros(position):
                position = top.end  # padding behind the last element
            elif top.end - position < 8:
                raise Rejected("truncated: it ends within an element, item or sequence")
            elif top.kind == "dataset":
                position = self._element(position, stack, elements)
            else:
                position = self._item(position, stack)
        return Structure(self._data, self._big_endian, elements, position, self._steps)

    def _only_zeros(self, position: int) -> bool:
        data = self._data
        return not any(data[position : position + 8]) and data.count(0, position) == len(data) - position

    def _element(self, position: int, stack: list[_Open], elements: dict[int, Element]) -> int:
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
        if length != _UNDEFINED and start + length > top.end:
            raise Rejected(f"truncated: {_name(tag)} claims {length} bytes, {max(top.end - start, 0)} are there")
        delimited, implicit = length == _UNDEFINED, top.implicit or vr == b"UN"
        if len(stack) == 1:
            if tag in elements:
                raise Rejected(f"not parsable: {_name(tag)} occurs twice")
            known_length = None if delimited else length
            elements[tag] = Element(start, known_length, top.end, implicit, nested == "sequence")
        self._steps.append(Step(len(stack), tag, start, 0 if nested else length, nested == "sequence"))
        if not nested:
            return start + length
        if len(stack) > 2 * MAX_DEPTH:  # each level is a sequence and its item
            raise Rejected(f"sequences nest deeper than {MAX_DEPTH}")
        stack.append(_Open(nested, top.end if delimited else start + length, delimited, implicit))
        return start

    def _explicit(self, position: int, tag: int, end: int) -> tuple[bytes, int, int]:
        """Return VR, start and length of the value of an element in explicit VR (PS3.5 7.1.2)."""
        vr = self._data[position + 4 : position + 6]
        if vr in _SHORT:
            (length,) = self._short.unpack_from(self._data, position + 6)
            return vr, position + 8, length
        if vr not in _LONG:
            raise Rejected(f"not parsable: {_name(tag)} has no known value representation")
        if end - position < 12:
            raise Rejected(f"truncated: within {_name(tag)}")
        (length,) = self._long.unpack_from(self._data, position + 8)
        return vr, position + 12, length

    def _item(self, position: int, stack: list[_Open]) -> int:
        """Step into an item of a sequence, over a pixel fragment, or out at the sequence's end."""
        top = stack[-1]
        tag, length = self.header(position)
        start = position + 8
        if tag == _SEQUENCE_END and top.delimited:
            stack.pop()
            return start
        if tag != ITEM:
            raise Rejected(f"not parsable: {_name(tag)} where an item should begin")
        delimited = length == _UNDEFINED and top.kind == "sequence"
        if not delimited and start + length > top.end:
            raise Rejected(f"truncated: an item claims {length} bytes, {top.end - start} are there")
        if top.kind == "fragments":
            return start + length
        self._steps.append(Step(len(stack), ITEM, start, 0, False))
        stack.append(_Open("dataset", top.end if delimited else start + length, delimited, top.implicit))
        return start


def _nested(tag: int, vr: bytes, length: int, implicit: bool) -> str:
    """Say what the value of an element holds: "sequence", "fragments" or, empty, plain bytes."""
    if length == _UNDEFINED:
        return "fragments" if tag == PIXEL_DATA or vr in (b"OB", b"OW") else "sequence"
    return "sequence" if vr == b"SQ" or (implicit and tag in _SEQUENCES) else ""


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
