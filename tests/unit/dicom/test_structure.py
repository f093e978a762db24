import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from agent.core.errors import Rejected
from agent.dicom.inflating import inflate
from agent.dicom.structure import MAX_INFLATED_BYTES, outline
from agent.dicom.walking import MAX_DEPTH
from tests.fakes.instances import BIG_ENDIAN, DEFLATED, IMPLICIT, encode, mammogram

EXPLICIT = "1.2.840.10008.1.2.1"
SYNTAXES = [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]
PATIENT_ID = 0x00100020


def _element(tag: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"SQ", b"OB", b"OW", b"UN")
    return head + (struct.pack("<HI", 0, length) if long else struct.pack("<H", length)) + value


def _item(length: int, value: bytes = b"") -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length) + value


END_ITEM, END_SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
OPEN = 0xFFFFFFFF
SEQUENCE = 0x00081140


def _nested(depth: int, *, defined: bool) -> bytes:
    inner = _element(PATIENT_ID, b"LO", 2, b"x ")
    for _ in range(depth):
        if defined:
            inner = _element(SEQUENCE, b"SQ", len(inner) + 8, _item(len(inner), inner))
        else:
            inner = _element(SEQUENCE, b"SQ", OPEN, _item(OPEN, inner + END_ITEM) + END_SEQUENCE)
    return inner


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_finds_elements_and_items(syntax: str, undefined: bool) -> None:
    """Values, numbers and items of sequences are found in every encoding."""
    ds = mammogram()
    one, two = Dataset(), Dataset()
    one.CodeValue, two.CodeValue = "A", "B"
    ds.ViewCodeSequence = Sequence([one, two])
    ds["ViewCodeSequence"].is_undefined_length = undefined
    for inner in ds.ViewCodeSequence:
        inner.is_undefined_length_sequence_item = undefined
    found = outline(encode(ds, syntax), syntax)
    assert found.ascii(PATIENT_ID) == "P-1"
    assert found.number(0x00280010) == 2
    assert [i.ascii(0x00080100) for i in found.items(0x00540220)] == ["A", "B"]


def test_absent_elements_are_empty() -> None:
    """What is not there has no value, no number and no items."""
    found = outline(b"", EXPLICIT)
    assert (found.raw(PATIENT_ID), found.ascii(PATIENT_ID), found.number(0x00280010)) == (b"", "", None)
    assert list(found.items(SEQUENCE)) == []


def test_a_plain_element_has_no_items() -> None:
    """Bytes that are no sequence are never read as one."""
    found = outline(_element(SEQUENCE, b"OB", 8, _item(99)), EXPLICIT)
    assert list(found.items(SEQUENCE)) == []


def test_a_sequence_of_undefined_length_has_no_raw_value() -> None:
    """Without a length there are no bytes to hand out."""
    assert outline(_element(SEQUENCE, b"SQ", OPEN, END_SEQUENCE), EXPLICIT).raw(SEQUENCE) == b""


def test_walks_over_fragments() -> None:
    """Compressed pixels are stepped over, fragment by fragment, to their end."""
    pixels = _element(0x7FE00010, b"OB", OPEN, _item(0) + _item(4, b"\xff\xd8\xff\xd9") + END_SEQUENCE)
    trailing = _element(0xFFFCFFFC, b"OB", 2, b"\0\0")
    assert set(outline(pixels + trailing, EXPLICIT).elements) == {0x7FE00010, 0xFFFCFFFC}


def test_unknown_with_undefined_length_is_implicit_inside() -> None:
    """UN of undefined length holds implicit VR, whatever is around it (PS3.5 6.2.2)."""
    inside = _item(OPEN, struct.pack("<HHI", 0x0010, 0x0020, 2) + b"x " + END_ITEM)
    found = outline(_element(0x00111001, b"UN", OPEN, inside + END_SEQUENCE), EXPLICIT)
    assert [i.ascii(PATIENT_ID) for i in found.items(0x00111001)] == ["x"]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("padding", [1, 7, 8, 300])
def test_zeros_behind_the_last_element_are_padding(syntax: str, padding: int) -> None:
    """Some senders fill up with zeros; the dataset before them counts."""
    found = outline(encode(mammogram(), syntax) + bytes(padding), syntax)
    assert found.ascii(PATIENT_ID) == "P-1"


