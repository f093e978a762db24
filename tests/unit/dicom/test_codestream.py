"""A codestream must be what its header says before a decoder sees it."""

import imagecodecs
import numpy as np
import pytest

from agent.core.errors import Rejected
from agent.dicom.codestream import RLE, check_claims, decode_jpeg
from tests.builders_pixels import ramp
from tests.refusing import refusal

LOSSLESS, LS, J2K = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
IMAGE = ramp(8, 6, np.uint8)
CODESTREAMS = {
    LOSSLESS: imagecodecs.jpeg8_encode(IMAGE, lossless=True),
    LS: imagecodecs.jpegls_encode(IMAGE),
    J2K: imagecodecs.jpeg2k_encode(IMAGE, codecformat="J2K", reversible=True, level=0),
}


@pytest.mark.parametrize("uid", CODESTREAMS)
def test_an_honest_codestream_passes(uid: str) -> None:
    """Its size is that of the header, also with padding behind its end."""
    for end in (b"", b"\0", b"\xff"):
        assert refusal(check_claims, CODESTREAMS[uid] + end, uid, (8, 6, 1)) == ""


@pytest.mark.parametrize("uid", CODESTREAMS)
@pytest.mark.parametrize(("rows", "columns"), [(9, 6), (8, 7), (6, 8)])
def test_another_size_is_rejected(uid: str, rows: int, columns: int) -> None:
    """Both sizes stand in the reason."""
    with pytest.raises(Rejected, match=f"is 8 x 6 with 1 component.* says {rows} x {columns}"):
        check_claims(CODESTREAMS[uid], uid, (rows, columns, 1))


@pytest.mark.parametrize("uid", CODESTREAMS)
def test_a_codestream_without_its_end_is_rejected(uid: str) -> None:
    """A decoder would fill the rest with grey and say nothing."""
    with pytest.raises(Rejected, match="ends early"):
        check_claims(CODESTREAMS[uid][:-6], uid, (8, 6, 1))


@pytest.mark.parametrize("uid", CODESTREAMS)
@pytest.mark.parametrize("codestream", [b"", b"\xff\xd8", bytes(100), b"\xff\xd8\xff\xff\xff\x01\xff\xd9" + bytes(20)])
def test_what_has_no_frame_header_is_rejected(uid: str, codestream: bytes) -> None:
    """Whatever else it holds."""
    with pytest.raises(Rejected, match="no frame header"):
        check_claims(codestream, uid, (8, 6, 1))


def test_colour_inside_a_greyscale_image_is_rejected() -> None:
    """The components count as well."""
    colour = imagecodecs.jpeg8_encode(np.zeros((8, 6, 3), np.uint8))
    with pytest.raises(Rejected, match="3 component"):
        check_claims(colour, "1.2.840.10008.1.2.4.50", (8, 6, 1))


def test_run_length_encoding_claims_nothing() -> None:
    """It holds no size of its own."""
    assert refusal(check_claims, b"", RLE, (8, 6, 1)) == ""


def test_a_jpeg_is_decoded_exactly() -> None:
    """JPEG Lossless gives back every value."""
    assert np.array_equal(decode_jpeg(CODESTREAMS[LOSSLESS], 8, signed=False), IMAGE)


@pytest.mark.parametrize("bits", [12, 16])
def test_a_signed_image_gets_its_sign_back(bits: int) -> None:
    """JPEG knows no sign: the highest stored bit is it."""
    values = np.array([[-1, -5, 0], [7, -(1 << (bits - 1)), (1 << (bits - 1)) - 1]], np.int16)
    unsigned = (values.view(np.uint16) & ((1 << bits) - 1)).astype(np.uint16)
    stream = imagecodecs.jpeg8_encode(unsigned, lossless=True, bitspersample=bits)
    assert np.array_equal(decode_jpeg(stream, bits, signed=True), values)


def test_a_codec_error_is_rejected() -> None:
    """The reason names the codec's error, not its text."""
    with pytest.raises(Rejected, match=r"JPEG decoder failed \(\w+\)"):
        decode_jpeg(b"\xff\xd8\xff\xd9", 8, signed=False)
