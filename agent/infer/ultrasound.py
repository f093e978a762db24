"""Ultrasound images of a case as views: of each side those of the tumour and those of the node, in any order."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.core.errors import Rejected
from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.roles import Verdict
from agent.infer.reader import ImageReader, Scale
from agent.infer.selection import newest_studies_first
from agent.infer.view import Images, Unsuited, Unused, View, is_blank, read_view
from agent.preprocess.ultrasound import prepare

MOST_IMAGES: Final = 8  # of an axilla
OLDER: Final = "a newer ultrasound examination of this breast is used"
TOO_MANY: Final = f"{MOST_IMAGES} other images of this examination are used, which is as many as the model gets"

NODE, TUMOUR, UNKNOWN = "us.node", "us.tumour", "us.unknown"


def prepare_ultrasound(
    stored: Sequence[StoredInstance],
    sides: Sequence[Side],
    settings: Mapping[str, Any],
    reader: ImageReader,
    verdict: Callable[[Instance], Verdict],
) -> Images:
    """Prepare up to eight images of each side, the node and the tumour in turn.

    Each is looked for in the newest examination that has one which can be used, so the node may be of another one than
    the tumour. Images that do not say which they are count where no newer examination is used.
    """
    unused: list[Unused] = []

    def make(instance: Instance, part10: bytes) -> View:
        return _view(instance, part10, settings, reader)

    def read(one: StoredInstance) -> View | None:
        return read_view(one, reader, make, unused)

    views: dict[Side, tuple[View, ...]] = {}
    for side in sides:
        of_side = [one for one in stored if one.instance.laterality == side]
        views[side] = _Choice(newest_studies_first(of_side), read, unused).views(lambda one: verdict(one.instance).role)
    return Images(views, tuple(unused))


@dataclass
class _Choice:
    """The images of one side that are used, being chosen."""

    studies: Sequence[Sequence[StoredInstance]]  # the newest first
    read: Callable[[StoredInstance], View | None]
    unused: list[Unused]
    found: list[View] = field(default_factory=list)

    def views(self, role: Callable[[StoredInstance], str]) -> tuple[View, ...]:
        """Choose: a node, a tumour, one that does not say, and again, until there are eight or no more."""
        ways = deque(self._of(wanted, role) for wanted in (NODE, TUMOUR, UNKNOWN))
        while ways:
            way = ways.popleft()
            view = next(way, None)
            if view is not None:
                self.found.append(view)
                ways.append(way)
        return tuple(self.found)

    def _of(self, wanted: str, role: Callable[[StoredInstance], str]) -> Iterator[View]:
        """Yield the images of one role, of the newest examination in which one can be used; note the others."""
        used = False
        for number, study in enumerate(self.studies):
            images = [one for one in study if role(one) == wanted]
            if used or (wanted == UNKNOWN and self._uses_newer_than(number)):
                self.unused += [Unused(one, OLDER) for one in images]
                continue
            for one in sorted(images, key=lambda one: one.instance.frames > 1):  # stills before clips
                if len(self.found) == MOST_IMAGES:
                    self.unused.append(Unused(one, TOO_MANY))
                elif view := self.read(one):
                    used = True
                    yield view

    def _uses_newer_than(self, number: int) -> bool:
        newer = {study[0].instance.study_instance_uid for study in self.studies[:number]}
        return any(view.instance.study_instance_uid in newer for view in self.found)


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
