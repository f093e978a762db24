"""Mammograms of a case as views: of each side and projection the newest image that can be decoded."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from agent.core.errors import Rejected
from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.role_rules import is_implant_displaced
from agent.core.roles import Verdict
from agent.infer.reader import ImageReader
from agent.infer.selection import age_order
from agent.infer.view import Images, Unused, View, is_blank, read_view
from agent.preprocess.mammogram import prepare

SAME_VIEW: Final = "a newer image of the same view is used"


def prepare_mammograms(
    stored: Sequence[StoredInstance],
    sides: Sequence[Side],
    settings: Mapping[str, Any],
    reader: ImageReader,
    verdict: Callable[[Instance], Verdict],
) -> Images:
    """Prepare the views of each side in a fixed order, CC before MLO.

    One with the implant displaced goes before any other of its projection: it shows more of the breast.
    """
    unused: list[Unused] = []

    def make(instance: Instance, part10: bytes) -> View:
        return _view(instance, part10, settings, reader)

    views: dict[Side, tuple[View, ...]] = {}
    for side in sides:
        found: list[View] = []
        for candidates in by_projection([one for one in stored if one.instance.laterality == side], verdict):
            used: View | None = None
            for one in candidates:
                if used is None:
                    used = read_view(one, reader, make, unused)
                else:
                    unused.append(Unused(one, SAME_VIEW))
            found += [used] if used else []
        views[side] = tuple(found)
    return Images(views, tuple(unused))


def by_projection(
    stored: Sequence[StoredInstance], verdict: Callable[[Instance], Verdict]
) -> list[list[StoredInstance]]:
    """Group images by projection, CC before MLO; within a group those with the implant displaced, the newest first."""

    def projection(one: StoredInstance) -> str:
        return verdict(one.instance).role

    best_first = sorted(stored, key=lambda one: (is_implant_displaced(one.instance), age_order(one)), reverse=True)
    return [list(group) for _, group in groupby(sorted(best_first, key=projection), key=projection)]


def _view(instance: Instance, part10: bytes, settings: Mapping[str, Any], reader: ImageReader) -> View:
    picture = reader.decode(part10)
    try:
        tensor_hw, placement = prepare(picture.image_hw, inverted=picture.inverted, **settings)
    except ValueError:
        raise Rejected("the image is too small to be a mammogram") from None
    if is_blank(picture.image_hw):
        raise Rejected("the image is blank")
    return View(reader.shown(instance, part10, picture), tensor_hw[None], placement)
