"""Every defined term of PS3.3 C.12.1.1.2, against the standard's own examples and against pydicom."""

import re
import warnings
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.charset import python_encoding

from agent.core.demographics import Demographics, contradiction
from agent.core.errors import Rejected
from agent.core.patient import PatientKey
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.text import decode_identifier, decode_patient_name, decode_person_name, decode_text
from tests.character_sets import CORPUS, ONE_NAME, RIGHT, WRONG, Writing, header
from tests.fakes.instances import encode, mammogram, meta_of, record_of

SINGLE = (100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 203, 13)
ONE_VALUE = ("ISO_IR 192", "GB18030", "GBK", "ISO_IR 6", *(f"ISO_IR {n}" for n in SINGLE))
EXTENDED = ("ISO 2022 IR 6", *(f"ISO 2022 IR {n}" for n in (*SINGLE, 87, 159, 149, 58)))
DECLARATIONS = ["", *ONE_VALUE, *EXTENDED, *(f"\\{term}" for term in EXTENDED), "ISO 2022 IR 13\\ISO 2022 IR 87", "?"]
ESCAPES = [
    b"\x1b" + rest for rest in (b"(B", b"(J", b"$B", b"$(D", b")I", b"-A", b"-L", b"-b", b"$)A", b"$)C", b"$", b"")
]
BYTES = st.binary(max_size=24) | st.lists(
    st.sampled_from([*ESCAPES, b"^", b"=", b"\\", b";3", b"*", b"\xd5\xc5", b"\xff", b"\r\n"]), max_size=8
).map(b"".join)
titled = pytest.mark.parametrize("writing", CORPUS, ids=lambda writing: writing.title)


@titled
def test_the_corpus(writing: Writing) -> None:
    """A header passes, its name decoded by its declaration; where that is wrong, every byte is still told."""
    ds, payload = header(writing)
    read = read_header(record_of(payload, meta_of(ds)), None)
    assert read.patient == PatientKey("PHANTOM", "P-1")
    assert read.demographics.name == writing.name.replace("\x1b", " ").strip("\0 ")
    assert decode_person_name(writing.raw, writing.specific_character_set, "keep") == writing.name


def test_the_corpus_is_large() -> None:
    """At least thirty files, each another; every defined term is in a right one."""
    assert len({(w.declared, w.raw) for w in CORPUS}) == len(CORPUS) >= 30
    declared = re.findall(r"IR (\d+)|(GB\w+)", " ".join(w.specific_character_set for w in RIGHT))
    assert {number or name for number, name in declared} == {*map(str, SINGLE)} | set(
        "6 87 159 149 58 192 GB18030 GBK".split()
    )


PYDICOM_DIFFERS = {
    "Latin-9": "it has no ISO_IR 203",
    "Latin-9 extension": "it has no ISO 2022 IR 203",
    "GB 2312 (K.2)": "it leaves the escape sequences in the name",
    "three sets": "it does not go back to the first set at a delimiter (PS3.5 6.1.2.5.3)",
}


