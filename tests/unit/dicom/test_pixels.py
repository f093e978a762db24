"""Pixels come out as they were stored; what cannot be decoded is rejected with a reason."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from agent.core.errors import Rejected
from agent.dicom.pixels import Pixels, decode, header
from tests.builders_pixels import CANARY, compressed, image_dataset, native, ramp, write
from tests.peers import ROOT, program, shared

LOSSLESS, LS, J2K = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_native_pixels_come_out_as_stored(dtype: Any, uid: str) -> None:
    """Whatever the sign, the depth and the transfer syntax."""
    image = ramp(5, 3, dtype, -4 if dtype is np.int16 else 0)
    assert np.array_equal(decode(write(image_dataset(image), uid)).image_hw, image)


@pytest.mark.parametrize(
    ("uid", "codestream"),
    [
        (LOSSLESS, imagecodecs.jpeg8_encode(ramp(40, 30), lossless=True)),
        (LS, imagecodecs.jpegls_encode(ramp(40, 30))),
        (J2K, imagecodecs.jpeg2k_encode(ramp(40, 30), codecformat="J2K", reversible=True, level=0)),
    ],
)
def test_compressed_pixels_come_out_as_stored(uid: str, codestream: bytes) -> None:
    """Each family has its named decoder."""
    assert np.array_equal(decode(compressed(codestream, ramp(40, 30), uid)).image_hw, ramp(40, 30))


BROKEN: dict[str, tuple[bytes, str]] = {
    "no pixel data": (native(ramp(), PixelData=None), "no Pixel Data"),
    "colour": (native(ramp(), SamplesPerPixel=3, PhotometricInterpretation="RGB"), "colour"),
    "palette": (native(ramp(), PhotometricInterpretation="PALETTE COLOR"), "colour"),
    "multi-frame": (native(ramp(), NumberOfFrames=2), "multi-frame"),
    "no rows": (native(ramp(), Rows=0), "0 x 4"),
    "no columns": (native(ramp(), Columns=None), "cannot be decoded"),
    "32 bits": (native(ramp(dtype=np.uint32), BitsStored=32), "32 bits stored in 32"),
    "too many bits": (native(ramp(dtype=np.uint8), BitsStored=12), "12 bits stored in 8"),
    "no bits": (native(ramp(dtype=np.uint8), BitsStored=0), "0 bits stored in 8"),
    "absurd": (native(ramp(), Rows=65535, Columns=65535), "larger than 512 MiB"),
    "too short": (native(ramp(), PixelData=bytes(10)), "10 bytes of Pixel Data, 48 were expected"),
    "too long": (native(ramp(), PixelData=bytes(100)), "100 bytes of Pixel Data"),
    "no decoder": (compressed(b"\xff\xd8", ramp(), "1.2.840.10008.1.2.4.53"), r"no decoder for transfer syntax 1\.2"),
    "codec": (compressed(b"\xff\xd8\xff\xd9", ramp(), LOSSLESS), "no frame header"),
    "not encapsulated": (native(ramp()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"), "decoded"),
    "not DICOM": (b"hello", "not a DICOM Part 10 file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_decoded_is_rejected_in_words(name: str) -> None:
    """The reason says what is wrong, and nothing about the patient."""
    part10, reason = BROKEN[name]
    with pytest.raises(Rejected, match=reason) as caught:
        decode(part10)
    assert "CANARY" not in str(caught.value).upper()
    assert caught.value.__cause__ is None


def test_a_damaged_run_length_frame_is_rejected() -> None:
    """The library's own error does not get out."""
    with pytest.raises(Rejected, match="cannot be decoded"):
        decode(compressed(bytes(64), ramp(), "1.2.840.10008.1.2.5"))


def test_the_header_is_the_file_without_its_pixels() -> None:
    """Byte for byte, the patient's name included, and no Pixel Data."""
    part10 = native(ramp())
    short = header(part10)
    ds = dcmread(BytesIO(short))
    assert part10.startswith(short)
    assert "PixelData" not in ds
    assert ds.PatientName == CANARY


def test_the_header_of_a_deflated_file_can_be_read() -> None:
    """It comes back not deflated."""
    ds = dcmread(BytesIO(header(write(image_dataset(ramp()), "1.2.840.10008.1.2.1.99"))))
    assert ds.PatientName == CANARY
    assert "PixelData" not in ds


def test_an_image_without_pixels_still_has_a_header() -> None:
    """The whole file is its header."""
    part10 = native(ramp(), PixelData=None)
    assert header(part10) == part10


def test_a_header_that_cannot_be_read_is_rejected() -> None:
    """As where a sequence of undefined length never ends."""
    endless = b"\x29\x00\x10\x00SQ\x00\x00\xff\xff\xff\xff"
    with pytest.raises(Rejected, match="cannot be decoded"):
        header(native(ramp(), PixelData=None) + endless)


