"""Images only assign to an axilla. Where all of them are of the other breast, a person must look."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from agent.assemble.basis import BREAST_IMAGES, window_of
from agent.core.case import Case
from agent.core.conflict import Conflict, ConflictKind
from agent.core.eligibility import Eligibility
from agent.core.ports import StoredInstance, Unit
from agent.core.prediction import Side
from agent.core.usable import unusable

_BREAST: Final = {Side.L: "left", Side.R: "right"}


def still_held_for(
    unit: Unit, case: Case, eligibility: Eligibility, stored: Sequence[StoredInstance]
) -> list[Conflict]:
    """Return what a person must decide about a HELD case still: only what is about the side may have gone by itself."""
    conflicts = unit.conflicts(case.id)
    left = [one for one in conflicts if one.kind is not ConflictKind.LATERALITY]
    found = contradiction(eligibility, stored) if len(left) < len(conflicts) else None
    return [*left, found] if found and unit.decision(found.id) is None else left


def contradiction(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> Conflict | None:
    """Return what a person must decide where the images are of the breast that is not asked about, and of no other.

    Only images of the episode, taken before treatment, that name one breast speak against the side of the cancer;
    one that shows the breast that is asked about settles it.
    """
    sides = [axilla.side for axilla in eligibility.axillae]
    window = window_of(eligibility)
    images = [o.instance for o in stored if o.instance.modality in BREAST_IMAGES and not o.instance.barred]
    if len(sides) != 1 or any(not unusable(image, sides, window) for image in images):
        return None
    (other,) = set(Side) - set(sides)
    named = [image for image in images if image.laterality in tuple(Side)]
    may_count = [image for image in named if image.acquired_on is None or window.holds(image.acquired_on)]
    in_time = [image for image in may_count if image.acquired_on]
    if not in_time or any(image.laterality != other for image in may_count):
        return None
    uids = sha256("\n".join(sorted(image.sop_instance_uid for image in in_time)).encode()).hexdigest()
    sentence = (
        f"The clinical database names the {_BREAST[sides[0]]} breast, every image that names one the {_BREAST[other]}."
    )
    return Conflict(ConflictKind.LATERALITY, (*sides, uids), sentence)
