"""A person decides what a case is held for; what follows is the same as if it had always been known."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.assemble.circle import Circle
from agent.assemble.patients import Patients
from agent.core.case import Case, CaseState
from agent.core.conflict import ALLOWED, Conflict, ConflictKind, Decision, Ruling
from agent.core.errors import Permanent
from agent.core.identities import BY_PERSON, Retirement, Standing, key_digest
from agent.core.patient import PatientKey
from agent.core.ports import Store, Unit


@dataclass(frozen=True, slots=True)
class Request:
    """What a person says about a case. Without `about`, the statement that came last is the one in question."""

    case_id: int
    ruling: Ruling
    by: str
    conflict_id: str = ""  # empty: every conflict of the case to which the ruling applies
    about: str = ""


@dataclass(frozen=True)
class Resolver:
    """Applies decisions.

    Parameters
    ----------
    store
        The agent's state.
    patients
        What follows for cases.
    """

    store: Store
    patients: Patients

    def resolve(self, request: Request) -> Case:
        """Decide, and return the case as it stands then: released, or held for what is left.

        Raises
        ------
        Permanent
            If there is no such case, it is not held, or the ruling means nothing for what it is held for.
        """
        with self.store.unit() as unit:
            unit.alone()
            case = _held(unit, request.case_id)
            keys = Circle(unit, [case.patient]).keys
            now = self.patients.versions.now()
            for conflict in _meant(unit, case, request):
                about = _DECIDE[conflict.kind](_Question(unit, case, conflict, request, keys, now))
                unit.decide(Decision(conflict.id, request.ruling, about, request.by, now))
            self.patients.settle(unit, keys, reason=f"{request.by} decided: {request.ruling}")
            return unit.case(case.id)


@dataclass(frozen=True, slots=True)
class _Question:
    """One conflict that is being decided."""

    unit: Unit
    case: Case
    conflict: Conflict
    request: Request
    keys: Sequence[PatientKey]
    now: datetime

    def about(self, possible: Collection[str], otherwise: str) -> str:
        """Return which of the subjects is meant."""
        wanted = self.request.about
        if wanted and wanted not in possible:
            raise Permanent(f"conflict {self.conflict.id} is not about {wanted}; possible: {', '.join(possible)}")
        return wanted or otherwise


def _held(unit: Unit, case_id: int) -> Case:
    try:
        case = unit.lock(case_id)
    except KeyError:
        raise Permanent(f"there is no case {case_id}") from None
    if case.state is not CaseState.HELD:
        raise Permanent(f"case {case_id} is {case.state}, not held: there is nothing to decide")
    return case


def _meant(unit: Unit, case: Case, request: Request) -> list[Conflict]:
    """Return the conflicts that a request is about."""
    conflicts = [c for c in unit.conflicts(case.id) if request.conflict_id in ("", c.id)]
    meant = [c for c in conflicts if request.ruling in ALLOWED[c.kind]]
    if not conflicts:
        raise Permanent(f"case {case.id} has no conflict {request.conflict_id}")
    if not meant:
        possible = sorted({f"--{ruling}" for c in conflicts for ruling in ALLOWED[c.kind]})
        raise Permanent(f"case {case.id}: {' '.join(c.sentence for c in conflicts)} Say one of {', '.join(possible)}")
    return meant


def _on_identities(asked: _Question) -> str:
    """Name the identity that is split off or dropped: else the one that was seen last."""
    every = [one for key in asked.keys for one in asked.unit.identities(key)]
    named = sorted((one.seen_at, one.digest) for one in every if one.digest in asked.conflict.subjects)
    return asked.about([digest for _, digest in named], named[-1][1])


def _on_study(asked: _Question) -> str:
    """Name the key that is dropped, or that becomes this patient's: else the other one."""
    unit, subjects = asked.unit, asked.conflict.subjects
    named = {key_digest(key): key for key in asked.keys if key_digest(key) in subjects}
    mine = min(digest for digest, key in named.items() if unit.canonical(key) == asked.case.patient)
    other = next(digest for digest in named if digest != mine)
    about = asked.about(list(named), other)
    if asked.request.ruling is Ruling.MERGE:
        survivor = named[mine if about == other else other]
        unit.retire(Retirement(asked.now, f"{BY_PERSON}{asked.conflict.id}", named[about], survivor))
    return about


def _on_variants(asked: _Question) -> str:
    """Let one of several objects under a UID count: for ACCEPT the one that is named, else the one that came last."""
    unit, uid = asked.unit, asked.conflict.subjects[0]
    waiting = [one for one in unit.variants(uid) if one.standing is Standing.WAITING]
    stored = unit.find_instance(uid)
    if stored is None or not waiting:
        raise Permanent(f"conflict {asked.conflict.id} is decided already")
    if asked.request.ruling is Ruling.DROP:
        for one in waiting:
            unit.settle_variant(one, Standing.DROPPED)
        return stored.instance.sha256
    possible = [one.instance.sha256 for one in waiting]
    about = asked.about([stored.instance.sha256, *possible], possible[-1])
    for one in waiting:
        if one.instance.sha256 == about:
            unit.put_in_place(stored, one)
            unit.note_identity(one.instance.patient, one.instance.demographics, one.received_at)
            unit.note_study(one.instance.study_instance_uid, one.instance.patient)
        else:
            unit.settle_variant(one, Standing.SUPERSEDED)
    return about


def _on_laterality(asked: _Question) -> str:
    """Go on in spite of the images' side, or end the case."""
    if asked.request.ruling is Ruling.DROP:
        asked.unit.withdraw(asked.case, asked.now, f"{asked.request.by} dropped it")
    return ""


_DECIDE: Final[Mapping[ConflictKind, Callable[[_Question], str]]] = {
    ConflictKind.DEMOGRAPHICS: _on_identities,
    ConflictKind.SHARED_STUDY: _on_study,
    ConflictKind.CORRECTION: _on_variants,
    ConflictKind.PIXELS: _on_variants,
    ConflictKind.LATERALITY: _on_laterality,
    ConflictKind.STRANDED: _on_laterality,
}
