"""Decoding in a child: the same pixels, and whatever a codec does costs one image."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.pixels.encoders import RLELosslessEncoder

from agent.core.errors import Rejected
from agent.dicom import decoding
from agent.dicom.decoding import Bounds, Decoder, DecoderFailed
from agent.dicom.pixels import Pixels, decode, open_frames
from tests.builders_pixels import CANARY, compressed, frames, image_dataset, native, ramp, write
from tests.fakes.bad_codecs import MODULE

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
RLE = "1.2.840.10008.1.2.5"
GOOD = native(ramp())


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """A decoder with a healthy child."""
    with Decoder() as one:
        yield one


@pytest.fixture(scope="module")
def bad() -> Iterator[Decoder]:
    """A decoder whose codecs do what an image says, with little time."""
    with Decoder(Bounds(cpu_s=0.5, wall_s=1.5), MODULE) as one:
        one.decode(GOOD)
        yield one


def _doing(deed: str) -> bytes:
    return native(ramp(), ImageComments=f"deed: {deed}")


def _same(one: Pixels, other: Pixels) -> bool:
    return (
        np.array_equal(one.image_hw, other.image_hw)
        and one.image_hw.dtype == other.image_hw.dtype
        and np.array_equal(one.grey, other.grey)
        and (one.inverted, one.lowest, one.frame) == (other.inverted, other.lowest, other.frame)
    )


@pytest.mark.parametrize(
    "part10",
    [
        GOOD,
        native(ramp(dtype=np.uint8)),
        native(ramp(start=-9, dtype=np.int16)),
        native(ramp(dtype=np.int8)),
        native(ramp(), PhotometricInterpretation="MONOCHROME1"),
        native(np.zeros((4, 6, 3), np.uint8), SOPClassUID=ULTRASOUND),
        native(np.zeros((700, 900), np.uint16)),
    ],
)
def test_the_child_decodes_the_same(decoder: Decoder, part10: bytes) -> None:
    """Values, type, sense and grey levels are those of decoding here."""
    assert _same(decoder.decode(part10), decode(part10))


def test_pixels_outlive_the_next_image_and_the_child() -> None:
    """What was handed out never changes."""
    with Decoder() as one:
        first = one.decode(GOOD)
        one.decode(native(ramp(start=100)))
    assert np.array_equal(first.image_hw, ramp())


def test_a_deflated_image_is_decoded_under_limits_that_are_lower_than_its_own() -> None:
    """What inflates it keeps to them."""
    syntax = "1.2.840.10008.1.2.1.99"
    with Decoder(Bounds(memory_bytes=1 << 30)) as one:
        assert np.array_equal(one.decode(write(image_dataset(ramp()), syntax)).image_hw, ramp())


CODECS = {
    "1.2.840.10008.1.2.4.70": lambda image: imagecodecs.ljpeg_encode(image, bitspersample=16),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    "1.2.840.10008.1.2.4.90": lambda image: imagecodecs.jpeg2k_encode(image, codecformat="j2k", reversible=True),
}


@pytest.mark.parametrize("syntax", CODECS)
def test_changed_codestreams_never_reach_the_caller(decoder: Decoder, syntax: str) -> None:
    """Each of a hundred ends as pixels of the size that was said, or as Rejected, and then a sound one is decoded."""
    image = ramp(64, 48)
    sound = compressed(CODECS[syntax](image), image, syntax)
    start, chance = sound.index(b"\xff\xd8" if "4.90" not in syntax else b"\xff\x4f"), random.Random(7)
    for _ in range(100):
        changed = bytearray(sound)
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(start, len(changed))] = chance.randrange(256)
        with suppress(Rejected):
            assert decoder.decode(bytes(changed)).image_hw.shape == image.shape
    assert np.array_equal(decoder.decode(sound).image_hw, image)


def test_what_cannot_be_decoded_is_rejected_in_the_same_words(decoder: Decoder) -> None:
    """The reason is the codec's, and quotes nothing of the patient."""
    damaged = native(ramp(), Rows=9)
    with pytest.raises(Rejected) as here:
        decode(damaged)
    with pytest.raises(Rejected) as there:
        decoder.decode(damaged)
    assert str(there.value) == str(here.value)
    assert CANARY not in str(there.value)


