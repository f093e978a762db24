"""Cases wait here until the question applies and the evidence says that they are complete."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from agent.assemble.again import Again
from agent.assemble.applies import applies, with_images
from agent.assemble.arriving import FROM_FACTS
from agent.assemble.at_hand import observe
from agent.assemble.episode import ANOTHER, Opener, diagnosed_on, is_of_another, of_episode
from agent.assemble.findings import write_findings
from agent.assemble.inquire import with_pacs
from agent.assemble.laterality import contradiction, still_held_for
from agent.assemble.seen import OneTick, Outage, Seen, Standing, last_known, stand, stand_now, tell
from agent.assemble.settings import AssembleSettings
from agent.core.case import UNCHANGED, Case, CaseEvent, CaseState
from agent.core.conflict import Ruling
from agent.core.eligibility import WITHOUT_FACTS, Eligibility, known_until, no_longer
from agent.core.errors import Permanent, StaleCase, Transient
from agent.core.evidence import Patience, Verdict, judge
from agent.core.identities import key_digest
from agent.core.patient import SPLIT
from agent.core.ports import ClinicalSource, Store, Unit

MOST_PER_TICK: Final = 64
MOST_COLLECTING: Final = 48  # so that those which wait longer are never crowded out
TOGETHER: Final = 16  # sleeping cases that are decided on in one transaction
WAITING: Final = (CaseState.DORMANT, CaseState.DONE, CaseState.FAILED, CaseState.HELD)
ANSWER: Final = frozenset({CaseState.DONE, CaseState.FAILED})
KEEP_REASON: Final = ANSWER | {CaseState.HELD}  # to look at them in vain is no news of them
AWAY: Final = "the clinical database could not be asked"
PENDING: Final = "the version before is being answered"
GONE: Final = "the contradiction is gone"
ARISES_FROM: Final = "aln"
JITTER: Final = 0.2  # share of the refresh interval over which cases are spread

_log = structlog.get_logger()


class Assembler:
    """Looks at the cases that are due and decides: asked or not, complete or not yet, still true or not.

    Where the site does not wait for an unavailable clinical database (`patience.wait_for_facts` false), the facts
    of its last answer about this case are used and the report says so; without any, no cancer is confirmed.

    Parameters
    ----------
    random
        Numbers in [0, 1), which spread the next questions to the clinical database.
    new_case_uuid
        Source of identities for new cases.
    """

    def __init__(
        self,
        store: Store,
        clinical: ClinicalSource,
        settings: AssembleSettings,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
        new_case_uuid: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._clinical = clinical
        self._settings = settings
        self._outage = Outage()
        self._now = now
        self._random = random
        self._scopes = {scope.question: scope for scope in settings.scopes}
        self._again = Again(self._scopes, settings.episode, Opener(now, new_case_uuid))

    def tick(self) -> int:
        """Look at cases that are due, the longest due first, and return how many were moved on or put off.

        Raises
        ------
        Transient
            If the agent's own database is away. The clinical one may be: its cases wait.
        """
        now = self._now()
        with self._store.unit() as unit:
            lost = unit.expired_leases(now)
            due = list(unit.due((CaseState.COLLECTING,), now, MOST_COLLECTING))
            due += unit.due(WAITING, now, MOST_PER_TICK - len(due))
        done = sum(self._apply(case, CaseEvent.LEASE_EXPIRED, "the worker's lease ran out") for case in lost)
        source = OneTick(self._clinical, self._outage)
        asleep = [case for case in due if case.state is CaseState.DORMANT and not self._is_over(case)]
        done += sum(self._look_at(case, source) for case in due if case not in asleep)
        for start in range(0, len(asleep), TOGETHER):
            done += self._look_at_some(asleep[start : start + TOGETHER], source)
        return done

    def _look_at_some(self, cases: Sequence[Case], source: OneTick) -> int:
        """Decide on cases that sleep in one transaction; where one of them needs a look by itself, each gets one."""
        try:
            with self._store.unit() as unit:
                standings = [stand(unit, case) for case in cases]
            seen = [self._see(standing, source) for standing in standings]
            with self._store.unit() as unit:
                decided = [self._decide_now(unit, one) for one in seen]
        except (StaleCase, Permanent):
            return sum(self._look_at(case, source) for case in cases)
        for case, after in zip(cases, decided, strict=True):
            tell(case, after)
        return len(cases)

    def _is_over(self, case: Case) -> bool:
        return self._now() - case.changed_at > self._settings.episode

    def _apply(self, case: Case, event: CaseEvent, reason: str) -> bool:
        try:
            with self._store.unit() as unit:
                unit.apply(case, event, self._now(), reason=reason, due_at=None)
        except StaleCase:
            return False
        _log.info(f"case_{event.value}", case_id=case.id)
        return True

    def _look_at(self, case: Case, source: OneTick) -> bool:
        """Decide on one case. A case that moved on meanwhile is left alone: it comes again."""
        over = self._is_over(case)
        if case.state is CaseState.DORMANT and over:
            return self._apply(case, CaseEvent.EXPIRED, "the episode is over and no cancer was confirmed")
        try:
            with self._store.unit() as unit:
                if case.state in ANSWER:
                    unit.alone()
                standing = stand(unit, case)
                if case.state in ANSWER and (over or not standing.is_current):
                    again = self._later() if standing.may_stand_again and not over else None
                    unit.postpone(case, again, case.reason)
                    return True
            seen = self._see(standing, source)
            with self._store.unit() as unit:
                decided = self._decide_now(unit, seen)
        except StaleCase:
            return False
        except Permanent as exc:
            return self._put_off(case, str(exc))
        tell(case, decided)
        return True

    def _see(self, standing: Standing, source: OneTick) -> Seen:
        """Ask the clinical database, outside of any transaction."""
        now = self._now()
        if standing.case.patient.issuer.startswith(SPLIT):
            return Seen(standing, None, True, now)  # nobody knows her under a key of ours
        try:
            facts, known = source.facts(standing.case.patient, now), True
        except Transient:
            facts, known = last_known(standing), False
        return Seen(standing, known_until(facts, self._day()) if facts else None, known, now)

    def _decide_now(self, unit: Unit, seen: Seen) -> Case:
        """Decide on a case as it stands in this transaction, whatever came while the clinical database was asked.

        Raises
        ------
        StaleCase
            If it moved on meanwhile.
        """
        standing = stand_now(unit, seen.case)
        if standing.is_retired:  # whoever follows the merge gives it away
            return unit.postpone(seen.case, self._later(), seen.case.reason)
        return self._decide(unit, replace(seen, standing=standing))

    def _decide(self, unit: Unit, seen: Seen) -> Case:
        case, question = seen.case, seen.case.question
        if not seen.facts_known and self._patience(question).wait_for_facts:
            quiet, refresh = self._settings.patience.quiet, self._settings.refresh
            soon = min(quiet, refresh) if case.state is CaseState.COLLECTING else refresh
            return unit.postpone(case, self._later(soon), case.reason if case.state in KEEP_REASON else AWAY)
        eligibility = self._assess(question, seen)
        if seen.facts_known and question == ARISES_FROM:
            self._arise(unit, seen)
        if not eligibility.asked and seen.standing.answered and seen.facts_known and seen.facts is not None:
            eligibility = no_longer(question, eligibility)
        if case.state in ANSWER:
            return self._again.ask(unit, seen, eligibility, self._later())
        if case.state is CaseState.HELD:
            case = self._let_go(unit, case, seen, eligibility)
            if case.state is CaseState.HELD:
                return case
        eligibility = with_images(seen, eligibility)
        if not eligibility.asked:
            return self._not_asked(unit, case, seen, eligibility)
        if case.state is CaseState.DORMANT:
            case = unit.apply(case, CaseEvent.FACTS_CHANGED, self._now(), reason="the question applies now")
        return self._collect(unit, case, seen, eligibility)

    def _assess(self, question: str, seen: Seen) -> Eligibility:
        scope, settings = self._scopes.get(question), self._settings
        return applies(question, seen, scope, day=self._day(), episode=settings.episode)

    def _arise(self, unit: Unit, seen: Seen) -> None:
        """Open the cases of the questions that facts ask by themselves."""
        for scope in self._settings.scopes:
            if scope.question in FROM_FACTS and (found := self._assess(scope.question, seen)).asked and found.axillae:
                self._again.arise(unit, seen, scope.question, found)

    def _let_go(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility) -> Case:
        """A HELD case goes on by itself where nothing but the side was in doubt, and it no longer is."""
        if left := still_held_for(unit, case, eligibility, seen.standing.stored):
            held = case if left == list(unit.conflicts(case.id)) else unit.hold(case, left, self._now())
            return unit.postpone(held, self._later(), held.reason)
        return unit.apply(case, CaseEvent.RESOLVED, self._now(), reason=GONE, due_at=self._now())

    def _not_asked(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility) -> Case:
        reason = eligibility.reason if seen.facts_known else f"no invasive cancer is known, and {AWAY}"
        if case.state is CaseState.DORMANT:
            return unit.postpone(case, self._later(), reason)
        unit.save_findings(case, self._findings(seen, eligibility))
        return unit.apply(case, CaseEvent.NOT_ASKED, self._now(), reason=reason, due_at=self._later())

    def _collect(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility) -> Case:
        """The question applies: complete, or wait for what is missing."""
        answered = seen.standing.answered
        if is_of_another(eligibility, diagnosed_on(answered), self._settings.episode):
            return self._move_on(unit, case, seen, eligibility)
        verdict = self._judge(unit, case, seen, eligibility)
        basis = self._again.basis(seen, eligibility)
        findings = self._findings(
            seen,
            eligibility,
            evidence=(*verdict.sentences, *eligibility.flags),
            missing=verdict.missing,
            basis=basis,
        )
        unit.save_findings(case, findings)
        if not verdict.complete:
            return unit.postpone(case, min(verdict.due_at, self._later()), verdict.sentences[0])
        if seen.standing.answer_pending:
            return unit.postpone(case, self._later(min(self._settings.patience.quiet, self._settings.refresh)), PENDING)
        if self._again.says_the_same(seen, eligibility, answered) and seen.standing.answered_under == case.patient:
            return unit.apply(case, CaseEvent.WITHDRAWN, self._now(), reason=UNCHANGED)
        return self._complete(unit, case, seen, eligibility, verdict)

    def _findings(self, seen: Seen, eligibility: Eligibility, **more: Any) -> dict[str, Any]:
        about, asked_at = key_digest(seen.case.patient), seen.asked_at
        return write_findings(eligibility, seen.facts, about=about, asked_at=asked_at, day=self._day(), **more)

    def _judge(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility) -> Verdict:
        patience = self._patience(case.question)
        observed = observe(replace(seen, standing=replace(seen.standing, case=case)), eligibility, patience)
        if eligibility.open_sides:  # the PACS's word does not matter where there will be no estimate
            stored, asking = seen.standing.stored, self._settings.asking
            observed = with_pacs(unit, case, observed, stored, patience=patience, asking=asking, now=self._now())
        return judge(observed, patience, self._now())

    def _complete(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility, verdict: Verdict) -> Case:
        """Everything is here: an answer is due, unless a person must say whose breast it is."""
        conflict = contradiction(eligibility, seen.standing.stored)
        decision = unit.decision(conflict.id) if conflict else None
        if conflict and decision is None:
            held = unit.hold(case, [conflict], self._now())
            return unit.postpone(held, self._later(), held.reason)
        if decision and decision.ruling is Ruling.DROP:
            return unit.apply(case, CaseEvent.WITHDRAWN, self._now(), reason="a person dropped it")
        reason = f"complete without {', '.join(verdict.missing)}" if verdict.missing else "complete"
        return unit.apply(case, CaseEvent.COMPLETE, self._now(), reason=reason)

    def _move_on(self, unit: Unit, case: Case, seen: Seen, eligibility: Eligibility) -> Case:
        """Images came when another cancer had been diagnosed: its own are another case's, the answer before stands."""
        images = of_episode(eligibility, seen.standing.stored)
        if images:
            self._again.opener.open(unit, case.question, case.patient, images, ANOTHER)
        return unit.apply(case, CaseEvent.WITHDRAWN, self._now(), reason=ANOTHER if images else UNCHANGED)

    def _put_off(self, case: Case, reason: str) -> bool:
        """The clinical query is wrong, or answered wrongly: someone has to mend it, the case waits."""
        _log.error("clinical_query_failed", case_id=case.id, reason=reason)
        try:
            with self._store.unit() as unit:
                unit.postpone(case, self._later(), case.reason if case.state in KEEP_REASON else reason)
        except StaleCase:
            return False
        return True

    def _patience(self, question: str) -> Patience:
        """A question that facts do not ask waits neither for them nor for what is made for every cancer."""
        patience = self._settings.patience
        return replace(patience, expected=(), wait_for_facts=False) if question in WITHOUT_FACTS else patience

    def _day(self) -> date:
        return self._now().astimezone(self._settings.zone).date()

    def _later(self, span: timedelta | None = None) -> datetime:
        """When to ask again: after the refresh interval or a given span, give or take."""
        return self._now() + (span or self._settings.refresh) * (1 + JITTER * (self._random() - 0.5))
