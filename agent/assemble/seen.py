"""One case as it stands when it is looked at, and what the clinical database says of its patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from agent.core.case import ANSWERED, Case, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_from_json
from agent.core.errors import StaleCase, Transient
from agent.core.identities import key_digest
from agent.core.patient import PatientKey
from agent.core.ports import ClinicalSource, StoredInstance, Unit
from agent.core.withdrawal import is_withdrawal
from agent.crashpoint import crashpoint

_log = structlog.get_logger()


@dataclass(frozen=True)
class Standing:
    """A version among the others of its patient."""

    case: Case
    newest: Case  # of an answered one: the newest version of the patient's newest case; its images are all that came
    is_current: bool  # no later version, but for such as were withdrawn, came after this one
    may_stand_again: bool  # the next version is not answered yet and may be withdrawn; or its patient was merged away
    stored: Sequence[StoredInstance]
    open_association: bool
    kept: Mapping[str, Any]  # findings of this version
    answered: Mapping[str, Any]  # findings of the version whose answer stands; empty: there is none
    answered_under: PatientKey | None  # the key under which that answer went out
    answer_pending: bool  # an earlier version is being answered
    is_retired: bool  # the key is another patient's since a merge


@dataclass(frozen=True)
class Seen:
    """A version together with what the clinical database said, or last said."""

    standing: Standing
    facts: ClinicalFacts | None
    facts_known: bool  # the database answered now
    asked_at: datetime

    @property
    def case(self) -> Case:
        """The version that is looked at."""
        return self.standing.case


class Outage:
    """Tells of an outage of the clinical database once when it begins, and once when it is over."""

    def __init__(self) -> None:
        self._is_away = False

    def away(self, error: Transient) -> None:
        """It could not be asked."""
        if not self._is_away:
            _log.warning("ehr_away", reason=str(error))
        self._is_away = True

    def answered(self) -> None:
        """It could."""
        if self._is_away:
            _log.info("ehr_back")
        self._is_away = False


class OneTick:
    """The clinical source during one tick: a patient is asked about once, and after a failure nobody is."""

    def __init__(self, source: ClinicalSource, outage: Outage) -> None:
        self._source = source
        self._outage = outage
        self._away: Transient | None = None
        self._said: dict[PatientKey, ClinicalFacts | None] = {}

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Ask as the source itself does."""
        if self._away:
            raise self._away
        if patient not in self._said:
            try:
                self._said[patient] = self._source.facts(patient, as_of)
            except Transient as exc:
                self._away = exc
                self._outage.away(exc)
                raise
            self._outage.answered()
        return self._said[patient]


_SETTLED: Final = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED})


def stand(unit: Unit, case: Case) -> Standing:
    """Look up how a version stands."""
    is_answer = case.state in ANSWERED
    # an answered version's patient has no case where it was merged away; another message may bring it back
    found = unit.newest_case(case.question, case.patient) if is_answer else case
    newest = found or case
    earlier = unit.predecessor(case) if case.version > 1 and not is_answer else None
    before = unit.superseded(case) if earlier else None
    kept = unit.findings(case.id)
    before_newest = unit.predecessor(newest) if is_answer else None
    standing = before_newest if newest.state is CaseState.CLOSED else newest
    return Standing(
        case=case,
        newest=newest,
        is_current=found is not None and _is(standing, case),
        may_stand_again=found is None or (newest.state not in _SETTLED and _is(before_newest, case)),
        stored=unit.instances(newest.id),
        open_association=unit.has_open_association(case.id),
        kept=kept,
        answered=kept if is_answer else _standing_findings(unit, before),
        answered_under=unit.case(before).patient if before else None,
        answer_pending=earlier is not None and earlier.state in (CaseState.READY, CaseState.RUNNING),
        is_retired=unit.canonical(case.patient) != case.patient,
    )


def _standing_findings(unit: Unit, before: int | None) -> Mapping[str, Any]:
    """Findings of the version whose answer stands: after one that only rejects there is none."""
    said = unit.findings(before) if before else {}
    return {} if is_withdrawal(said) else said


def stand_now(unit: Unit, case: Case) -> Standing:
    """Look up how a version stands, and let nobody change who is who until the unit ends.

    Raises
    ------
    StaleCase
        If it is not the version that was looked at any more, or another one is the patient's newest now.
    """
    unit.alone()
    if _fence(unit.case(case.id)) != _fence(case):
        raise StaleCase(f"case {case.id} moved on")
    standing = stand(unit, case)
    if case.state in _SETTLED and not standing.is_current:
        raise StaleCase(f"case {case.id} is not the newest any more")
    return standing


def _fence(case: Case) -> tuple[object, ...]:
    return case.state, case.attempt, case.changed_at, case.revision, case.patient


def _is(one: Case | None, other: Case) -> bool:
    return one is not None and one.id == other.id


def last_known(standing: Standing) -> ClinicalFacts | None:
    """What the clinical database said when it was last asked about this case, and about this very patient."""
    about = key_digest(standing.case.patient)
    said = (kept for kept in (standing.kept, standing.answered) if "facts" in kept and kept.get("about") == about)
    found = next(said, None)
    return facts_from_json(found) if found is not None else None


def tell(case: Case, decided: Case) -> None:
    """Say what became of a case, once that is committed."""
    crashpoint("assemble.after_facts")
    if decided.state is CaseState.READY:
        crashpoint("assemble.after_complete")
    if decided.state is not case.state:
        _log.info(f"case_{decided.state.value}", case_id=case.id)
