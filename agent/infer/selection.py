"""Which images of a case belong to which axilla, and why the others are left out. No pixels are looked at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import TypeAlias

from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.usable import Window, unusable

SAME_VIEW = "a newer image of the same view is used"

Candidates: TypeAlias = tuple[StoredInstance, ...]


@dataclass(frozen=True)
class Selection:
    """For each axilla its views in a fixed order (CC before MLO); for each view its images, the newest first."""

    views: Mapping[Side, tuple[Candidates, ...]]
    left_out: tuple[tuple[StoredInstance, str], ...]


def select(
    instances: Sequence[StoredInstance], sides: Collection[Side], window: Window, modalities: Collection[str]
) -> Selection:
    """Assign images to the axillae that are asked about.

    Parameters
    ----------
    instances
        All images of the version.
    sides
        The axillae of which an estimate is wanted.
    window
        Days whose images count.
    modalities
        What the bundle can use.
    """
    reasons = [(stored, refusal(stored.instance, sides, window, modalities)) for stored in instances]
    kept = [stored for stored, reason in reasons if not reason]
    views = {side: _views([s for s in kept if s.instance.laterality == side]) for side in sides}
    return Selection(views, tuple((stored, reason) for stored, reason in reasons if reason))


def refusal(instance: Instance, sides: Collection[Side], window: Window, modalities: Collection[str]) -> str:
    """Say why an image is not used; empty if it can be."""
    if instance.modality not in modalities:
        return f"the model does not use {instance.modality}"
    return unusable(instance, sides, window)


def age_order(stored: StoredInstance) -> tuple[date, datetime, int]:
    """Sort key: when it was taken, then when it came."""
    return stored.instance.acquired_on or date.min, stored.received_at, stored.id


def _views(stored: Sequence[StoredInstance]) -> tuple[Candidates, ...]:
    def view(one: StoredInstance) -> str:
        return one.instance.view_position

    newest_first = sorted(sorted(stored, key=age_order, reverse=True), key=view)
    return tuple(tuple(group) for _, group in groupby(newest_first, key=view))
