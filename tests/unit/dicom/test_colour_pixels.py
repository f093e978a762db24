"""Colour ultrasound comes out as its luminance, and of several frames the middle one does."""

import tracemalloc
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from agent.core.errors import Rejected
from agent.dicom import pixels
from agent.dicom.pixels import decode
from tests.builders_pixels import compressed, frames, image_dataset, native, ramp, write
from tests.peers import shared

BASELINE, LOSSLESS, LS, J2K = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 70, 80, 90))
RLE = "1.2.840.10008.1.2.5"
US: dict[str, Any] = {"SOPClassUID": UltrasoundImageStorage}
CINE: dict[str, Any] = {"SOPClassUID": UltrasoundMultiFrameImageStorage}
TISSUE = ramp(40, 30, np.uint8)


def coloured(grey_hw: NDArray[np.uint8] = TISSUE) -> NDArray[np.uint8]:
    """Grey tissue with a red, a green and a blue pixel in its first row."""
    rgb = np.repeat(grey_hw[..., None], 3, 2)
    rgb[0, :3] = np.diag([200, 200, 200])
    return rgb


LUMINANCE = TISSUE.copy()
LUMINANCE[0, :3] = (200 * 77 >> 8, 200 * 150 >> 8, 200 * 29 >> 8)


def palette(bits: int) -> dict[str, Any]:
    """A look-up table that turns grey values over, with red for 255."""
    table = np.arange(255, -1, -1) * (257 if bits == 16 else 1)
    red = table.copy()
    red[255] = 255 * (257 if bits == 16 else 1)
    kind = "<u2" if bits == 16 else np.uint8
    found: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in (("Red", red), ("Green", table), ("Blue", table)):
        found[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        found[f"{name}PaletteColorLookupTableData"] = entries.astype(kind).tobytes()
    return found


@pytest.mark.parametrize("planar", [0, 1])
def test_grey_tissue_in_rgb_stays_what_it_is(planar: int) -> None:
    """By pixel or by plane; colours count by their luminance, and the screen shows it."""
    rgb = coloured()
    stored = rgb if planar == 0 else rgb.transpose(2, 0, 1)
    pixels = decode(native(rgb, PlanarConfiguration=planar, PixelData=stored.tobytes(), **US))
    assert np.array_equal(pixels.image_hw, LUMINANCE)
    assert (pixels.image_hw.dtype, pixels.inverted) == (np.uint8, False)
    assert np.array_equal(pixels.display_hw8(), LUMINANCE)


def test_of_full_ybr_the_first_sample_is_the_luminance() -> None:
    """Whatever the colour differences are."""
    ybr = np.dstack([TISSUE, TISSUE[::-1], TISSUE[:, ::-1]])
    assert np.array_equal(decode(native(ybr, PhotometricInterpretation="YBR_FULL", **US)).image_hw, TISSUE)


def test_of_halved_ybr_the_luminance_is_whole() -> None:
    """PS3.3 C.7.6.3.1.2: two luminances, then one blue and one red difference."""
    quads = np.full((40, 15, 4), 128, np.uint8)
    quads[..., 0], quads[..., 1] = TISSUE[:, ::2], TISSUE[:, 1::2]
    header = {"PhotometricInterpretation": "YBR_FULL_422", "PixelData": quads.tobytes()}
    assert np.array_equal(decode(native(coloured(), **header, **US)).image_hw, TISSUE)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_looked_up(bits: int) -> None:
    """Its luminance, of tables of either depth."""
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wanted = 255 - stored
    wanted[15, 15] = 255 * 77 >> 8
    assert np.array_equal(decode(native(stored, **palette(bits), **US)).image_hw, wanted)


@pytest.mark.parametrize(
    ("uid", "codestream", "kind"),
    [
        (LOSSLESS, imagecodecs.jpeg8_encode(coloured(), lossless=True, colorspace="RGB", outcolorspace="RGB"), "RGB"),
        (LS, imagecodecs.jpegls_encode(coloured()), "RGB"),
        (J2K, imagecodecs.jpeg2k_encode(coloured(), codecformat="J2K", reversible=True, level=0, mct=True), "YBR_RCT"),
        (J2K, imagecodecs.jpeg2k_encode(coloured(), codecformat="J2K", reversible=True, level=0, mct=False), "RGB"),
    ],
)
def test_compressed_colour_is_exact(uid: str, codestream: bytes, kind: str) -> None:
    """Each lossless family, with and without a transform of its own."""
    part10 = compressed(codestream, coloured(), uid, PhotometricInterpretation=kind, **US)
    assert np.array_equal(decode(part10).image_hw, LUMINANCE)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_jpeg_luminance_is_near(subsampling: str) -> None:
    """As stored in the codestream, whatever was done to the colours."""
    codestream = imagecodecs.jpeg8_encode(coloured(), level=98, subsampling=subsampling)
    part10 = compressed(codestream, coloured(), BASELINE, PhotometricInterpretation="YBR_FULL_422", **US)
    found = decode(part10).image_hw.astype(int)
    assert found.shape == TISSUE.shape
    assert np.abs(found[8:] - TISSUE[8:]).mean() < 2


def test_a_jpeg_that_stores_red_green_and_blue_is_near() -> None:
    """Its codestream says so, and grey tissue is grey."""
    codestream = imagecodecs.jpeg8_encode(coloured(), level=98, colorspace="RGB", outcolorspace="RGB")
    found = decode(compressed(codestream, coloured(), BASELINE, **US)).image_hw.astype(int)
    assert np.abs(found[8:] - TISSUE[8:]).mean() < 2


@pytest.mark.parametrize("count", [2, 3, 8])
def test_of_several_frames_the_middle_one_is_read(count: int) -> None:
    """Uncompressed, and one codestream a frame."""
    images = [np.full((6, 4), 10 * number, np.uint8) for number in range(count)]
    stack = b"".join(image.tobytes() for image in images)
    streams = [imagecodecs.jpegls_encode(image) for image in images]
    plain = native(images[0], NumberOfFrames=count, PixelData=stack, **CINE)
    for part10 in (plain, frames(streams, images[0], LS, **CINE)):
        found = decode(part10)
        assert np.array_equal(found.image_hw, images[count // 2])
        assert found.frame == count // 2 + 1


LIMIT = 4 << 20


def cine(count: int, transfer_syntax_uid: str = "") -> bytes:
    """So many equal frames of 1 MiB, uncompressed unless a transfer syntax is given."""
    image = np.tile(ramp(32, 32, np.uint8), (32, 32))
    if transfer_syntax_uid:
        return frames([imagecodecs.jpegls_encode(image)] * count, image, transfer_syntax_uid, **CINE)
    return native(image, NumberOfFrames=count, PixelData=image.tobytes() * count, **CINE)


def test_a_native_cine_is_as_large_as_all_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a compressed one a single frame is decoded: its number of frames is no matter."""
    monkeypatch.setattr(pixels, "LIMIT_BYTES", LIMIT)
    assert decode(cine(4)).frame == 3
    assert decode(cine(5, LS)).frame == 3
    with pytest.raises(Rejected, match="of 1024 x 1024 pixels and 5 frames is larger than 4 MiB"):
        decode(cine(5))


def test_what_is_too_large_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header is enough to refuse it."""
    monkeypatch.setattr(pixels, "LIMIT_BYTES", LIMIT)
    part10 = cine(16)
    tracemalloc.start()
    try:
        with pytest.raises(Rejected, match="larger than"):
            decode(part10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20


def test_an_image_of_one_frame_has_no_frame_number() -> None:
    """Nothing may refer to a frame of it (PS3.3 10.3)."""
    assert decode(native(TISSUE, **US)).frame == 0


def test_frames_of_colour_are_read() -> None:
    """A cine loop in RGB."""
    stack = np.stack([coloured(), coloured()[:, ::-1], coloured()[::-1]])
    part10 = native(coloured(), NumberOfFrames=3, PixelData=stack.tobytes(), **CINE)
    assert np.array_equal(decode(part10).image_hw, LUMINANCE[:, ::-1])


BROKEN: dict[str, tuple[bytes, str]] = {
    "mammogram": (native(coloured()), "a colour image, where"),
    "four samples": (native(coloured(), SamplesPerPixel=4, **US), "of a kind that is not read"),
    "unknown": (native(coloured(), PhotometricInterpretation="CMYK", **US), "of a kind that is not read"),
    "one sample": (native(TISSUE, PhotometricInterpretation="RGB", **US), "of a kind that is not read"),
    "three grey": (native(coloured(), PhotometricInterpretation="MONOCHROME2", **US), "of a kind that is not read"),
    "deep": (native(coloured().astype(np.uint16), **US), "more than 8 bits"),
    "no table": (native(TISSUE, PhotometricInterpretation="PALETTE COLOR", **US), "cannot be decoded"),
    "short": (native(coloured(), PixelData=bytes(10), **US), "10 bytes of Pixel Data, 3600 were expected"),
    "fewer frames": (native(TISSUE, NumberOfFrames=2, **CINE), "1200 bytes of Pixel Data, 2400 were expected"),
    "no frames": (native(TISSUE, NumberOfFrames=-1, **CINE), "of -1 frames"),
    "grey inside": (compressed(imagecodecs.jpegls_encode(TISSUE), coloured(), LS, **US), "says 40 x 30 with 3"),
    "lost frames": (frames([imagecodecs.jpegls_encode(TISSUE)], TISSUE, LS, NumberOfFrames=9, **CINE), "decoded"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_rejected_in_words(name: str) -> None:
    """The reason says what is wrong, and nothing about the patient."""
    part10, reason = BROKEN[name]
    with pytest.raises(Rejected, match=reason) as caught:
        decode(part10)
    assert "CANARY" not in str(caught.value).upper()


def test_a_deflated_colour_image_is_read() -> None:
    """As any other."""
    assert np.array_equal(decode(write(image_dataset(coloured(), **US), "1.2.840.10008.1.2.1.99")).image_hw, LUMINANCE)


@pytest.mark.parametrize(
    "name",
    [
        "weasis/ybrFull-RLE.dcm",
        "weasis/US-RGB-8-epicard-Banded-bigendian.dcm",
        "weasis/palette-multiframe-jpeg-ls.dcm",
        "cornerstone-wado/US-YBR_FULL_422-EVRLE.dcm",
        "cornerstone-wado/no-pixel-spacing.dcm",
        "fo-dicom/DIRW0007",
        "nema-wg04/US1_RLE",
    ],
)
def test_real_colour_images_are_read(name: str) -> None:
    """Something dark and something bright, and much of it air."""
    found = decode(shared("data", "dicom", *name.split("/")).read_bytes()).image_hw
    assert found.dtype == np.uint8
    assert found.min() < 5
    assert found.max() > 200
    assert np.median(found) < 60
