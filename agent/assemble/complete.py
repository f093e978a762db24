"""Cases wait here until the question applies and the evidence says that they are complete."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import structlog

from agent.assemble.findings import write_findings
from agent.assemble.inquire import NOTHING, Asking, with_pacs
from agent.assemble.views import missing_views
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_from_json
from agent.core.eligibility import Eligibility, assess, bound_by_images
from agent.core.errors import Permanent, StaleCase, Transient
from agent.core.evidence import Observed, Patience, judge
from agent.core.patient import PatientKey
from agent.core.ports import ClinicalSource, Store, StoredInstance, Unit
from agent.core.usable import Window, unusable
from agent.crashpoint import crashpoint

MOST_PER_TICK: Final = 200
AWAY: Final = "the clinical database could not be asked"
BREAST_IMAGES: Final = frozenset({"MG", "US", "MR"})
JITTER: Final = 0.2  # share of the refresh interval over which cases are spread

_log = structlog.get_logger()


@dataclass(frozen=True)
class AssembleSettings:
    """How long to wait for what."""

    patience: Patience
    episode: timedelta
    refresh: timedelta  # how often the clinical database is asked again
    zone: tzinfo = UTC  # of the hospital's days
    asking: Asking = NOTHING  # of the PACS


@dataclass(frozen=True)
class _Seen:
    """One case as it stood when it was looked at, and what the clinical database said."""

    case: Case
    stored: Sequence[StoredInstance]
    open_association: bool
    facts: ClinicalFacts | None
    facts_known: bool  # the database answered now
    asked_at: datetime


class _UntilAway:
    """The clinical source during one tick: once it was away it is not asked again, so an outage costs one timeout."""

    def __init__(self, source: ClinicalSource) -> None:
        self._source = source
        self._away: Transient | None = None

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Ask as the source itself does."""
        if self._away:
            raise self._away
        try:
            return self._source.facts(patient, as_of)
        except Transient as exc:
            self._away = exc
            raise


