"""A corpus of headers whose names are written in every character set of DICOM, rightly and wrongly."""

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from tests.fakes.instances import encode, mammogram

PLACE: Final = "PLACE^OF"
PLACE_SET: Final = "ISO_IR 192"
"""Name and character set of a dataset in whose bytes `written` puts others."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A name in bytes, and how the object declares its character set."""

    title: str
    declared: bytes | None  # Specific Character Set (0008,0005); None leaves it out
    raw: bytes
    name: str  # as it is read: where the declaration is wrong, without losing a byte

    @property
    def specific_character_set(self) -> str:
        """The declaration as a header is read."""
        return (self.declared or b"").decode("ascii", "replace")


RIGHT: Final = (
    Writing("none", None, b"DOE^JANE", "DOE^JANE"),
    Writing("empty", b"", b"DOE^JANE", "DOE^JANE"),
    Writing("ISO_IR 6", b"ISO_IR 6", b"DOE^JANE", "DOE^JANE"),
    Writing("Latin-1", b"ISO_IR 100", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("Latin-2", b"ISO_IR 101", b"\xa3ukasz^\xafaneta", "Łukasz^Żaneta"),
    Writing("Latin-3", b"ISO_IR 109", b"\xa6endrixi^\xb1al", "Ĥendrixi^ħal"),
    Writing("Latin-4", b"ISO_IR 110", b"B\xbarzi\xf1\xb9^\xdeda", "Bērziņš^Ūda"),
    Writing("Greek", b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    Writing("Arabic", b"ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    Writing("Hebrew", b"ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    Writing("Cyrillic", b"ISO_IR 144", b"\xbb\xee\xdace\xdc\xd1yp\xd3", "Люкceмбypг"),
    Writing("Turkish", b"ISO_IR 148", b"\xddnci^I\xfe\xfdl", "İnci^Işıl"),
    Writing("Thai", b"ISO_IR 166", b"\xca\xc1\xaa\xd2\xc2^\xe3\xa8\xb4\xd5", "สมชาย^ใจดี"),
    Writing("Latin-9", b"ISO_IR 203", b"C\xbdur^Z\xb8", "Cœur^Zž"),
    Writing("JIS X 0201", b"ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    Writing(
        "UTF-8 (J.1)", b"ISO_IR 192", b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=", "Wang^XiaoDong=王^小東="
    ),
    Writing("GB18030 (J.3)", b"GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
    Writing("GB18030, four bytes", b"GB18030", b"X=\x81\x39\xee\x39^\xd0\xa1", "X=\u3400^小"),
    Writing("GB18030, a delimiter as second byte", b"GB18030", b"X=\x81\x5c^\x81\x5e", "X=乗^乛"),
    Writing("GBK", b"GBK", b"Zhang=\xd5\xc5^\x96\x7c", "Zhang=张^東"),
    Writing(
        "JIS X 0208 (H.3.1)",
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    Writing(
        "JIS X 0201 and 0208 (H.3.2)",
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    Writing("JIS X 0212", b"\\ISO 2022 IR 159", b"X=\x1b$(D\x30\x21\x1b(B^Y", "X=丂^Y"),
    Writing(
        "KS X 1001 (I.2)",
        b"\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    Writing(
        "GB 2312 (K.2)",
        b"\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
    ),
    Writing("Greek extension", b"\\ISO 2022 IR 126", b"Doe=\x1b-F\xc4\xe9", "Doe=Δι"),
    Writing("Thai extension", b"ISO 2022 IR 6\\ISO 2022 IR 166", b"X=\x1b-T\xca\xc1", "X=สม"),
    Writing("Latin-9 extension", b"ISO 2022 IR 6\\ISO 2022 IR 203", b"C\x1b-b\xbdur", "Cœur"),
    Writing(
        "three sets",
        b"ISO 2022 IR 100\\ISO 2022 IR 144",
        b"Buc^J\xe9r\xf4me=\x1b-L\xbb\xee\xda^\xe9",
        "Buc^Jérôme=Люк^é",
    ),
)
WRONG: Final = (
    Writing("absent for Latin-1", None, b"M\xfcller^Anna", "Müller^Anna"),
    Writing("absent for UTF-8", None, "Müller^Anna".encode(), "MÃ¼ller^Anna"),
    Writing("absent for ISO 2022", None, b"\x1b$B;3ED\x1b(B^X", "山田^X"),
    Writing("Latin-1 for UTF-8", b"ISO_IR 100", "Müller^Anna".encode(), "MÃ¼ller^Anna"),
    Writing("UTF-8 for Latin-1", b"ISO_IR 192", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("UTF-8 for GB18030", b"ISO_IR 192", b"\xcd\xf5^X", "Íõ^X"),
    Writing("GB18030 cut off", b"GB18030", b"\xcd\xf5^\xd0", "王^Ð"),
    Writing("Hebrew for what it lacks", b"ISO_IR 138", b"\xf9\xff^X", "שÿ^X"),
    Writing("IR 58 for what it lacks", b"\\ISO 2022 IR 58", b"\x1b$)A\xd5\xc5\xff^X", "张ÿ^X"),
    Writing("IR 87 for what it lacks", b"\\ISO 2022 IR 87", b"\x1b$B|{;3\x1b(B", "\x1b$B|{;3"),
    Writing("spelt with hyphens", b"ISO-IR-144", b"\xbb^X", "Л^X"),
    Writing("spelt together", b"iso_ir144", b"\xbb^X", "Л^X"),
    Writing("a name of Unicode", b"utf-8", "Müller^Anna".encode(), "Müller^Anna"),
    Writing("unknown", b"ISO_IR 999", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("nonsense", b"nonsense", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("not ASCII", b"\xff\xfe\xe9", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("UTF-8 beside another", b"ISO_IR 192\\ISO 2022 IR 87", "Müller^山".encode(), "Müller^山"),
    Writing("UTF-8 as an extension", b"\\ISO_IR 192", b"M\xfcller^Anna", "Müller^Anna"),
    Writing("a two-byte set first", b"ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^X", "山田^X"),
    Writing("not announced", b"ISO_IR 100", b"M\xfcller=\x1b$)C\xc8\xab", "Müller=홍"),
    Writing("no known escape", b"\\ISO 2022 IR 87", b"\x1b$X\xe9", "\x1b$Xé"),
    Writing("ends within an escape", b"\\ISO 2022 IR 87", b"DOE^\x1b$", "DOE^\x1b$"),
    Writing("ends within two bytes", b"\\ISO 2022 IR 87", b"\x1b$B;3E", "山E"),
    Writing("many", b"\\".join([b"ISO 2022 IR 100"] * 40), b"M\xfcller", "Müller"),
    Writing("zero bytes", b"ISO_IR 100\0", b"DOE^JANE\0", "DOE^JANE\0"),
)
CORPUS: Final = RIGHT + WRONG
"""Every writing; each is one file."""
ONE_NAME: Final = tuple(w for w in CORPUS if w.name in ("Müller^Anna", "MÃ¼ller^Anna"))
"""One name that is not all ASCII, in every way that senders get it wrong."""


def header(writing: Writing, name: str = "1", **attributes: object) -> tuple[Dataset, bytes]:
    """Return a mammogram whose name is written so, and its encoding."""
    ds = mammogram(name, PatientName=PLACE, SpecificCharacterSet=PLACE_SET, **attributes)
    return ds, written(encode(ds), writing)


def written(encoded: bytes, writing: Writing) -> bytes:
    """Put name and declaration into an encoded dataset, byte by byte: pydicom would correct what is wrong."""
    name, declared = (b"\x10\0\x10\0PN", PLACE.encode()), (b"\x08\0\x05\0CS", PLACE_SET.encode())
    assert encoded.count(_element(*name)) == encoded.count(_element(*declared)) == 1
    encoded = encoded.replace(_element(*name), _element(name[0], writing.raw))
    declaration = b"" if writing.declared is None else _element(declared[0], writing.declared)
    return encoded.replace(_element(*declared), declaration)


def _element(head: bytes, value: bytes) -> bytes:
    """Encode an element in Explicit VR Little Endian (PS3.5 7.1.2) behind its tag and VR."""
    value += b" " * (len(value) % 2)
    return head + len(value).to_bytes(2, "little") + value
