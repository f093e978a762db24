"""Every character set of DICOM, by the examples of PS3.5 annexes H to K and real files."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from agent.core.errors import Rejected
from agent.dicom.header import read_header
from agent.dicom.text import decode_identifier, decode_person_name, decode_text
from tests.fakes.instances import encode, mammogram, meta_of, record_of
from tests.peers import shared

NAMES = {
    "H.3.1": (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    "H.3.2": (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "I.2": (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    "J.1": ("ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
    "J.3": ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
    "K.2": (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
    "mixed": (
        "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
        b"Buc^J\xe9r\xf4me=\x1b-L\xbb\xee\xda^\xe9=\x1b-F\xc4\xe9",
        "Buc^Jérôme=Люк^é=Δι",
    ),
    "supplementary kanji": ("\\ISO 2022 IR 159", b"\x1b$(D\x30\x21\x1b(B^X", "丂^X"),
    "G1 beside a G0 of two bytes": ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\x1b$B;3\xd4ED\x1b(J", "山ﾔ田"),
    "padded within two bytes": ("\\ISO 2022 IR 87", b"\x1b$B;3ED ", "山田 "),
}


@pytest.mark.parametrize("case", NAMES)
def test_names(case: str) -> None:
    """A name is read as the standard spells it."""
    character_set, raw, name = NAMES[case]
    assert decode_person_name(raw, character_set) == name


@pytest.mark.parametrize(
    ("file", "name"),
    [("chrGB2312.dcm", "Zhang^XiaoDong=张^小东="), ("chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう")],
)
def test_names_of_real_files(file: str, name: str) -> None:
    """Files of another maker are read alike."""
    ds = dcmread(shared("data", "dicom") / "fo-dicom" / file)
    raw, declared = ds.get_item("PatientName").value, "\\".join(ds.SpecificCharacterSet)
    assert decode_person_name(raw, declared).rstrip() == name


@pytest.mark.parametrize(
    ("character_set", "raw", "text"),
    [
        ("ISO_IR 100", b"a^\xe9", "a^é"),
        ("ISO_IR 101", b"\xb1", "ą"),
        ("ISO_IR 203", b"C\xbdur", "Cœur"),
        ("ISO-IR 144", b"\xbb", "Л"),
        ("ISO 2022 IR 166 ", b"\xa1", "ก"),
        ("GBK", b"\x81\x40", "丂"),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED\r\n\x1b$BB@\x1b(B", "山田\r\n太"),
        ("ISO 2022 IR 6\\ISO 2022 IR 144", b"\x1b-L\xbb\\\xe9", "Л\\é"),
        ("ISO 2022 IR 6\\ISO 2022 IR 144", b"\x1b-L\xbb^\xbb", "Л^Л"),
        ("", b"\x1b$B;3ED\x1b(B", "山田"),
        ("", b"M\xfcller", "Müller"),
        ("ISO_IR 999", b"M\xfcller", "Müller"),
        ("nonsense", b"M\xfcller", "Müller"),
        ("\\ISO 2022 IR 87", b"\x1b$X\xe9", "\x1b$Xé"),
        ("ISO_IR 192", b"\x1b-Lx", "\x1b-Lx"),
    ],
)
def test_texts(character_set: str, raw: bytes, text: str) -> None:
    """Delimiters take designations back, escapes speak for themselves, the unknown counts as Latin-1."""
    assert decode_text(raw, character_set) == text


@pytest.mark.parametrize(
    ("character_set", "raw", "replaced"),
    [
        ("ISO_IR 192", b"J\xe9", "J\ufffd"),
        ("\\ISO 2022 IR 58", b"\x1b$)A\xd5\xc5\xff", "张\ufffd"),
    ],
)
def test_broken_text_is_marked_or_refused(character_set: str, raw: bytes, replaced: str) -> None:
    """Bytes outside of their set are an error, or U+FFFD; an identifier keeps them apart as Latin-1."""
    with pytest.raises(UnicodeDecodeError):
        decode_text(raw, character_set)
    assert decode_text(raw, character_set, "replace") == replaced
    assert decode_identifier(raw, character_set) == raw.decode("latin_1")


def test_padding_is_no_part_of_an_identifier() -> None:
    """Spaces and zero bytes around it do not count, broken or not."""
    assert decode_identifier(b" P-1 \0", "") == "P-1"
    assert decode_identifier(b" \xe9 ", "ISO_IR 192") == "é"


PIECES = [b"\x1b$B", b"\x1b$)A", b"\x1b(B", b";3", b"^", b"\xd5"]


@given(
    st.binary(max_size=24) | st.lists(st.sampled_from(PIECES)).map(b"".join),
    st.sampled_from(["", "ISO_IR 192", "\\ISO 2022 IR 58", "ISO 2022 IR 13\\ISO 2022 IR 87", "\\ISO 2022 IR 149"]),
)
def test_any_bytes_are_read(raw: bytes, character_set: str) -> None:
    """Nothing raises, or warns, where letters may be replaced, and what comes out can be written again."""
    for text in (decode_person_name(raw, character_set, "replace"), decode_identifier(raw, character_set)):
        assert text.encode("utf-8").decode("utf-8") == text


def test_the_warnings_of_other_threads_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`warnings.catch_warnings` changes the whole process: reading a broken Patient ID does without."""
    monkeypatch.setattr(warnings, "catch_warnings", lambda **_: pytest.fail("the filters of the process were changed"))
    ds = mammogram(PatientID="X" * 8)
    payload = encode(ds).replace(b"X" * 8, b"\x1b$)A\xff\xff  ")
    with pytest.raises(Rejected, match="control characters"):
        read_header(record_of(payload, meta_of(ds)), None)
