"""One compressed frame to its pixels, by a decoder that is named, after a look at what the codestream claims.

JPEG goes to libjpeg-turbo (imagecodecs): of the decoders tried on JPEG Lossless it is the quickest, it agrees with
DCMTK bit for bit for all seven predictors, and it does not crash on damaged input, which imagecodecs' `jpegsof3` does.
"""

import struct
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Rejected

JPEG: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70))
LOSSY_JPEG: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51))
JPEG_LS: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (80, 81))
JPEG_2000: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203))
RLE: Final = "1.2.840.10008.1.2.5"

PLUGINS: Final = {uid: "pyjpegls" for uid in JPEG_LS} | {uid: "pylibjpeg" for uid in JPEG_2000} | {RLE: "pydicom"}
"""pydicom's decoding plugin by transfer syntax; without a name pydicom takes whichever happens to be installed."""

_START_OF_FRAME: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # ISO 10918-1 B.1, 14495-1 C.1
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_END: Final = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_SIZ: Final = b"\xff\x4f\xff\x51"  # ISO 15444-1 A.5.1


def check_claims(codestream: bytes, transfer_syntax_uid: str, claimed: tuple[int, int, int]) -> None:
    """Compare what a codestream says of itself with the header, before a decoder allocates anything for it.

    Parameters
    ----------
    codestream : bytes
        One frame.
    transfer_syntax_uid : str
        How it is compressed.
    claimed : tuple[int, int, int]
        Rows, Columns and Samples per Pixel of the header.

    Raises
    ------
    Rejected
        If it is of another size, has another number of components, or has no end marker.
    """
    if transfer_syntax_uid == RLE:
        return
    stated = _siz(codestream) if transfer_syntax_uid in JPEG_2000 else _start_of_frame(codestream)
    if stated is None:
        raise Rejected("the compressed image has no frame header")
    if stated != claimed:
        raise Rejected(
            f"the compressed image is {stated[0]} x {stated[1]} with {stated[2]} component(s), "
            f"its header says {claimed[0]} x {claimed[1]} with {claimed[2]}"
        )
    if not codestream.rstrip(b"\0\xff").endswith(_END):  # some pad with fill bytes
        raise Rejected("the compressed image ends early")


def _start_of_frame(codestream: bytes) -> tuple[int, int, int] | None:
    offset = 2
    while offset + 10 <= len(codestream) and codestream[offset] == 0xFF:
        marker = codestream[offset + 1]
        if marker in _START_OF_FRAME:
            height, width, components = struct.unpack_from(">HHB", codestream, offset + 5)
            return height, width, components
        if marker == 0xFF:
            offset += 1
        elif marker in _STANDALONE:
            offset += 2
        else:
            offset += 2 + struct.unpack_from(">H", codestream, offset + 2)[0]
    return None


def _siz(codestream: bytes) -> tuple[int, int, int] | None:
    start = codestream.find(_SIZ)
    if start < 0 or len(codestream) < start + 42:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", codestream, start + 8)
    return bottom - top, right - left, struct.unpack_from(">H", codestream, start + 40)[0]


def decode_jpeg(codestream: bytes, bits_stored: int, *, signed: bool, to_grey: bool = False) -> NDArray[Any]:
    """Decode one JPEG, JPEG Extended or JPEG Lossless frame.

    Returns
    -------
    (H, W), or (H, W, 3) of a frame of three components unless `to_grey`: then their luminance
        uint8 or uint16; int8 or int16 where `signed`: JPEG knows no sign, it is that of bit `bits_stored` - 1

    Raises
    ------
    Rejected
        If the codec fails.
    """
    try:
        decoded = np.asarray(imagecodecs.jpeg8_decode(codestream, outcolorspace="GRAYSCALE" if to_grey else None))
    except (imagecodecs.Jpeg8Error, ValueError) as exc:
        raise Rejected(f"the JPEG decoder failed ({type(exc).__name__})") from None
    if not signed:
        return decoded
    unused = decoded.dtype.itemsize * 8 - bits_stored
    return (decoded << unused).view(f"i{decoded.dtype.itemsize}") >> unused
