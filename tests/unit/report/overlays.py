"""Results with every kind of object, and their objects before they are encoded, for the tests of those kinds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pydicom.uid import UltrasoundMultiFrameImageStorage

from agent.core.result import Kind, Reference, Result, SourceImage
from agent.report.draft import Draft
from agent.report.slot import Finished
from agent.report.source_header import Headers
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE
from tests.unit.report.remembering import Remembering

COMPOSER = Remembering(DEVICE, kinds=frozenset(Kind))
PLACED = {
    "FrameOfReferenceUID": builders.uid("frame of reference"),
    "PixelSpacing": [2, 2],
    "SliceThickness": 5,
    "WindowCenter": 300,
    "WindowWidth": 600,
}
"""Attributes with which an MR slice lies somewhere and says how it is shown."""


def unencoded(
    make: Callable[[Draft, Headers], list[Finished]], result: Result, images: Sequence[SourceImage]
) -> list[Finished]:
    """Return what one maker of objects makes: much quicker than all objects."""
    return make(Draft.of(result, images, DEVICE), {i.instance.sop_instance_uid: i.header for i in images})


def slices() -> tuple[Result, list[SourceImage]]:
    """Return a result on a dynamic MR whose key slice lies in space."""
    return scenes.mr_alone(**PLACED)


def views() -> tuple[Result, list[SourceImage]]:
    """Return a result on four mammograms, both axillae."""
    images = [builders.source_image(builders.mammogram(s, v)) for s in "LR" for v in ("CC", "MLO")]
    return builders.result([builders.estimate("L"), builders.estimate("R", 0.04)], images), images


def clip(**more: object) -> tuple[Result, list[SourceImage]]:
    """Return a result on one frame of a colour ultrasound clip."""
    colour = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3, "BodyPartExamined": "AXILLA"} | more
    ds = scenes.ultrasound(number=9, SOPClassUID=UltrasoundMultiFrameImageStorage, **colour)
    image = scenes.source(ds, frame=6, frames=12)
    used = {**scenes.ALL, "used": (image.instance,)}
    return builders.result(None, [image], [builders.influence(image, 50, 40)], **used), [image]


def second(result: Result, images: Sequence[SourceImage], *, of_another: bool = False) -> Result:
    """Return version 2 of a result, which supersedes every object of version 1."""
    before = COMPOSER(result, images)
    return replace(
        result,
        version=2,
        predecessors={o.role: o.reference for o in before},
        superseded=tuple(o.reference for o in before if not o.instead_of),
        was_of_another=of_another,
    )


def elsewhere(study: str) -> Reference:
    """Return an object of an earlier version, in a study of which no image is at hand."""
    return Reference("1.2.840.10008.5.1.4.1.1.7", builders.uid(study, "old"), builders.uid(study), builders.uid("s"))