# how it looks on a screen

GREY = np.array([[0, 1000], [2000, 4095]], np.uint16)


def shown(image: np.ndarray = GREY, **attributes: Any) -> list[int]:
    """The grey levels of an image's pixels."""
    given = {"BitsStored": 12, "HighBit": 11} | attributes
    return [int(level) for level in decode(native(image, **given)).display_hw8().ravel()]


def test_a_linear_window_is_that_of_the_standard() -> None:
    """PS3.3 C.11.2.1.2: centre 1000, width 2001 runs from 0 to 2000 with 127.5 in the middle."""
    assert shown(WindowCenter="1000.5", WindowWidth="2001") == [0, 128, 255, 255]


def test_an_exact_linear_window_is_that_of_the_standard() -> None:
    """PS3.3 C.11.2.1.3.2."""
    assert shown(WindowCenter="1000", WindowWidth="2000", VOILUTFunction="LINEAR_EXACT") == [0, 128, 255, 255]


def test_a_sigmoid_window_is_that_of_the_standard() -> None:
    """PS3.3 C.11.2.1.3.1: half of the range at the centre, and never quite its ends."""
    levels = shown(WindowCenter="1000", WindowWidth="1000", VOILUTFunction="SIGMOID")
    assert levels == [round(255 / (1 + np.exp(4))), 128, round(255 / (1 + np.exp(-4))), 255]


def test_the_first_of_several_windows_counts() -> None:
    """As a viewer opens it."""
    windows = {"WindowCenter": ["1000.5", "1"], "WindowWidth": ["2001", "2"]}
    assert shown(**windows) == shown(WindowCenter="1000.5", WindowWidth="2001")


def test_a_window_is_in_units_of_the_modality_lut() -> None:
    """Rescale comes before the window."""
    rescaled = {"RescaleSlope": "2", "RescaleIntercept": "-100"}
    assert shown(WindowCenter="1900.5", WindowWidth="4001", **rescaled) == [0, 128, 255, 255]


def test_a_voi_lut_is_used_where_there_is_no_window() -> None:
    """Its table runs from its own darkest to its own brightest entry."""
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = (np.arange(4096) * 8).astype("<u2").tobytes()
    assert shown(VOILUTSequence=[table]) == [round(v * 255 / 4095) for v in (0, 1000, 2000, 4095)]


@pytest.mark.parametrize(
    "window", [{}, {"WindowCenter": "5", "WindowWidth": "0"}, {"WindowCenter": [], "WindowWidth": []}]
)
def test_without_a_usable_window_the_pixels_decide(window: dict[str, Any]) -> None:
    """From the darkest to the brightest percentile."""
    assert shown(np.repeat(np.repeat(GREY, 64, 0), 64, 1), **window)[0] == 0
    assert shown(np.repeat(np.repeat(GREY, 64, 0), 64, 1), **window)[-1] == 255


def test_an_image_of_one_value_is_shown() -> None:
    """There is no range to divide by."""
    assert set(shown(np.full((4, 4), 7, np.uint16))) == {0}


