"""The last question before an answer is saved, sent, or sent again: whether it is of whom its images are."""

from typing import Final

from agent.core.case import Case
from agent.core.demographics import Demographics
from agent.core.patient import SPLIT, PatientKey
from agent.core.ports import Unit
from agent.core.ports_identity import IdentityUnit

RETIRED: Final = "its patient has another ID now"
APART: Final = "a person told this patient apart from another: nothing is answered"
STRANGER: Final = "an image in it is another patient's now"
DISPUTED: Final = "a later version is held for a person"
OVERTAKEN: Final = "a later version was sent, which supersedes it"


def owner(unit: IdentityUnit, key: PatientKey, demographics: Demographics) -> PatientKey:
    """Whose an instance is that names a patient so, after merges and rulings."""
    known = unit.identity(key, demographics)
    return known.moved_to if known and known.moved_to else unit.canonical(key)


def stopped(unit: Unit, case: Case) -> str:
    """Say why nothing of a version may leave; empty: it may. What a person left out of it speaks for nobody."""
    if unit.canonical(case.patient) != case.patient:
        return RETIRED
    if case.patient.issuer.startswith(SPLIT):
        return APART
    if any(owner(unit, *said) != case.patient for said in unit.said_in(case.id)):
        return STRANGER
    if unit.is_disputed(case):
        return DISPUTED
    return OVERTAKEN if unit.is_overtaken(case) else ""
