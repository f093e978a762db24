"""The composer of these tests gives each the objects of its own input, though it makes them once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.core.errors import Permanent
from agent.core.result import Result, SourceImage
from agent.report.compose import Composer, Language
from tests import builders
from tests.unit.report.conftest import DEVICE
from tests.unit.report.remembering import Remembering

Scene = tuple[Result, list[SourceImage]]


def scene() -> Scene:
    """Return a result and its image, built anew."""
    image = builders.source_image()
    return builders.result([builders.estimate()], [image], [builders.influence(image)]), [image]


def test_the_same_input_is_made_once() -> None:
    """Told by its content: another composer, result and image that are equal get the very same objects."""
    made = Remembering(DEVICE)(*scene())
    assert Remembering(DEVICE)(*scene()) is made
    assert Composer(DEVICE)(*scene()) == made


def pixel(result: Result, images: list[SourceImage]) -> Scene:
    """Change one pixel of an image."""
    images[0].image_hw[9, 9] ^= 64
    return result, images


def weight(result: Result, images: list[SourceImage]) -> Scene:
    """Change one place of a map."""
    result.influences[0].saliency_hw[100, 100] = 0.9
    return result, images


@pytest.mark.parametrize(
    "change",
    [
        pixel,
        weight,
        lambda result, images: (replace(result, version=2), images),
        lambda result, images: (result, [replace(images[0], header=images[0].header.replace(b"DEMO", b"DUMB"))]),
    ],
)
def test_another_input_is_made_anew(change: Callable[[Result, list[SourceImage]], Scene]) -> None:
    """However little it differs."""
    assert Remembering(DEVICE)(*change(*scene())) != Remembering(DEVICE)(*scene())


def test_another_composer_makes_its_own() -> None:
    """Of another language or other kinds."""
    made = Remembering(DEVICE)(*scene())
    assert Remembering(DEVICE, language=Language.GERMAN)(*scene()) != made


def test_what_is_refused_is_refused_each_time() -> None:
    """A refusal is not kept."""
    for _ in range(2):
        with pytest.raises(Permanent, match="which had influence"):
            Remembering(DEVICE)(scene()[0], [])