@pytest.mark.parametrize("writing", RIGHT, ids=lambda writing: writing.title)
def test_pydicom_reads_the_same(writing: Writing) -> None:
    """Of what is declared rightly, two readers make one name, but where the other one is known to be wrong."""
    ds, payload = header(writing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = str(dcmread(BytesIO(to_part10(record_of(payload, meta_of(ds))))).PatientName)
    ours = decode_person_name(writing.raw, writing.specific_character_set)
    assert (ours.rstrip("=") == name.rstrip("=")) is (writing.title not in PYDICOM_DIFFERS)


@pytest.mark.parametrize("term", [f"{kind} IR {number}" for number in SINGLE for kind in ("ISO", "ISO 2022")])
def test_every_letter_of_a_set_of_one_byte(term: str) -> None:
    """Each byte is the letter that pydicom reads, or no letter for either; pydicom has no Latin-9."""
    codec = python_encoding.get(term.replace("ISO IR", "ISO_IR"), "iso8859_15")
    for byte in range(0x20, 0x100):
        raw = bytes([byte])
        ours = decode_text(raw, term, "replace")
        assert ours == raw.decode(codec, "replace")


@pytest.mark.parametrize(
    ("term", "escape", "codec", "shift"),
    [
        ("ISO 2022 IR 87", b"\x1b$B", "euc_jp", b""),
        ("ISO 2022 IR 159", b"\x1b$(D", "euc_jp", b"\x8f"),
        ("ISO 2022 IR 149", b"\x1b$)C", "euc_kr", b""),
        ("ISO 2022 IR 58", b"\x1b$)A", "gb2312", b""),
    ],
)
def test_every_letter_of_a_set_of_two_bytes(term: str, escape: bytes, codec: str, shift: bytes) -> None:
    """Each of 94 rows is what the same row is without ISO 2022, whether its bytes look like delimiters or not."""
    read = 0
    for row in range(0xA1, 0xFF):
        pairs = [bytes([row, cell]) for cell in range(0xA1, 0xFF) if _is_letter(shift + bytes([row, cell]), codec)]
        designated = b"".join(pairs) if b")" in escape else bytes(byte & 0x7F for pair in pairs for byte in pair)
        expected = b"".join(shift + pair for pair in pairs).decode(codec)
        assert decode_person_name(escape + designated, f"\\{term}") == expected
        assert decode_text(escape + designated, f"\\{term}") == expected
        read += len(pairs)
    assert read > 6000


def _is_letter(encoded: bytes, codec: str) -> bool:
    try:
        return len(encoded.decode(codec)) == 1
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("writing", [w for w in WRONG if "what it lacks" in w.title], ids=lambda writing: writing.title)
def test_what_a_set_lacks_is_an_error_where_asked(writing: Writing) -> None:
    """A strict reader hears of it; a replacing one shows it."""
    with pytest.raises(UnicodeDecodeError):
        decode_person_name(writing.raw, writing.specific_character_set)
    assert "\ufffd" in decode_person_name(writing.raw, writing.specific_character_set, "replace")


@pytest.mark.parametrize(
    ("specific_character_set", "raw", "text"),
    [
        (
            "\\ISO 2022 IR 149",
            b"\x1b$)CThe 1st line includes \xb1\xe6\xb5\xbf.\r\n"
            b"\x1b$)CThe 2nd line includes \xb1\xe6\xb5\xbf, too.\r\n3rd",
            "The 1st line includes 길동.\r\nThe 2nd line includes 길동, too.\r\n3rd",
        ),
        (
            "\\ISO 2022 IR 58",
            b"\x1b$)A1. \xb5\xda\xd2\xbb\xd0\xd0\xce\xc4\xd7\xd6\xa1\xa3\r\n\x1b$)A2. \xb5\xda\xb6\xfe\xd0\xd0",
            "1. 第一行文字。\r\n2. 第二行",
        ),
        ("ISO_IR 192", b"\xe7\xac\xac\xe4\xb8\x80\xe8\xa1\x8c\r\n", "第一行\r\n"),
        ("GB18030", b"\xb5\xda\xd2\xbb\xd0\xd0\r\n", "第一行\r\n"),
    ],
    ids=["I.3", "K.3", "J.2", "J.4"],
)
def test_texts_of_several_lines(specific_character_set: str, raw: bytes, text: str) -> None:
    """The longer examples of the annexes: each line designates its set anew."""
    for errors in ("strict", "replace", "keep"):
        assert decode_text(raw, specific_character_set, errors) == text


@given(BYTES, st.sampled_from(DECLARATIONS) | st.text(max_size=12))
def test_any_bytes_and_any_declaration(raw: bytes, declared: str) -> None:
    """Nothing raises unless it is asked to, and where nothing is broken the ways to read agree."""
    for decode in (decode_text, decode_person_name):
        kept, replaced = decode(raw, declared, "keep"), decode(raw, declared, "replace")
        assert (kept + replaced).encode("utf-8").decode("utf-8") == kept + replaced
        try:
            strict = decode(raw, declared)
        except UnicodeDecodeError:
            assert kept != replaced
        else:
            assert kept == replaced == strict


@pytest.mark.parametrize("number", [n for n in SINGLE if n != 13])
@given(one=st.binary(max_size=12), other=st.binary(max_size=12))
def test_what_is_kept_tells_two_names_apart(number: int, one: bytes, other: bytes) -> None:
    """Bytes that a set lacks are other letters each: where U+FFFD would make one name of two, they stay two."""
    escapes = b"\x1b" in one + other
    if one != other and not escapes and _lost(one, number) == _lost(other, number):
        assert decode_text(one, f"ISO_IR {number}", "keep") != decode_text(other, f"ISO_IR {number}", "keep")


def _lost(raw: bytes, number: int) -> str:
    return decode_text(raw, f"ISO_IR {number}", "replace")


def test_a_wrong_declaration_makes_no_second_person() -> None:
    """One name in Latin-1 and UTF-8, declared, wrongly declared or not at all, is one person's."""
    assert len({w.name for w in ONE_NAME}) > 1
    said = [Demographics(w.name) for w in ONE_NAME]
    assert {contradiction(a, b) for a in said for b in said} == {""}


@pytest.mark.parametrize(
    "writing", [w for w in WRONG if "\x1b" not in w.name and "\0" not in w.name], ids=lambda w: w.title
)
def test_every_byte_that_is_wrong_is_still_told(writing: Writing) -> None:
    """No letter is replaced where letters are kept."""
    assert "\ufffd" not in decode_person_name(writing.raw, writing.specific_character_set, "keep")


@pytest.mark.parametrize("name", ["MÜLLER^ÉVA", "Díaz^Íñigo", "Łukasik^Ğül"])
@pytest.mark.parametrize("declared", ["", "ISO_IR 100", "ISO_IR 192", "ISO_IR 999"])
def test_capitals_in_undeclared_utf_8_are_recognised(name: str, declared: str) -> None:
    """Their bytes are no printable Latin-1, and still make no second person; control characters go."""
    said = decode_patient_name(name.encode() + b"\0 ", declared)
    assert contradiction(Demographics(said), Demographics(name)) == ""
    assert contradiction(Demographics(said), Demographics("DOE^JANE")) == "the names differ"
    assert min(said) >= " " and said == said.strip()


@given(BYTES, st.sampled_from(DECLARATIONS) | st.text(max_size=12))
def test_any_name_can_be_compared(raw: bytes, declared: str) -> None:
    """Whatever the bytes, there is a name without control characters that agrees with itself and can be stored."""
    said = Demographics(decode_patient_name(raw, declared))
    assert not set(said.name) & {chr(code) for code in range(32)}
    assert contradiction(said, Demographics(f" {said.name} ^")) == ""
    assert said.name.encode("utf-8").decode("utf-8") == said.name


# identifiers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("007", "7"),
        ("p-1", "P-1"),
        ("P-1", "P--1"),
        ("P  1", "P 1"),
        ("123", "\uff11\uff12\uff13"),
        ("P-1", "\u0420-1"),
        ("é", "e\u0301"),
        ("P-1", "P-1\\P-2"),
        ("P^1", "P1"),
    ],
    ids=["zeros", "case", "hyphens", "spaces", "width", "script", "composition", "values", "caret"],
)
def test_two_identifiers_stay_two(one: str, other: str) -> None:
    """Nothing but padding is taken from a Patient ID: what looks alike is another patient."""
    keys = {_key(text.encode(), "ISO_IR 192") for text in (one, other)}
    assert len(keys) == 2


