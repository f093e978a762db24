"""The bytes of a message as text: MSH-18 (HL7 table 0211) says how, and is not always right."""

import re
from typing import Final

_MSH_18: Final = 17  # its place among the texts between the field separators of an MSH segment
_JAPANESE: Final = "iso2022_jp_ext"  # JIS X 0201, 0208 and 0212 by escape sequences
_CODECS: Final = {  # by the name without what people write between its letters and digits
    "ASCII": "ascii",
    "ISOIR6": "ascii",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "ISOIR192": "utf-8",
    **{f"8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    "ISOIR100": "iso8859-1",
    "ISOIR13": _JAPANESE,
    "ISOIR14": _JAPANESE,
    "ISOIR87": _JAPANESE,
    "ISOIR159": _JAPANESE,
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
}


def decode(raw: bytes) -> tuple[str, str]:
    """Return the text of a message and the codec that it is in.

    What MSH-18 declares is tried first, then UTF-8 (most senders that declare nothing, or ASCII, and still have other
    letters), then ISO 8859-1, which takes everything. Of several declared sets those that switch by escape sequences
    count before those that do not.
    """
    declared = _declared(raw)
    for codec in (*sorted(declared, key=lambda codec: codec != _JAPANESE), "utf-8"):
        try:
            return raw.decode(codec), codec
        except UnicodeDecodeError:
            continue
    return raw.decode("iso8859-1"), "iso8859-1"


def _declared(raw: bytes) -> list[str]:
    header = re.split(rb"[\r\n]", raw.lstrip(), maxsplit=1)[0]
    fields = header.split(header[3:4]) if len(header) > 3 else []
    if len(fields) <= _MSH_18:
        return []
    repeats = fields[1][1:2] or b"~"
    names = (re.sub(r"[\W_]", "", name.decode("ascii", "ignore")).upper() for name in fields[_MSH_18].split(repeats))
    return [_CODECS[name] for name in names if name in _CODECS]