def test_monochrome1_is_turned_over() -> None:
    """Low values are bright there; the stored values stay."""
    window = {"WindowCenter": "1000.5", "WindowWidth": "2001"}
    inverted = decode(native(GREY, BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1", **window))
    assert inverted.inverted
    assert np.array_equal(inverted.image_hw, GREY)
    assert [255 - v for v in shown(**window)] == [int(v) for v in inverted.display_hw8().ravel()]


def test_signed_values_are_shown_from_the_lowest_upwards() -> None:
    """The table begins at the lowest value that the bits allow."""
    image = np.array([[-2048, 0], [1, 2047]], np.int16)
    assert shown(image, WindowCenter="0", WindowWidth="4096") == [0, 128, 128, 255]


def test_a_large_image_is_reduced_by_the_average_of_blocks() -> None:
    """By the least whole factor that brings it to 1600 pixels."""
    image = np.kron(np.array([[0, 4095]], np.uint16), np.ones((1601, 2), np.uint16))
    pixels = decode(native(image, BitsStored=12, HighBit=11, WindowCenter="2048", WindowWidth="4096"))
    assert pixels.reduction == 2
    small = pixels.display_hw8(pixels.reduction)
    assert small.shape == (800, 2)
    assert small[0].tolist() == [0, 255]


def test_values_beyond_the_stored_bits_are_shown_as_the_brightest() -> None:
    """Garbage in unused bits cannot break the table look-up."""
    pixels = Pixels(np.array([[9]], np.uint16), False, 0, np.array([0, 10, 20, 30], np.uint8))
    assert pixels.display_hw8().tolist() == [[30]]


# real files

EXACT = {
    "fo-dicom/GH133.dcm": "JPEG Lossless mammogram",
    "nema-wg04/MR1_JPLL": "signed JPEG Lossless",
    "nema-wg04/MR4_JLSL": "JPEG-LS with fill bytes behind its end",
}


@pytest.mark.parametrize("name", EXACT)
def test_real_files_decode_as_dcmtk_decodes_them(name: str, tmp_path: Path) -> None:
    """Every value equal."""
    source = shared("data", "dicom", *name.split("/"))
    tool = program("dcmdjpls" if name.endswith("JLSL") else "dcmdjpeg")
    subprocess.run([tool, str(source), str(tmp_path / "plain.dcm")], check=True, capture_output=True)
    ours = decode(source.read_bytes()).image_hw
    assert np.array_equal(ours, decode((tmp_path / "plain.dcm").read_bytes()).image_hw)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_of_jpeg_lossless_is_exact(predictor: int, tmp_path: Path) -> None:
    """Process 14, encoded by DCMTK."""
    rng = np.random.default_rng(predictor)
    image = rng.integers(0, 4096, (50, 40)).astype(np.uint16)
    (tmp_path / "in.dcm").write_bytes(native(image, BitsStored=12, HighBit=11))
    arguments = [program("dcmcjpeg"), "+el", "+sv", str(predictor), "in.dcm", "out.dcm"]
    subprocess.run(arguments, check=True, cwd=tmp_path, capture_output=True)
    part10 = (tmp_path / "out.dcm").read_bytes()
    assert dcmread(BytesIO(part10)).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.57"
    assert np.array_equal(decode(part10).image_hw, image)


def test_a_digitised_film_decodes_alike_from_jpeg_extended_and_jpeg_2000() -> None:
    """Two lossy encodings of one 12-bit mammogram, by two decoders."""
    one, two = (decode(shared("data", "dicom", "nema-wg04", n).read_bytes()).image_hw for n in ("MG1_JPLY", "MG1_J2KI"))
    assert one.shape == two.shape == (4664, 3064)
    assert np.corrcoef(one[::5, ::5].ravel(), two[::5, ::5].ravel())[0, 1] > 0.999


def real_files() -> Iterator[Path]:
    """All files of the shared inventory, an empty list where it is not there."""
    folder = shared("data", "dicom")
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")


def test_every_real_file_is_decoded_or_rejected_with_a_reason() -> None:
    """Nothing else is raised, and the usable ones are used."""
    ends = {}
    for path in real_files():
        try:
            ends[path.name] = decode(path.read_bytes()).image_hw.shape
        except Rejected as exc:
            ends[path.name] = str(exc)
    assert ends["GH133.dcm"] == (3062, 2394)
    assert ends["US1_RLE"] == (480, 640)
    assert ends["TestPattern_Palette_16.dcm"].startswith("a colour image")
    assert ends["MOVEKNEE.dcm"].startswith("a multi-frame image")
    assert sum(isinstance(end, tuple) for end in ends.values()) >= 24
    assert all(ends.values())


MUTATE = """
import random, sys
from agent.core.errors import Rejected
from agent.dicom.pixels import decode, header
rng = random.Random(int(sys.argv[1]))
for path in sys.argv[3:]:
    whole = open(path, "rb").read()
    for n in range(int(sys.argv[2])):
        broken = bytearray(whole)
        first, last = (len(whole) - len(whole) // 8, len(whole)) if n % 3 else (132, min(len(whole), 4000))
        for _ in range(rng.choice((1, 4, 40))):
            broken[rng.randrange(first, last)] = rng.randrange(256)
        broken = broken[: rng.randrange(132, len(broken))] if n % 5 == 0 else broken
        for function in (decode, header):
            try:
                function(bytes(broken))
            except Rejected:
                pass
print("survived")
"""


def test_mutated_real_files_never_kill_the_process() -> None:
    """Native, JPEG Lossless, JPEG-LS, JPEG 2000 and RLE: decoded or rejected, nothing else, no crash of a codec."""
    names = [
        "fo-dicom/GH227.dcm",
        "fo-dicom/GH364.dcm",
        "fo-dicom/D_CLUNIE_CT1_RLE_FRAGS.dcm",
        "nema-wg04/MR1_JPLL",
        "nema-wg04/MR4_JLSL",
        "cornerstone-wado/CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm",
        "fo-dicom/chrH32.dcm",
        "fo-dicom/DIRW0007",
        "weasis/palette-multiframe-jpeg-ls.dcm",
        "nema-wg04/US1_RLE",
    ]
    paths = [str(shared("data", "dicom", *name.split("/"))) for name in names]
    command = [sys.executable, "-c", MUTATE, "5", "72", *paths]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=150, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "survived"), ended.stderr[-2000:]
