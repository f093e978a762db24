"""The bones of an encoded dataset: where each element lies, checked against what is really there.

pydicom shortens an element that claims more bytes than there are, without a word, and recurses into nested
sequences until Python stops it. So nothing is parsed before its lengths and depth have been checked here, once,
without recursion (PS3.5 section 7).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Rejected
from agent.dicom.inflating import inflate
from agent.dicom.walking import ITEM, PIXEL_DATA, UNDEFINED, Element, Open, Scanner, Step

__all__ = ["ITEM", "NATIVE", "PIXEL_DATA", "Broken", "Element", "Step", "Structure", "outline"]

MAX_INFLATED_BYTES: Final = 128 * 1024 * 1024
_LONGEST_ASKED_FOR: Final = 1 << 20  # nobody asks for a text or number that is longer

_IMPLICIT: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.20"})
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_DEFLATED: Final = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
NATIVE: Final = _IMPLICIT | {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", _BIG_ENDIAN}
"""Transfer syntaxes whose Pixel Data is not compressed."""


@dataclass(frozen=True)
class Structure:
    """The top-level elements of a dataset or of one item of a sequence."""

    data: bytes | memoryview
    big_endian: bool
    elements: Mapping[int, Element]
    end: int  # just behind it
    steps: Sequence[Step] = ()  # through everything, nested elements too

    def raw(self, tag: int) -> bytes:
        """Return the value of an element as it is encoded, empty where there is none, or one of more than 1 MiB."""
        element = self.elements.get(tag)
        if element is None or element.length is None or element.length > _LONGEST_ASKED_FOR:
            return b""
        return bytes(self.data[element.start : element.start + element.length])

    def ascii(self, tag: int) -> str:
        """Return a text of the default character repertoire, without its padding; what is not ASCII becomes "?"."""
        return self.raw(tag).decode("ascii", "replace").replace("\ufffd", "?").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """Return an unsigned short (US), None where there is none."""
        raw = self.raw(tag)
        return int.from_bytes(raw[:2], "big" if self.big_endian else "little") if len(raw) >= 2 else None

    def fragments(self, element: Element) -> Iterator[memoryview]:
        """Yield the fragments of encapsulated Pixel Data (PS3.5 A.4), without the Basic Offset Table."""
        scanner, whole = Scanner(self.data, self.big_endian), memoryview(self.data)
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
        scanner = Scanner(self.data, self.big_endian)
        while position < end:
            tag, length = scanner.header(position)
            if tag != ITEM:
                return
            delimited = length == UNDEFINED
            bound = end if delimited else position + 8 + length
            root = Open("dataset", bound, delimited, element.implicit)
            elements: dict[int, Element] = {}
            scanner = Scanner(self.data, self.big_endian)
            behind = scanner.scan(position + 8, root, elements)
            yield Structure(self.data, self.big_endian, elements, behind, scanner.steps)
            position = behind


class Broken(Rejected):
    """A dataset that is whole only at its beginning: `partial` holds the elements before the damage."""

    def __init__(self, reason: str, partial: Structure) -> None:
        super().__init__(reason)
        self.partial = partial


def outline(payload: bytes | memoryview, transfer_syntax_uid: str) -> Structure:
    """Walk an encoded dataset (no preamble, no File Meta Information) and return its top-level elements.

    Raises
    ------
    Rejected
        If it is not a dataset in that transfer syntax, an element claims more bytes than there are, sequences nest
        deeper than 32, a tag occurs twice, or it inflates to more than 128 MiB; Broken where its beginning was walked.
    """
    if not transfer_syntax_uid:
        raise Rejected("no transfer syntax")
    data = inflate(payload, MAX_INFLATED_BYTES) if transfer_syntax_uid in _DEFLATED else payload
    root = Open("dataset", len(data), False, transfer_syntax_uid in _IMPLICIT)
    big_endian = transfer_syntax_uid == _BIG_ENDIAN
    elements: dict[int, Element] = {}
    scanner = Scanner(data, big_endian)
    try:
        end = scanner.scan(0, root, elements)
    except Rejected as exc:
        whole = {tag: element for tag, element in elements.items() if not element.sequence}
        raise Broken(str(exc), Structure(data, big_endian, whole, len(data))) from None
    return Structure(data, big_endian, elements, end, scanner.steps)