@pytest.mark.parametrize("defined", [True, False])
def test_nests_as_deep_as_allowed(defined: bool) -> None:
    """32 levels are walked, 33 are refused, 10,000 too and at once."""
    assert outline(_nested(MAX_DEPTH, defined=defined), EXPLICIT).elements
    for depth in (MAX_DEPTH + 1, 10_000):
        bomb = _nested(depth, defined=defined)
        started = time.process_time()
        with pytest.raises(Rejected, match="nest deeper than 32"):
            outline(bomb, EXPLICIT)
        assert time.process_time() - started < 0.1


BROKEN = [
    (_element(PATIENT_ID, b"LO", 9, b"x"), "truncated: .0010,0020. claims 9 bytes, 1 are there"),
    (_element(0x7FE00010, b"OW", 0xFFFFFFF0, b"abc"), "truncated: .7FE0,0010. claims 4294967280 bytes, 3 are there"),
    (_element(SEQUENCE, b"SQ", 8, _item(4)), "truncated: an item claims 4 bytes, 0 are there"),
    (_element(SEQUENCE, b"SQ", 12, _item(4, _element(PATIENT_ID, b"LO", 2)[:4])), "truncated: it ends within"),
    (_element(SEQUENCE, b"SQ", OPEN), "truncated"),
    (_element(SEQUENCE, b"SQ", OPEN, _item(OPEN)), "truncated"),
    (_element(0x7FE00010, b"OB", OPEN, _item(0) + _item(4, b"abcd")), "truncated"),
    (_element(0x7FE00010, b"OB", OPEN, _item(0) + _item(9, b"abcd")), "truncated: an item claims 9 bytes"),
    (_element(0x7FE00010, b"OW", 0)[:8], "truncated: within .7FE0,0010."),
    (_element(PATIENT_ID, b"LO", 0) * 2, "not parsable: .0010,0020. occurs twice"),
    (_element(PATIENT_ID, b"??", 0), "not parsable: .0010,0020. has no known value representation"),
    (_item(0), "not parsable: .FFFE,E000. where an element should begin"),
    (_element(SEQUENCE, b"SQ", 8, _element(PATIENT_ID, b"LO", 0)), "where an item should begin"),
    (b"\x08", "truncated"),
    (b"GIF89a not DICOM at all", "not parsable"),
]


@pytest.mark.parametrize(("data", "reason"), BROKEN)
def test_refuses_what_is_not_whole(data: bytes, reason: str) -> None:
    """Each lie about a length and each stray tag is refused with its own reason."""
    with pytest.raises(Rejected, match=reason):
        outline(data, EXPLICIT)


def test_refuses_an_unknown_encoding() -> None:
    """Without a transfer syntax nothing is guessed."""
    with pytest.raises(Rejected, match="no transfer syntax"):
        outline(encode(mammogram()), "")


def test_inflates_under_a_cap() -> None:
    """A bomb stops at the cap; what is exactly as large as the cap passes."""
    bomb = encode(mammogram(PixelData=bytes(2_000_000)), DEFLATED)
    size = len(inflate(bomb, MAX_INFLATED_BYTES))
    assert len(bomb) < size / 100
    assert len(inflate(bomb, size)) == size
    with pytest.raises(Rejected, match="larger than 1 MiB"):
        inflate(bomb, 1 << 20)


def test_refuses_a_damaged_deflation() -> None:
    """A stream that is none, or ends early, is refused."""
    with pytest.raises(Rejected, match="damaged"):
        inflate(b"\xff\xff\xff\xff", 4096)
    with pytest.raises(Rejected, match="ends early"):
        inflate(encode(mammogram(), DEFLATED)[:-4], 4096)


def test_every_truncation_is_noticed() -> None:
    """Cut anywhere but between two elements, a dataset is refused."""
    whole = encode(mammogram())
    found = outline(whole, EXPLICIT).elements.values()
    ends = {0, *(e.start + (e.length or 0) for e in found)}
    for cut in range(len(whole)):
        if cut not in ends:
            with pytest.raises(Rejected):
                outline(whole[:cut], EXPLICIT)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(SYNTAXES))
def test_any_bytes_are_outlined_or_rejected(data: bytes, syntax: str) -> None:
    """Whatever the bytes, the answer is a structure or Rejected; items are read as safely."""
    try:
        found = outline(data, syntax)
        for tag in found.elements:
            list(found.items(tag))
    except Rejected:
        return
    assert all(e.start + (e.length or 0) <= e.limit for e in found.elements.values())