class Assembler:
    """Looks at the cases that are due and decides: asked or not, complete or not yet.

    Where the site does not wait for an unavailable clinical database (`patience.wait_for_facts` false), the facts
    of its last answer about this version are used and the report says so; without any, no cancer is confirmed.

    Parameters
    ----------
    random
        Numbers in [0, 1), which spread the next questions to the clinical database.
    """

    def __init__(
        self,
        store: Store,
        clinical: ClinicalSource,
        settings: AssembleSettings,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._clinical = clinical
        self._settings = settings
        self._now = now
        self._random = random

    def tick(self) -> int:
        """Look at every case that is due, and return how many were moved on or put off.

        Raises
        ------
        Transient
            If the agent's own database is away. The clinical one may be: its cases wait.
        """
        with self._store.unit() as unit:
            lost = unit.expired_leases(self._now())
            due = unit.due((CaseState.COLLECTING, CaseState.DORMANT), self._now(), MOST_PER_TICK)
        done = sum(self._apply(case, CaseEvent.LEASE_EXPIRED, "the worker's lease ran out") for case in lost)
        source = _UntilAway(self._clinical)
        for case in due:
            done += self._look_at(case, source)
        return done

    def _apply(self, case: Case, event: CaseEvent, reason: str) -> bool:
        try:
            with self._store.unit() as unit:
                unit.apply(case, event, self._now(), reason=reason, due_at=None)
        except StaleCase:
            return False
        _log.info(f"case_{event.value}", case_id=case.id)
        return True

    def _look_at(self, case: Case, source: ClinicalSource) -> bool:
        """Decide on one case. A case that moved on meanwhile is left alone: it comes again."""
        if case.state is CaseState.DORMANT and self._now() - case.changed_at > self._settings.episode:
            return self._apply(case, CaseEvent.EXPIRED, "the episode is over and no cancer was confirmed")
        try:
            seen = self._see(case, source)
            with self._store.unit() as unit:
                decided = self._decide(unit, seen)
        except StaleCase:
            return False
        except Permanent as exc:
            return self._put_off(case, str(exc))
        crashpoint("assemble.after_facts")
        if decided.state is CaseState.READY:
            crashpoint("assemble.after_complete")
        if decided.state is not case.state:
            _log.info(f"case_{decided.state.value}", case_id=case.id)
        return True

    def _see(self, case: Case, source: ClinicalSource) -> _Seen:
        """Collect what the decision rests on. The clinical database is asked outside of any transaction."""
        with self._store.unit() as unit:
            stored, open_association = unit.instances(case.id), unit.has_open_association(case.id)
            kept = unit.findings(case.id)
        now = self._now()
        try:
            return _Seen(case, stored, open_association, source.facts(case.patient, now), True, now)
        except Transient:
            return _Seen(case, stored, open_association, _last_known(kept), False, now)

    def _decide(self, unit: Unit, seen: _Seen) -> Case:
        patience, case = self._settings.patience, seen.case
        if not seen.facts_known and patience.wait_for_facts:
            soon = min(patience.quiet, self._settings.refresh) if case.state is CaseState.COLLECTING else None
            return unit.postpone(case, self._later(soon), AWAY)
        eligibility = assess(
            seen.facts, self._now().astimezone(self._settings.zone).date(), episode=self._settings.episode
        )
        if not eligibility.asked:
            return self._not_asked(unit, seen, eligibility)
        if case.state is CaseState.DORMANT:
            case = unit.apply(case, CaseEvent.FACTS_CHANGED, self._now(), reason="an invasive cancer is confirmed")
        return self._collect(unit, case, seen, eligibility)

    def _not_asked(self, unit: Unit, seen: _Seen, eligibility: Eligibility) -> Case:
        case = seen.case
        reason = eligibility.reason if seen.facts_known else f"no invasive cancer is known, and {AWAY}"
        if case.state is CaseState.DORMANT:
            return unit.postpone(case, self._later(), reason)
        unit.save_findings(case, write_findings(eligibility, seen.facts, asked_at=seen.asked_at))
        return unit.apply(case, CaseEvent.NOT_ASKED, self._now(), reason=reason, due_at=self._later())

    def _collect(self, unit: Unit, case: Case, seen: _Seen, eligibility: Eligibility) -> Case:
        """The question applies: complete, or wait for what is missing."""
        eligibility = bound_by_images(eligibility, [one.instance.acquired_on for one in seen.stored])
        observed = Observed(
            opened_at=case.opened_at,
            last_change=max((one.received_at for one in seen.stored), default=case.opened_at),
            open_association=seen.open_association,
            present=_present(eligibility, seen.stored),
            facts_known=seen.facts_known,
        )
        observed = self._more(unit, case, observed, seen.stored, eligibility)
        verdict = judge(observed, self._settings.patience, self._now())
        findings = write_findings(
            eligibility,
            seen.facts,
            evidence=(*verdict.sentences, *eligibility.flags),
            missing=verdict.missing,
            asked_at=seen.asked_at,
        )
        unit.save_findings(case, findings)
        if not verdict.complete:
            return unit.postpone(case, min(verdict.due_at, self._later()), verdict.sentences[0])
        reason = f"complete without {', '.join(verdict.missing)}" if verdict.missing else "complete"
        return unit.apply(case, CaseEvent.COMPLETE, self._now(), reason=reason)

    def _more(
        self,
        unit: Unit,
        case: Case,
        observed: Observed,
        stored: Sequence[StoredInstance],
        eligibility: Eligibility,
    ) -> Observed:
        """Add the views that are missing, and the PACS's word; neither matters where there will be no estimate."""
        sides = [axilla.side for axilla in eligibility.axillae if not axilla.reason]
        if not sides:
            return observed
        patience, instances = self._settings.patience, [one.instance for one in stored]
        window = Window(eligibility.earliest, eligibility.cutoff)
        observed = replace(observed, missing_views=missing_views(instances, sides, window, patience.views))
        asking = self._settings.asking
        return with_pacs(unit, case, observed, stored, patience=patience, asking=asking, now=self._now())

    def _put_off(self, case: Case, reason: str) -> bool:
        """The clinical query is wrong, or answered wrongly: someone has to mend it, the case waits."""
        _log.error("clinical_query_failed", case_id=case.id, reason=reason)
        try:
            with self._store.unit() as unit:
                unit.postpone(case, self._later(), reason)
        except StaleCase:
            return False
        return True

    def _later(self, span: timedelta | None = None) -> datetime:
        """When to ask again: after the refresh interval or a given span, give or take."""
        return self._now() + (span or self._settings.refresh) * (1 + JITTER * (self._random() - 0.5))


def _last_known(findings: Mapping[str, Any]) -> ClinicalFacts | None:
    """What the clinical database said when it was last asked about this version."""
    return facts_from_json(findings) if "facts" in findings else None


def _present(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> frozenset[str]:
    """Modalities that are there; images of the breast count only if one can be used for a side that is asked about."""
    sides = [axilla.side for axilla in eligibility.axillae if not axilla.reason]
    window = Window(eligibility.earliest, eligibility.cutoff)
    return frozenset(
        one.instance.modality
        for one in stored
        if not sides or one.instance.modality not in BREAST_IMAGES or not unusable(one.instance, sides, window)
    )
