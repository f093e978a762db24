"""Hostile inputs and what each broke: `python -m tests.hostile.make_corpus` writes the files and README.md.

"Seen": tried with pynetdicom 3.0.4 and pydicom 3.0.2; "cited": so say the advisories; "aimed at": what it would find.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.fakes.instances import encode, mammogram
from tests.hostile.inputs import FOLDER, Hostile
from tests.pdus import SC, command, echo_rq, pdu, pdv, store_rq
from tests.senders import EXPLICIT, IMPLICIT, VERIFICATION, associate_rq

OPEN: Final = 0xFFFFFFFF
END_ITEM, END_SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
HEADER: Final = encode(mammogram(PixelData=None))
REQUEST: Final = associate_rq(
    "SENDER", "SENTINODE", [(SC.decode().rstrip("\0"), [EXPLICIT]), (VERIFICATION, [IMPLICIT])], {}
)
HEAD_BYTES: Final = 74  # of an association request, before its items


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Encode an element in explicit VR, of whatever length it is to claim."""
    claimed = len(value) if length is None else length
    is_long = vr in (b"SQ", b"OB", b"OW", b"UN", b"UT")
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + struct.pack("<HI" if is_long else "<H", *((0, claimed) if is_long else (claimed,))) + value


def item(value: bytes, length: int | None = None) -> bytes:
    """Encode an item."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def nested(depth: int, *, is_open: bool) -> bytes:
    """Encode sequences in sequences."""
    inner = element(0x00100020, b"LO", b"x ")
    for _ in range(depth):
        if is_open:
            inner = element(0x00081140, b"SQ", item(inner + END_ITEM, OPEN) + END_SEQUENCE, OPEN)
        else:
            inner = element(0x00081140, b"SQ", item(inner))
    return inner


def deflated(data: bytes) -> bytes:
    """Deflate, as small as can be."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def bomb(mib: int) -> bytes:
    """Deflate a dataset with so many MiB of zeros as its pixels."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [stream.compress(HEADER + element(0x7FE00010, b"OW", b"", mib << 20))]
    return b"".join([*parts, *(stream.compress(bytes(1 << 20)) for _ in range(mib)), stream.flush()])


def _datasets() -> Iterator[tuple[str, bytes, str]]:
    pixels = 0x7FE00010
    lie = HEADER + element(pixels, b"OW", b"abc", 0xFFFFFFF0)
    yield "length-lie.explicit", lie, "seen: pydicom's dcmread says nothing, and gives 3 bytes of pixels"
    yield (
        "length-lie-short.explicit",
        HEADER + element(0x00400555, b"LO", b"x", 0xFFFE),
        "seen: the same, of a 16-bit length",
    )
    lie = struct.pack("<HHI", 0x0010, 0x0020, 0x7FFFFFFF) + b"P-1 "
    yield "length-lie.implicit", lie, "seen: the same, in implicit VR"
    yield (
        "nested-300.explicit",
        nested(300, is_open=False),
        "aimed at: who walks into what pydicom leaves for later",
    )
    yield "nested-300-open.explicit", nested(300, is_open=True), "seen: pydicom's dcmread, RecursionError (10.8 kB)"
    yield (
        "nested-1100.explicit",
        nested(1100, is_open=True),
        "cited: DCMTK (IC-0003), its stack overflows at about 1,060 levels",
    )
    inner = struct.pack("<HHI", 0x0010, 0x0020, 2) + b"x "
    for _ in range(64):
        inner = struct.pack("<HHI", 0x0008, 0x1140, OPEN) + item(inner + END_ITEM, OPEN) + END_SEQUENCE
    hidden = element(0x00111001, b"UN", item(inner + END_ITEM, OPEN) + END_SEQUENCE, OPEN)
    yield (
        "nested-in-unknown.explicit",
        hidden,
        "aimed at: a depth check that does not look into UN; pydicom reads all 64 levels",
    )
    yield (
        "bomb.deflated",
        bomb(160),
        "seen: pydicom inflates it to 160 MiB; of 509 KiB it made 1,056 MB of memory in 1.8 s",
    )
    yield (
        "bomb-of-bombs.deflated",
        deflated(HEADER + element(pixels, b"OB", bomb(160))),
        "aimed at: who inflates what is inside, too",
    )
    yield (
        "cut.deflated",
        deflated(HEADER)[:-5],
        "seen: zlib.error out of pydicom's dcmread",
    )
    yield "noise.deflated", bytes(range(255, 0, -1)), "seen: the same"
    yield (
        "unclosed-sequence.explicit",
        HEADER + element(0x00540220, b"SQ", item(b"", OPEN), OPEN),
        "seen: OSError out of pydicom's dcmread, which names the offset",
    )
    unclosed = element(pixels, b"OB", item(b"") + item(b"\xff\xd8"), OPEN)
    yield "unclosed-fragments.explicit", HEADER + unclosed, "seen: pydicom reads no element at all, and says nothing"
    beyond = element(pixels, b"OB", item(b"") + item(b"\xff\xd8", 0x7FFFFFF0) + END_SEQUENCE, OPEN)
    yield "fragment-beyond.explicit", HEADER + beyond, "seen: pydicom says nothing, and gives 18 bytes of pixels"
    beyond = element(0x00540220, b"SQ", item(element(0x00080100, b"SH", b"x "), 4000))
    yield (
        "item-beyond-sequence.explicit",
        HEADER + beyond + bytes(8),
        "seen: pydicom lets the item run over its sequence's end, and says nothing",
    )
    yield (
        "tag-twice.explicit",
        HEADER + element(0x00100020, b"LO", b"P-9 "),
        "seen: pydicom takes the last Patient ID, others the first: two patients",
    )
    yield (
        "no-such-vr.explicit",
        HEADER + element(0x00189999, b"!!", b"xx"),
        "cited: GDCM 3.2.2 (CVE-2026-3650): an odd VR leaks memory",
    )
    odd = encode(mammogram(PixelData=None, Rows=None))
    number = element(0x00280010, b"UL", struct.pack("<I", 0x10000002))
    yield (
        "rows-as-ul.explicit",
        odd + number,
        "cited: Orthanc <= 1.12.10 (CVE-2026-5437...): UL for US overflows the size",
    )
    huge = encode(mammogram(Rows=65535, Columns=65535, NumberOfFrames="2147483647", SamplesPerPixel=3))
    yield (
        "huge-image.explicit",
        huge,
        "cited: Orthanc (the same): Rows x Columns x Frames overflows 32 bits, or is allocated before it is checked",
    )
    yield "negative-frames.explicit", encode(mammogram(NumberOfFrames="-3")), "aimed at: a size that becomes negative"
    yield (
        "program.explicit",
        b"MZ".ljust(128, b"\x90") + b"DICM" + HEADER,
        "cited: CVE-2019-11687, stored with its preamble it can be run",
    )
    path = encode(mammogram(SOPInstanceUID="1.2.3")).replace(b"1.2.3\0", b"../../x"[:6])
    yield "path-as-uid.explicit", path, "cited: pynetdicom's qrscp (CVE-2026-56445) joins it into the path of a file"
    charset = encode(mammogram(SpecificCharacterSet="ISO_IR 100")).replace(b"ISO_IR 100", b"ISO_IR 999")
    yield "no-such-charset.explicit", charset, "aimed at: Python's codecs, which raise LookupError"
    yield (
        "empty-items.explicit",
        HEADER + element(0x00540220, b"SQ", item(b"") * 4000),
        "aimed at: who takes the first of what has none; pydicom needs 0.2 s for 32 kB",
    )
    yield (
        "delimiter-at-the-top.explicit",
        HEADER + END_ITEM + HEADER,
        "seen: pydicom ends there, and says nothing of the rest",
    )
    yield "zeros.explicit", bytes(4096), "aimed at: us, who take zeros behind a dataset for padding"
    yield "one-byte.explicit", b"\x08", "seen: pydicom says nothing, and gives an empty dataset"
    yield (
        "web-page.explicit",
        b"<!DOCTYPE html><script>alert(1)</script>" * 40,
        "seen: NotImplementedError out of pydicom",
    )


def _requests() -> Iterator[tuple[str, bytes, str]]:
    def request(items: bytes, claimed: int | None = None) -> bytes:
        body = REQUEST[6:HEAD_BYTES] + items
        return struct.pack(">BBI", 1, 0, len(body) if claimed is None else claimed) + body

    def part(kind: int, value: bytes, claimed: int | None = None) -> bytes:
        return struct.pack(">BBH", kind, 0, len(value) if claimed is None else claimed) + value

    application = part(0x10, b"1.2.840.10008.3.1.1.1")
    yield (
        "4-gib-request",
        struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + bytes(4096),
        "seen: pynetdicom buffers it all, from 37 to 438 MB after 400 MB",
    )
    yield "4-gib-data", struct.pack(">BBI", 4, 0, 0xFFFFFFFF) + bytes(4096), "the same, of P-DATA-TF"
    yield "three-bytes", b"\1\0\0", "seen: pynetdicom does not close it in 100 s"
    yield "half-a-request", REQUEST[:100], "the same, within the body"
    yield "http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "aimed at: a PDU of type 71 and 542,393,671 bytes"
    yield "tls", bytes.fromhex("16030100c8010000c40303") + bytes(200), "aimed at: a TLS client at a plain port"
    yield "data-before-request", pdu(pdv(1, 3, echo_rq())), "aimed at: a state machine without Sta2"
    yield "release-before-request", bytes.fromhex("05000000000400000000"), "the same"
    yield "accept-from-requestor", b"\2" + REQUEST[1:], "aimed at: a requestor that answers itself"
    yield "unknown-type", pdu(b"x" * 20, kind=0x5A), "aimed at: KeyError by type"
    yield "request-without-items", request(b""), "aimed at: AttributeError where there is no application context"
    yield (
        "item-beyond-request",
        request(part(0x10, b"1.2", 0xFFFF)),
        "aimed at: an item that is longer than the request",
    )
    yield (
        "context-without-syntax",
        request(application + part(0x20, b"\1\0\0\0" + part(0x30, VERIFICATION.encode()))),
        "IndexError",
    )
    empty = part(0x20, b"\1\0\0\0" + part(0x30, b"") + part(0x40, b""))
    yield "empty-uids", request(application + empty), "aimed at: a UID of no characters"
    context = part(0x20, b"\2\0\0\0" + part(0x30, VERIFICATION.encode()) + part(0x40, IMPLICIT.encode()))
    yield "even-context-id", request(application + context), "aimed at: ids that must be odd"
    context = part(0x20, b"\1\0\0\0" + part(0x30, VERIFICATION.encode()) + part(0x40, IMPLICIT.encode()))
    yield "one-context-300-times", request(application + context * 300), "aimed at: more than the 128 that ids allow"
    syntaxes = part(0x40, b"1.2.3") * 5000
    yield (
        "5000-syntaxes",
        request(application + part(0x20, b"\1\0\0\0" + part(0x30, b"1.2.3") + syntaxes)),
        "time of comparing each with each",
    )
    yield (
        "letters-as-uid",
        request(application + context.replace(VERIFICATION.encode(), b"\xff" * 17)),
        "UnicodeDecodeError",
    )
    user = part(0x50, part(0x51, struct.pack(">I", 1)) + part(0x52, b"2.25.1"))
    yield (
        "maximum-of-1",
        request(application + context + user),
        "responses of one-byte fragments, or none: 1 - 6 is negative",
    )
    user = part(0x50, part(0x58, b"\2\1" + struct.pack(">H", 0xFFFF) + b"x"))
    yield (
        "identity-beyond-item",
        request(application + context + user),
        "aimed at: a user name that is longer than its item",
    )
    yield (
        "unknown-items",
        request(application + context + part(0x99, bytes(300)) + part(0x50, part(0x98, b"x"))),
        "KeyError by type",
    )
    titles = REQUEST[:10] + b"\xff" * 16 + b"\0" * 16 + REQUEST[42:]
    yield "titles-of-no-letters", titles, "aimed at: an AE title that is no text"
    yield "two-requests", REQUEST + REQUEST, "aimed at: a second request within the first one's association"


def _data() -> Iterator[tuple[str, bytes, str]]:
    store = pdu(pdv(1, 3, store_rq()))
    yield (
        "pdv-of-0",
        pdu(b"\0\0\0\0\1\3"),
        "aimed at: a length that does not even count its own two bytes: an endless loop",
    )
    yield "pdv-of-1", pdu(b"\0\0\0\1\1\3"), "the same"
    yield "pdv-beyond-pdu", pdu(b"\xff\xff\xff\xff\1\3abc"), "aimed at: bytes of the next PDU, or 4 GiB"
    yield "empty-pdu", pdu(b""), "aimed at: IndexError"
    yield (
        "4-gib-data",
        struct.pack(">BBI", 4, 0, 0xFFFFFFFF) + bytes(4096),
        "seen: pynetdicom's recv(pdu_length) has no cap",
    )
    yield "no-such-context", pdu(pdv(77, 3, echo_rq())), "aimed at: KeyError by context id"
    yield "dataset-before-command", pdu(pdv(1, 2, b"dataset")), "aimed at: a reactor that ends with an error"
    yield "two-contexts-at-once", store + pdu(pdv(3, 3, echo_rq())), "aimed at: the dataset of one becomes the other's"
    yield "command-without-field", pdu(pdv(1, 3, store_rq(x0100=None))), "aimed at: KeyError"
    yield (
        "command-beyond-itself",
        pdu(pdv(1, 3, store_rq() + struct.pack("<HHI", 0, 0x2000, OPEN))),
        "aimed at: a value of 4 GiB",
    )
    endless = b"".join(pdu(pdv(1, 1, bytes(16000))) for _ in range(8))
    yield "endless-command", endless, "aimed at: a command that never ends: kept in memory"
    yield "store-without-dataset", pdu(pdv(1, 3, store_rq(x0800=0x0101))), "aimed at: an empty file"
    yield (
        "store-without-uids",
        pdu(pdv(1, 3, store_rq(x0002=None, x1000=None))) + pdu(pdv(1, 2, b"x")),
        "None in a file's name",
    )
    hostile = b"../../../../tmp/sentinode-was-here\0"
    yield (
        "path-as-uid",
        pdu(pdv(1, 3, store_rq(hostile + b"\0"))) + pdu(pdv(1, 2, b"x")),
        "cited: pynetdicom's qrscp (CVE-2026-56445)",
    )
    yield (
        "response-as-request",
        pdu(pdv(1, 3, command({0x0100: 0x8001, 0x0120: 7, 0x0800: 0x0101, 0x0900: 0}))),
        "an answer to nobody",
    )
    yield "cancel-of-nothing", pdu(pdv(1, 3, command({0x0100: 0x0FFF, 0x0120: 7, 0x0800: 0x0101}))), "the same"
    find = command({0x0002: SC, 0x0100: 0x0020, 0x0110: 1, 0x0700: 0, 0x0800: 1})
    yield (
        "find-without-identifier",
        pdu(pdv(1, 3, find)) + pdu(pdv(1, 2, nested(300, is_open=True))),
        "decoded to be logged",
    )
    report = command({0x0002: b"1.2.840.10008.1.20.1", 0x0100: 0x0100, 0x0110: 1, 0x0800: 1, 0x1000: b"1.2", 0x1002: 1})
    yield (
        "report-of-another-class",
        pdu(pdv(1, 3, report)) + pdu(pdv(1, 2, nested(300, is_open=True))),
        "RecursionError in the reactor",
    )
    yield "second-request", REQUEST, "aimed at: an association within an association"
    yield "reject-from-requestor", pdu(b"\0\1\1\1", kind=3), "aimed at: a PDU that only an acceptor sends"
    yield "half-a-dataset", store + pdu(pdv(1, 0, b"half")), "aimed at: an object that is there although it never ended"


def corpus() -> Iterator[Hostile]:
    """Make every input."""
    for kind, made in (("dataset", _datasets()), ("connection", _requests()), ("association", _data())):
        for name, data, broke in made:
            is_said = broke.startswith(("seen", "cited", "aimed at", "the same"))
            yield Hostile(kind, name, data, broke if is_said else f"aimed at: {broke}")


_LEGEND: Final = (
    "*Seen*: tried with pynetdicom 3.0.4 and pydicom 3.0.2; *cited*: so say the advisories; *aimed at*: a mistake that",
    "it would find.",
)
_TITLES: Final = {
    "dataset": "Datasets, as they are indexed",
    "connection": "Over a fresh connection",
    "association": "Over an established association",
}


def readme(inputs: list[Hostile]) -> str:
    """Render the table."""
    lines = [
        "# Hostile inputs",
        "",
        f"Made by `{Path(__file__).stem}.py`, replayed by `test_hostile_corpus.py`.",
        "",
        *_LEGEND,
    ]
    for kind, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| file | bytes | what it broke, or would |", "|-|-|-|"]
        lines += [f"| {one.name} | {len(one.data):,} | {one.broke} |" for one in inputs if one.kind == kind]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the files."""
    inputs = list(corpus())
    for one in inputs:
        one.path.parent.mkdir(exist_ok=True)
        one.path.write_bytes(one.data)
    (FOLDER / "README.md").write_text(readme(inputs), encoding="utf-8")


if __name__ == "__main__":
    main()
