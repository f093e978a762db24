"""Text in its Specific Character Set (0008,0005): PS3.5 section 6.1.2, PS3.3 C.12.1.1.2. Nothing here warns."""

import re
from typing import Final, Literal

Errors = Literal["strict", "replace", "keep"]
"""What bytes that break their character set become: an error, U+FFFD, or each the letter that it is in Latin-1."""

_BY_NUMBER: Final = {  # defined terms "ISO_IR n" and "ISO 2022 IR n"; each of these codecs holds ASCII as well
    6: "latin_1",  # ASCII says less, and senders that declare nothing mostly write Latin-1
    13: "shift_jis",
    58: "gb2312",
    100: "latin_1",
    101: "iso8859_2",
    109: "iso8859_3",
    110: "iso8859_4",
    126: "iso8859_7",
    127: "iso8859_6",
    138: "iso8859_8",
    144: "iso8859_5",
    148: "iso8859_9",
    149: "euc_kr",
    166: "tis_620",
    192: "utf_8",
    203: "iso8859_15",
}
_BY_NAME: Final = {
    "GB18030": "gb18030",
    "GBK": "gbk",
    **{"ISO 2022 GBK": "gbk", "ISO 2022 58": "gb2312", "UTF-8": "utf_8", "UTF8": "utf_8"},  # found in the field
}
_WITHOUT_EXTENSIONS: Final = ("utf_8", "gb18030", "gbk")
_TERM: Final = re.compile(r"ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d{1,3})", re.ASCII)  # spelt as found in the field
_G0: Final = {b"(B": b"", b"(J": b"", b"$B": b"\x1b$B", b"$(D": b"\x1b$(D"}  # empty: ASCII; otherwise two bytes each
_G1: Final = {
    b")I": "shift_jis",
    b"-A": "latin_1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "tis_620",
    b"-b": "iso8859_15",
    b"$)A": "gb2312",
    b"$)C": "euc_kr",
}
_ESCAPE: Final = re.compile(b"\x1b(" + b"|".join(map(re.escape, [*_G0, *_G1])) + b")")
_TWO_BYTES: Final = re.compile(rb"(?:[!-~]{2})+|[^!-~]+|[!-~]")
_CONTROLS: Final = b"\t\n\f\r"
_KEPT: Final = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}  # a byte kept by "surrogateescape": its Latin-1


def decode_text(raw: bytes, specific_character_set: str, errors: Errors = "strict") -> str:
    """Decode a value of any text VR but PN, padding included.

    The escape sequences of code extensions (ISO 2022) say themselves what they mean, so one that was not announced is
    followed, too; one that DICOM does not know stays in the text. A first value that is unknown counts as ISO_IR 100.

    Raises
    ------
    UnicodeDecodeError
        If `errors` is "strict" and the bytes are none of their character set.
    """
    return _decode(raw, specific_character_set, errors, b"\\" + _CONTROLS)


def decode_person_name(raw: bytes, specific_character_set: str, errors: Errors = "strict") -> str:
    """Decode a PN, whose components and groups begin anew in the first character set; otherwise as `decode_text`."""
    return _decode(raw, specific_character_set, errors, b"^=\\" + _CONTROLS)


def decode_patient_name(raw: bytes, specific_character_set: str) -> str:
    """Decode Patient's Name for comparing it: never fails, and loses nothing but padding and control characters.

    What breaks its character set stays as Latin-1 letters. Some of these cannot be printed (É in UTF-8 is C3 89), and
    are kept as well, for `agent.core.person_name` to recognise what was written.
    """
    name = decode_person_name(raw, specific_character_set, "keep")
    return "".join(c if c >= " " else " " for c in name).strip()


def decode_identifier(raw: bytes, specific_character_set: str) -> str:
    """Decode an identifier, without its padding: bytes that break their character set are read as Latin-1.

    So it never fails, and two identifiers do not become one by letters that were replaced.
    """
    try:
        return decode_text(raw, specific_character_set).strip("\0 ")
    except UnicodeDecodeError:
        return raw.decode("latin_1").strip("\0 ")


def printable(text: str) -> str:
    """Return a text with a space for every sign that cannot be printed: databases refuse some of them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _decode(raw: bytes, specific_character_set: str, errors: Errors, delimiters: bytes) -> str:
    if errors == "keep":
        return _follow(raw, specific_character_set, "surrogateescape", delimiters).translate(_KEPT)
    return _follow(raw, specific_character_set, errors, delimiters)


def _follow(raw: bytes, specific_character_set: str, errors: str, delimiters: bytes) -> str:
    """Decode piece by piece, as the escape sequences say. Every set of DICOM holds ASCII as it is."""
    if b"\x1b" not in raw and raw.isascii():
        return raw.decode("ascii")
    first = _codec(specific_character_set.split("\\")[0].strip("\0 ").upper())
    if b"\x1b" not in raw or first in _WITHOUT_EXTENSIONS:
        return raw.decode(first, errors)
    leading, *extended = _ESCAPE.split(raw)
    text = [leading.decode(first, errors)]
    g0, g1 = b"", first
    for code, piece in zip(extended[::2], extended[1::2], strict=True):
        g0, g1 = _G0.get(code, g0), _G1.get(code, g1)
        end = _end(piece, _CONTROLS if g0 else delimiters)
        text.append(_decode_in(piece[:end], g0, g1, errors))
        if end < len(piece):  # a delimiter takes back all designations
            g0, g1 = b"", first
            text.append(piece[end:].decode(first, errors))
    return "".join(text)


def _codec(term: str) -> str:
    match = _TERM.fullmatch(term)
    return _BY_NUMBER.get(int(match[1]), "latin_1") if match else _BY_NAME.get(term, "latin_1")


def _end(piece: bytes, delimiters: bytes) -> int:
    return next((n for n, byte in enumerate(piece) if byte in delimiters), len(piece))


def _decode_in(piece: bytes, g0: bytes, g1: str, errors: str) -> str:
    """Decode bytes below 0x80 by what G0 holds, the others by what G1 holds."""
    if not g0:
        return piece.decode(g1, errors)
    runs = _TWO_BYTES.findall(piece)
    is_pairs = [len(run) % 2 == 0 and run.isascii() and run[0] > 0x20 for run in runs]
    return "".join(
        _decode_pairs(run, g0, errors) if pairs else run.decode(g1, errors)
        for run, pairs in zip(runs, is_pairs, strict=True)
    )


def _decode_pairs(run: bytes, g0: bytes, errors: str) -> str:
    """Decode two bytes a letter. Where "surrogateescape" finds one that is none, it has no surrogate for ASCII."""
    try:
        return (g0 + run).decode("iso2022_jp_2", errors)
    except UnicodeDecodeError:
        if errors == "strict":
            raise
        return (g0 + run).decode("ascii")
