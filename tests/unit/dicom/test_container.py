"""A Part 10 file is opened without trusting what it says."""

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import Rejected
from agent.dicom.container import DEFLATED, inflated, transfer_syntax
from tests.builders_pixels import image_dataset, native, ramp, write


def deflate(dataset: bytes, cut: int = 0) -> bytes:
    """A deflated file around a dataset."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(dataset) + packer.flush()
    uid = DEFLATED.encode()
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    return bytes(128) + b"DICM" + element + packed[: len(packed) - cut]


def test_the_transfer_syntax_and_the_dataset_are_found() -> None:
    """The dataset begins behind the last element of group 2, long forms included."""
    part10 = write(image_dataset(ramp()))
    uid, offset = transfer_syntax(part10)
    assert uid == "1.2.840.10008.1.2.1"
    assert part10[offset : offset + 4] == b"\x08\x00\x16\x00"


@pytest.mark.parametrize(
    ("part10", "reason"),
    [
        (b"", "not a DICOM Part 10 file"),
        (bytes(128) + b"DICM", "no Transfer Syntax UID"),
        (bytes(128) + b"DICM\x02\x00\x10\x00UI", "ends early"),
        (bytes(128) + b"DICM\x02\x00\x01\x00OB\x00\x00", "ends early"),
    ],
)
def test_what_is_no_part_10_file_is_rejected(part10: bytes, reason: str) -> None:
    """The reason says what is missing."""
    with pytest.raises(Rejected, match=reason):
        transfer_syntax(part10)


def test_a_file_that_is_not_deflated_comes_back_as_it_is() -> None:
    """Nothing is copied or changed."""
    part10 = native(ramp())
    assert inflated(part10) is part10


def test_a_deflated_file_is_inflated() -> None:
    """The dataset is the one that was deflated, and the transfer syntax says so."""
    plain = inflated(deflate(b"dataset"))
    uid, offset = transfer_syntax(plain)
    assert (uid, plain[offset:]) == ("1.2.840.10008.1.2.1", b"dataset")


@pytest.mark.parametrize(
    ("part10", "reason"),
    [
        (deflate(bytes(5000)), "larger than"),
        (deflate(b"dataset" * 9, cut=4), "ends early"),
        (deflate(b"", cut=2) + b"\xff" * 9, "damaged"),
    ],
)
def test_a_bomb_and_a_torn_stream_are_rejected(part10: bytes, reason: str) -> None:
    """No more than the limit is ever inflated."""
    with pytest.raises(Rejected, match=reason):
        inflated(part10, limit_bytes=4096)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_rejected(tail: bytes, is_deflated: bool) -> None:
    """Nothing but Rejected is raised."""
    start = deflate(b"", cut=2) if is_deflated else bytes(128) + b"DICM"
    with suppress(Rejected):
        assert inflated(start + tail)