def _cine(start: int) -> bytes:
    images = [ramp(start=start + n, dtype=np.uint8) for n in range(3)]
    described = dict(rows=6, columns=4, samples_per_pixel=1, bits_allocated=8, bits_stored=8, pixel_representation=0)
    coded = [
        RLELosslessEncoder.encode(
            one.tobytes(), photometric_interpretation="MONOCHROME2", number_of_frames=1, **described
        )
        for one in images
    ]
    return frames(coded, images[0], RLE)


def test_frames_are_decoded_one_by_one(decoder: Decoder) -> None:
    """Also of two objects in turn, and after the child was replaced."""
    objects = [_cine(0), _cine(50)]
    here, there = [open_frames(one) for one in objects], [decoder.open_frames(one) for one in objects]
    for number in (1, 3, 2):
        for one, other in zip(here, there, strict=True):
            assert _same(other(number), one(number))
    _kill(decoder)
    assert _same(there[0](2), here[0](2))


def test_a_damaged_object_is_rejected_when_it_is_opened(decoder: Decoder) -> None:
    """As it is here."""
    with pytest.raises(Rejected):
        decoder.open_frames(native(ramp(), SamplesPerPixel=3))


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("segfault", "crashes on it .SIGSEGV"),
        ("abort", "crashes on it .SIGABRT"),
        ("exit", "crashes on it .exit code 3"),
        ("unforeseen", "crashes on it .exit code 1"),
        ("loop", "takes too long"),
        ("sleep", "takes too long"),
        ("eat", "too much memory"),
        ("killed", "crashes on it .SIGKILL"),
    ],
)
def test_a_bad_codec_costs_one_image(bad: Decoder, deed: str, reason: str) -> None:
    """It is rejected with what happened, and the next one is decoded."""
    with pytest.raises(Rejected, match=reason):
        bad.decode(_doing(deed))
    assert np.array_equal(bad.decode(GOOD).image_hw, ramp())


def test_a_child_that_somebody_killed_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel, short of memory, does not tell whose image it was."""
    monkeypatch.setenv("SENTINODE_TEST_MARKER", str(tmp_path / "killed"))
    with Decoder(child=MODULE) as one:
        assert np.array_equal(one.decode(_doing("once killed")).image_hw, ramp())
    assert (tmp_path / "killed").exists()


def _kill(decoder: Decoder) -> None:
    child: Any = decoder._child
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()


def test_a_child_that_died_idle_costs_nothing(decoder: Decoder) -> None:
    """It is started anew."""
    decoder.decode(GOOD)
    _kill(decoder)
    assert np.array_equal(decoder.decode(GOOD).image_hw, ramp())


def test_memory_that_could_shrink_is_not_mapped() -> None:
    """A child that a codec confused could end us with it."""
    with Decoder(child=MODULE) as one, pytest.raises(Rejected):
        one.decode(_doing("unsealed"))


def test_a_confused_child_is_not_believed() -> None:
    """No size is taken for granted."""
    with Decoder(child=MODULE) as one:
        one.decode(_doing("nonsense"))
        with pytest.raises(Rejected, match="says nonsense"):
            one.decode(GOOD)


def test_a_decoder_that_does_not_start_is_no_images_fault() -> None:
    """It is not rejected: whoever decodes ends."""
    with Decoder(child="tests.fakes.no_such_module") as one, pytest.raises(DecoderFailed, match="exit code 1"):
        one.decode(GOOD)


def test_a_large_image_leaves_no_memory_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one image needed is not kept for all."""
    monkeypatch.setattr(decoding, "_KEPT_BYTES", 100)
    with Decoder() as one:
        one.decode(GOOD)
        child: Any = one._child
        assert os.fstat(child._image).st_size == 0


def test_nothing_is_left_of_it() -> None:
    """Neither process nor descriptors."""
    before = len(os.listdir("/proc/self/fd"))
    with Decoder() as one:
        one.decode(GOOD)
        child: Any = one._child
    assert child._process.returncode is not None
    assert len(os.listdir("/proc/self/fd")) == before
