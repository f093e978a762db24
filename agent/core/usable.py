"""Whether an image can bear on the question: its side, its day, its kind. No pixels are looked at."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

from agent.core.instance import Instance
from agent.core.prediction import Side

ONE_BREAST: Final = "an image of one breast: only MR of both, side by side, is used"


@dataclass(frozen=True, slots=True)
class Window:
    """Days whose images count: from `earliest` to `latest`, before `cutoff`. None: no bound."""

    earliest: date | None = None
    cutoff: date | None = None
    latest: date | None = None

    def holds(self, day: date | None) -> bool:
        """Whether an image of a day counts; an undated one does not."""
        return not _outside(day, self)


def unusable(instance: Instance, sides: Collection[Side], window: Window) -> str:
    """Say why an image cannot be used for the axillae that are asked about; empty if it can."""
    if instance.barred:
        return instance.barred
    if instance.presentation_intent == "FOR PROCESSING":
        return "FOR PROCESSING: only images for presentation are used"
    if instance.modality == "MR" and instance.laterality in ("", "B") and sides:
        return _outside(instance.acquired_on, window)  # it shows both breasts
    if instance.laterality not in tuple(Side):
        return "the image does not say of which breast it is"
    if instance.laterality not in sides:
        return f"the {Side(instance.laterality).word} breast, which is not asked about"
    if instance.modality == "MR":
        return ONE_BREAST
    return _outside(instance.acquired_on, window)


def _outside(acquired_on: date | None, window: Window) -> str:
    if acquired_on is None:
        return "the image does not say when it was taken"
    if window.cutoff is not None and acquired_on >= window.cutoff:
        return "not taken before surgery or treatment began"
    if window.earliest is not None and acquired_on < window.earliest:
        return "taken long before the diagnosis: not of this episode"
    if window.latest is not None and acquired_on > window.latest:
        return "taken long after the diagnosis: not of this episode"
    return ""
