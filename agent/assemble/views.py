"""Which mammographic views a side that is asked about still lacks."""

from collections.abc import Collection, Sequence
from typing import Final

from agent.core.instance import Instance
from agent.core.prediction import Side
from agent.core.usable import Window, unusable

IMPLANT_DISPLACED: Final = "ID"  # it shows the breast as the plain view of its name does


def missing_views(
    instances: Sequence[Instance], sides: Collection[Side], window: Window, views: Sequence[str]
) -> tuple[str, ...]:
    """Name the views that are expected and not there, as "left MLO"; none before the first mammogram of the window.

    A mammogram of either breast tells that there was an examination, so both views of each side are to come.
    """
    mammograms = [one for one in instances if one.modality == "MG" and not unusable(one, tuple(Side), window)]
    if not mammograms:
        return ()
    there = {(one.laterality, one.view_position.removesuffix(IMPLANT_DISPLACED)) for one in mammograms}
    return tuple(f"{side.word} {view}" for side in sorted(sides) for view in views if (side.value, view) not in there)
