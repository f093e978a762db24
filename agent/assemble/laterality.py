"""Images only assign to an axilla. Where all of them are of the other breast, a person must look."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256

from agent.assemble.basis import BREAST_IMAGES, window_of
from agent.core.case import Case
from agent.core.conflict import Conflict, ConflictKind
from agent.core.eligibility import Eligibility
from agent.core.instance import Instance
from agent.core.ports import StoredInstance, Unit
from agent.core.prediction import Side


def still_held_for(
    unit: Unit, case: Case, eligibility: Eligibility, stored: Sequence[StoredInstance]
) -> list[Conflict]:
    """Return what a person must decide about a HELD case still: only what is about the side may have gone by itself."""
    conflicts = unit.conflicts(case.id)
    left = [one for one in conflicts if one.kind is not ConflictKind.LATERALITY]
    found = contradiction(eligibility, stored) if len(left) < len(conflicts) else None
    return [*left, found] if found and unit.decision(found.id) is None else left


def contradiction(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> Conflict | None:
    """Return what a person must decide where every examination of one breast is of the one that is not asked about.

    Only examinations of the episode, before treatment, speak against the side of the cancer. One of both breasts, as
    screening is, speaks for neither; one of the breast that is asked about settles it.
    """
    sides = [axilla.side for axilla in eligibility.axillae]
    window = window_of(eligibility)
    images = [o.instance for o in stored if o.instance.modality in BREAST_IMAGES and not o.instance.barred]
    may_count = [image for image in images if image.acquired_on is None or window.holds(image.acquired_on)]
    of_one_breast = [exam for exam in _examinations(may_count) if len(_shown(exam)) == 1]
    if len(sides) != 1 or any(sides[0] in _shown(exam) for exam in of_one_breast):
        return None
    in_time = [image for exam in of_one_breast for image in exam if image.acquired_on and image.laterality]
    if not in_time:
        return None
    (other,) = set(Side) - set(sides)
    uids = sha256("\n".join(sorted(image.sop_instance_uid for image in in_time)).encode()).hexdigest()
    sentence = (
        f"The clinical database names the {sides[0].word} breast, every examination of one breast the {other.word}."
    )
    return Conflict(ConflictKind.LATERALITY, (*sides, uids), sentence)


def _examinations(images: Iterable[Instance]) -> Iterable[Sequence[Instance]]:
    """Put together the images of one modality in one study."""
    found: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for image in images:
        found[image.study_instance_uid, image.modality].append(image)
    return found.values()


def _shown(examination: Iterable[Instance]) -> frozenset[Side]:
    """Return the breasts that an examination shows, as far as it says; MR that names none shows both."""
    shown: set[Side] = set()
    for image in examination:
        if image.laterality in tuple(Side):
            shown.add(Side(image.laterality))
        elif image.laterality == "B" or image.modality == "MR":
            shown.update(Side)
    return frozenset(shown)
