"""The person who decides what cases are held for. She knows the truth, and says the same whenever she is asked."""

from collections.abc import Callable

from agent.assemble.resolve import Request
from agent.core.case import Case
from agent.core.conflict import Conflict, ConflictKind, Ruling
from agent.core.identities import key_digest
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from tests.faults.cases.place import Place
from tests.faults.cases.truth import Story


def decide(place: Place, most: int) -> int:
    """Decide some open conflicts, and return how many."""
    done = 0
    while done < most:
        with place.store.unit() as unit:
            found = next(((case, conflicts[0]) for case in unit.held() if (conflicts := unit.conflicts(case.id))), None)
            if found is None:
                return done
            request = _request(place.story, unit, *found)
        place.resolver.resolve(request)
        done += 1
    return done


def _request(story: Story, unit: Unit, case: Case, conflict: Conflict) -> Request:
    if conflict.kind is ConflictKind.DEMOGRAPHICS:
        ruling, about = _on_identities(story, conflict)
    elif conflict.kind is ConflictKind.SHARED_STUDY:
        ruling, about = _on_study(story, conflict)
    elif conflict.kind in (ConflictKind.LATERALITY, ConflictKind.STRANDED):
        ruling, about = Ruling.ACCEPT, ""
    else:
        ruling, about = _on_variants(story, unit, conflict)
    return Request(case.id, ruling, "someone", conflict.id, about)


def _on_identities(story: Story, conflict: Conflict) -> tuple[Ruling, str]:
    """Whoever is not the owner of the key under which she came goes: split off or left out, always the same way."""
    named = [digest for digest in sorted(conflict.subjects) if digest in story.whose]
    foreign = [digest for digest in named if digest in story.foreign]
    if not foreign:
        return Ruling.MERGE, named[0]
    return (Ruling.SPLIT if int(foreign[0], 16) % 2 else Ruling.DROP), foreign[0]


def _on_study(story: Story, conflict: Conflict) -> tuple[Ruling, str]:
    """One woman's keys are merged; of two women's, images under the wrong one are left out, else both are right."""
    study = next(subject for subject in conflict.subjects if "." in subject)
    keys = sorted((key for key in story.owner_of if key_digest(key) in conflict.subjects), key=_by_rank(story))
    first, second = keys
    if story.owner_of[first] == story.owner_of[second]:
        return Ruling.MERGE, key_digest(second)
    for key in keys:
        shown = {p.owner for p in story.photos if p.header.patient == key and p.header.study_instance_uid == study}
        if shown - {story.owner_of[key]}:
            return Ruling.DROP, key_digest(key)
    return Ruling.SPLIT, key_digest(second)


def _by_rank(story: Story) -> Callable[[PatientKey], tuple[int, PatientKey]]:
    rank = {key: n for person in story.persons for n, key in enumerate(person.keys)}

    def by_rank(key: PatientKey) -> tuple[int, PatientKey]:
        return rank[key], key

    return by_rank


def _on_variants(story: Story, unit: Unit, conflict: Conflict) -> tuple[Ruling, str]:
    """What is right counts; while it is not there, what was first stays."""
    uid = next(subject for subject in conflict.subjects if "." in subject)
    right = [
        p.header.sha256 for p in story.photos if p.uid == uid and p.is_right and p.header.sha256 in conflict.subjects
    ]
    stored = unit.find_instance(uid)
    if not right or (stored is not None and stored.instance.sha256 in right):
        return Ruling.DROP, ""
    return Ruling.ACCEPT, right[0]
