"""The grey pixels of an image, and its header without them. What cannot be decoded is Rejected with a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmread
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder

from agent.core.errors import Rejected
from agent.dicom.codestream import JPEG, LOSSY_JPEG, PLUGINS, check_claims, decode_jpeg
from agent.dicom.colour import COLOURS, PALETTE, luminance
from agent.dicom.container import inflated
from agent.dicom.guard import rejecting
from agent.dicom.voi import display_lut

LIMIT_BYTES: Final = 512 << 20
LONGEST_DISPLAY_SIDE: Final = 1600

_GREY: Final = ("MONOCHROME1", "MONOCHROME2")

_ULTRASOUND: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("6.1", "6", "3.1", "3"))
"""Ultrasound and Ultrasound Multi-frame Image Storage, today's and retired: alone in colour or of several frames."""

_ELEMENTS: Final = [
    "SOPClassUID",
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth"),
]


@dataclass(frozen=True)
class Pixels:
    """One greyscale image.

    `image_hw` holds the values as stored, (H, W), 8- or 16-bit integers; low values are bright where `inverted`
    (MONOCHROME1). `grey` is the grey level, uint8, of each value from `lowest` upwards. `frame` says which frame of
    several this is, from 1; 0 where the image has one.
    """

    image_hw: NDArray[Any]
    inverted: bool
    lowest: int
    grey: NDArray[np.uint8]
    frame: int = 0

    @property
    def reduction(self) -> int:
        """The least whole factor that brings the longer side to 1600 pixels or fewer."""
        longest: int = max(self.image_hw.shape)
        return -(-longest // LONGEST_DISPLAY_SIDE)

    def display_hw8(self, reduction: int = 1) -> NDArray[np.uint8]:
        """Return the image as a screen shows it: windowed, MONOCHROME2 sense, averaged over blocks.

        Parameters
        ----------
        reduction : int
            So many pixels along each axis become one; what is left over at the right and bottom edge is dropped.

        Returns
        -------
        uint8 (H // reduction, W // reduction)
        """
        grey = 255 - self.grey if self.inverted else self.grey
        averaged = _reduce(self.image_hw, reduction).astype(np.int32)
        return np.take(grey, averaged - self.lowest, mode="clip")


def _reduce(image_hw: NDArray[Any], step: int) -> NDArray[Any]:
    """Average blocks of step x step pixels in whole numbers; strided sums are the quickest way NumPy has."""
    if step == 1:
        return image_hw
    height, width = image_hw.shape[0] // step, image_hw.shape[1] // step
    whole = image_hw[: height * step, : width * step]
    total = np.zeros((height, width), np.int32)
    for row in range(step):
        for column in range(step):
            total += whole[row::step, column::step]
    return total // (step * step)


@rejecting("the image cannot be decoded")
def decode(part10: bytes) -> Pixels:
    """Decode the pixels of a greyscale image, or the luminance of a colour ultrasound image.

    Of an ultrasound image of several frames the middle one is decoded.

    Parameters
    ----------
    part10 : bytes
        A Part 10 file.

    Raises
    ------
    Rejected
        If it is no such image, claims to be larger than 512 MiB (with all its frames where they are not compressed),
        is of another length than it claims, or a codec fails. The reason quotes no attribute of the patient.
    """
    ds = _checked(inflated(part10))
    return _pixels(ds, _frames(ds) // 2)


@rejecting("the image cannot be decoded")
def open_frames(part10: bytes) -> Callable[[int], Pixels]:
    """Read an image of several frames once; what is returned decodes the frame of a number, from 1.

    Both raise Rejected as `decode` does; several frames are expected of any image.
    """
    ds = _checked(inflated(part10), many=True)

    @rejecting("the image cannot be decoded")
    def frame(number: int) -> Pixels:
        return _pixels(ds, number - 1)

    return frame


def _pixels(ds: FileDataset, index: int) -> Pixels:
    """Decode the frame of an index."""
    stored = _stored(ds, index)
    frame = index + 1 if _frames(ds) > 1 else 0
    if ds.PhotometricInterpretation not in _GREY:
        return Pixels(luminance(ds, stored), False, 0, np.arange(256, dtype=np.uint8), frame)
    native = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    lowest = -(1 << (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    grey = display_lut(ds, native, lowest, lowest + (1 << ds.BitsStored) - 1)
    return Pixels(native, ds.PhotometricInterpretation == "MONOCHROME1", lowest, grey, frame)


@rejecting("the image cannot be decoded")
def decode_all(part10: bytes) -> list[NDArray[Any]]:
    """Return every frame as stored, (H, W), of colour images the luminance. Any image may have several."""
    ds = _checked(inflated(part10), many=True)
    frames = [_stored(ds, index) for index in range(_frames(ds))]
    return frames if ds.PhotometricInterpretation in _GREY else [luminance(ds, frame) for frame in frames]


@rejecting("the image cannot be decoded")
def header(part10: bytes) -> bytes:
    """Return the Part 10 file up to its Pixel Data, byte for byte; a deflated one comes back not deflated.

    Raises
    ------
    Rejected
        If the header cannot be read.
    """
    plain = inflated(part10)
    stream = BytesIO(plain)
    dcmread(stream, stop_before_pixels=True)
    return plain[: stream.tell()]


def _checked(part10: bytes, *, many: bool = False) -> FileDataset:
    """Read an image of a bearable size; what may be too large by its header alone, before its pixels are copied."""
    if len(part10) > LIMIT_BYTES:
        _check_claims(dcmread(BytesIO(part10), stop_before_pixels=True, specific_tags=_ELEMENTS), many=many)
    ds = dcmread(BytesIO(part10), specific_tags=_ELEMENTS)
    if "PixelData" not in ds:
        raise Rejected("no Pixel Data (7FE0,0010)")
    _check_claims(ds, many=many)
    return ds


def _check_claims(ds: FileDataset, *, many: bool) -> None:
    """Refuse whatever is not of a bearable size and of a kind that is read, in words (PS3.3 C.7.6.3)."""
    _check_kind(ds, many=many)
    if ds.Rows < 1 or ds.Columns < 1:
        raise Rejected(f"an image of {ds.Rows} x {ds.Columns} pixels")
    if ds.BitsAllocated not in (8, 16) or not 1 <= ds.BitsStored <= ds.BitsAllocated:
        raise Rejected(f"{ds.BitsStored} bits stored in {ds.BitsAllocated} allocated")
    frames = 1 if ds.file_meta.TransferSyntaxUID.is_encapsulated else _frames(ds)
    if ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8 * frames > LIMIT_BYTES:
        held = f" and {frames} frames" if frames > 1 else ""
        raise Rejected(f"an image of {ds.Rows} x {ds.Columns} pixels{held} is larger than {LIMIT_BYTES >> 20} MiB")


def _check_kind(ds: FileDataset, *, many: bool) -> None:
    """Of ultrasound alone colour is expected, and several frames."""
    ultrasound = ds.get("SOPClassUID", "") in _ULTRASOUND
    samples, kind = ds.SamplesPerPixel, ds.PhotometricInterpretation
    if not ultrasound and (samples != 1 or kind not in _GREY):
        raise Rejected("a colour image, where a greyscale one is expected")
    if samples != (3 if kind in COLOURS else 1) or kind not in (*_GREY, PALETTE, *COLOURS):
        raise Rejected("a colour image of a kind that is not read")
    if samples == 3 and ds.BitsAllocated != 8:
        raise Rejected("a colour image of more than 8 bits a sample")
    if _frames(ds) != 1 and not (ultrasound or many):
        raise Rejected("a multi-frame image, where a single one is expected")


def _frames(ds: Dataset) -> int:
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames < 1:
        raise Rejected(f"an image of {frames} frames")
    return frames


def _stored(ds: FileDataset, index: int) -> NDArray[Any]:
    """Decode one frame, from 0; it is of the size that the header says."""
    uid = str(ds.file_meta.TransferSyntaxUID)
    compressed = ds.file_meta.TransferSyntaxUID.is_encapsulated
    stored = _encapsulated(ds, uid, index) if compressed else _native(ds, index)
    if stored.shape[:2] != (ds.Rows, ds.Columns) or (stored.ndim > 2 and ds.SamplesPerPixel == 1):
        raise Rejected(f"decoded to {stored.shape}, the header says {ds.Rows} x {ds.Columns}")
    return stored


def _native(ds: FileDataset, index: int) -> NDArray[Any]:
    samples = 2 if ds.PhotometricInterpretation == "YBR_FULL_422" else ds.SamplesPerPixel  # PS3.3 C.7.6.3.1.2
    length = ds.Rows * ds.Columns * samples * ds.BitsAllocated // 8 * _frames(ds)
    if len(ds.PixelData) != length + length % 2:
        raise Rejected(f"{len(ds.PixelData)} bytes of Pixel Data, {length + length % 2} were expected")
    return _by_pydicom(ds, "", index)


def _encapsulated(ds: FileDataset, transfer_syntax_uid: str, index: int) -> NDArray[Any]:
    if transfer_syntax_uid not in JPEG and transfer_syntax_uid not in PLUGINS:
        raise Rejected(f"no decoder for transfer syntax {transfer_syntax_uid}")
    codestream = get_frame(ds.PixelData, index, number_of_frames=_frames(ds))
    check_claims(codestream, transfer_syntax_uid, (ds.Rows, ds.Columns, ds.SamplesPerPixel))
    if transfer_syntax_uid in JPEG:
        to_grey = transfer_syntax_uid in LOSSY_JPEG
        return decode_jpeg(codestream, ds.BitsStored, signed=bool(ds.PixelRepresentation), to_grey=to_grey)
    return _by_pydicom(ds, PLUGINS[transfer_syntax_uid], index)


def _by_pydicom(ds: Dataset, plugin: str, index: int) -> NDArray[Any]:
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    return np.asarray(decoder.as_array(ds, index=index, raw=True, decoding_plugin=plugin)[0])
