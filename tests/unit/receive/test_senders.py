"""The tests' own sender splits files as they are."""

import struct

import pytest

from tests.senders import EXPLICIT, IMPLICIT, Sendable, split_part10

SC = "1.2.840.10008.5.1.4.1.1.7"


def _ui(group: int, element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", group, element, b"UI", len(value)) + value


META = _ui(2, 2, SC) + _ui(2, 3, "1.2.3") + _ui(2, 16, "1.2.840.10008.1.2.4.80")
DATASET = _ui(8, 0x16, SC) + _ui(8, 0x18, "1.2.3")
IMPLICIT_DATASET = struct.pack("<HHI", 8, 0x16, len(SC) + 1) + SC.encode() + b"\0"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0" * 128 + b"DICM" + META + DATASET, Sendable(SC, "1.2.3", "1.2.840.10008.1.2.4.80", DATASET)),
        (META + b"\x08\x00anything", Sendable(SC, "1.2.3", "1.2.840.10008.1.2.4.80", b"\x08\x00anything")),
        (DATASET, Sendable(SC, "1.2.3", EXPLICIT, DATASET)),
        (b"\0" * 128 + b"DICM" + _ui(2, 16, EXPLICIT) + DATASET, Sendable(SC, "1.2.3", EXPLICIT, DATASET)),
        (_ui(2, 3, "4.5") + IMPLICIT_DATASET, Sendable(SC, "4.5", IMPLICIT, IMPLICIT_DATASET)),
        (META, "no dataset behind the file meta"),
        (b"", "no dataset behind the file meta"),
        (_ui(8, 0x16, SC), "no SOP Instance UID"),
        (b"not DICOM at all", "no SOP Class UID"),
    ],
)
def test_files_are_split(data: bytes, expected: Sendable | str) -> None:
    """With or without preamble and meta; what cannot be sent says why."""
    assert split_part10(data) == expected
