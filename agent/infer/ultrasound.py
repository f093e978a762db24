"""Ultrasound images of a case as views: all of the newest examination of a side, tumour and node in any order."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.core.errors import Rejected
from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.infer.reader import ImageReader, Scale
from agent.infer.selection import newest_studies_first
from agent.infer.view import Images, Unsuited, Unused, View, is_blank, read_view
from agent.preprocess.ultrasound import prepare

MOST_IMAGES: Final = 8  # of an axilla
OLDER: Final = "a newer ultrasound examination of this breast is used"
TOO_MANY: Final = f"{MOST_IMAGES} other images of this examination are used, which is as many as the model gets"


def prepare_ultrasound(
    stored: Sequence[StoredInstance], sides: Sequence[Side], settings: Mapping[str, Any], reader: ImageReader
) -> Images:
    """Prepare up to eight images of each side's newest examination that has one which can be used."""
    unused: list[Unused] = []

    def make(instance: Instance, part10: bytes) -> View:
        return _view(instance, part10, settings, reader)

    views: dict[Side, tuple[View, ...]] = {}
    for side in sides:
        found: list[View] = []
        for study in newest_studies_first(one for one in stored if one.instance.laterality == side):
            if found:
                unused += [Unused(one, OLDER) for one in study]
                continue
            for one in sorted(study, key=lambda one: one.instance.frames > 1):  # stills before clips
                if len(found) == MOST_IMAGES:
                    unused.append(Unused(one, TOO_MANY))
                elif view := read_view(one, reader, make, unused):
                    found.append(view)
        views[side] = tuple(found)
    return Images(views, tuple(unused))


def _view(instance: Instance, part10: bytes, settings: Mapping[str, Any], reader: ImageReader) -> View:
    scale = _scale(part10, reader)
    picture = reader.decode(part10)
    image_hw = picture.image_hw
    if is_blank(scale.region.of(image_hw) if scale.region else image_hw):
        raise Rejected("the image is blank")
    tensor_hw, placement = prepare(
        image_hw, pixel_mm=scale.pixel_mm, region=scale.region, inverted=picture.inverted, **settings
    )
    return View(reader.shown(instance, part10, picture), tensor_hw[None], placement)


def _scale(part10: bytes, reader: ImageReader) -> Scale:
    try:
        return reader.ultrasound_scale(part10)
    except Rejected as exc:
        raise Unsuited(str(exc)) from None