@pytest.mark.parametrize("raw", [b"P-1", b" P-1", b"P-1  ", b"P-1\0", b"P-1 \0\0 "])
def test_padding_makes_no_other_patient(raw: bytes) -> None:
    """Leading and trailing spaces and zero bytes are not significant (PS3.5 6.2, LO)."""
    assert _key(raw, "") == PatientKey("PHANTOM", "P-1")


@pytest.mark.parametrize(
    "text",
    [
        "P\0-1",
        "P\u200e-1",
        "\u202eP-1",
        "P\u200b-1",
        "P\u00ad-1",
        "P\u00a0-1",
        "P-1\u3000",
        "\ufeffP-1",
        "P\n1",
        "P\x7f1",
    ],
    ids=["zero", "RTL mark", "override", "no width", "soft hyphen", "hard space", "wide space", "BOM", "line", "DEL"],
)
def test_an_identifier_with_what_nobody_sees_is_refused(text: str) -> None:
    """It looks like another patient's, so it is neither that one's nor a new one's."""
    with pytest.raises(Rejected, match="control characters"):
        _key(text.encode(), "ISO_IR 192")


def test_one_identifier_in_many_sets_is_one_patients() -> None:
    """The same letters make the same key, however they are written."""
    writings = [
        ("é", "ISO_IR 100", "latin_1"),
        ("é", "ISO_IR 192", "utf_8"),
        ("é", "GB18030", "gb18030"),
        ("é", "", "latin_1"),
    ]
    assert len({_key(text.encode(codec), declared) for text, declared, codec in writings}) == 1


@given(st.binary(min_size=1, max_size=12), st.binary(min_size=1, max_size=12), st.sampled_from(["", "ISO_IR 100"]))
def test_other_bytes_are_another_identifier(one: bytes, other: bytes, declared: str) -> None:
    """In a set of one byte a letter, but for padding, no two identifiers become one."""
    padding = b"\0 "
    if b"\x1b" not in one + other and one.strip(padding) != other.strip(padding):
        assert decode_identifier(one, declared) != decode_identifier(other, declared)


def _key(raw: bytes, declared: str) -> PatientKey:
    place = "X" * (len(raw) + len(raw) % 2)
    ds = mammogram(PatientID=place, SpecificCharacterSet=declared or None)
    payload = encode(ds).replace(place.encode(), raw.ljust(len(place)))
    return read_header(record_of(payload, meta_of(ds)), None).patient
