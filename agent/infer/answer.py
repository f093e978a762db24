"""The worker's use case: claim a case that is ready, answer it, and save result, objects and outbox together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent, StaleCase, Transient
from agent.core.firewall import stopped
from agent.core.ports import Store, StoredInstance, Unit
from agent.core.release import wait_for_report
from agent.core.result import Kind, LeftOut, Reference, Result, ResultObject, SourceImage
from agent.core.role_rules import BUILT_IN
from agent.core.roles import RoleTable
from agent.core.withdrawal import is_withdrawal
from agent.crashpoint import crashpoint
from agent.infer.admission import ActiveBundle, choose
from agent.infer.attempts import Attempts, AttemptSettings, Watchdog
from agent.infer.lineage import Origin, going_to, trace
from agent.infer.prepare import refusals
from agent.infer.question import read_findings
from agent.infer.reader import ImageReader
from agent.infer.statement import Setting, summarise
from agent.infer.stranded import NOBODY_REJECTS, stranded
from agent.infer.superseding import Left, left_behind
from agent.infer.task import Task, work_out
from agent.infer.view import Images

DAMAGED: Final = "damaged when it arrived"
OUTDATED: Final = "what it supersedes changed meanwhile: the answer has to name it as it is now"

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class AnswerSettings(AttemptSettings):
    """How a worker works."""

    site_prevalence: float | None = None
    wait_for_report: bool = False


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """Answers one case a step.

    Parameters
    ----------
    store
        The agent's state.
    engines
        The active bundles, in the order of the configuration.
    reader
        The bytes as they came, and what is read of them.
    compose
        A result and its source images to objects in sending order; tells of kinds that could not be made.
    quarantine
        Keeps a copy of an object that cannot be used, with the reason.
    destinations
        Name -> the kinds of objects that it gets.
    settings
        How to work.
    watchdog
        Ends this process where it is stuck with a case longer than its lease.
    now
        The time, in UTC.
    origin
        What of this installation an answer depends on, kept with each.
    roles
        What each image is, by which rule.
    """

    store: Store
    engines: Sequence[ActiveBundle]
    reader: ImageReader
    compose: Callable[[Result, Sequence[SourceImage], Callable[[Kind, str], None]], Sequence[ResultObject]]
    quarantine: Callable[[StoredInstance, bytes, str], None]
    destinations: Mapping[str, frozenset[Kind]]
    settings: AnswerSettings
    watchdog: Watchdog
    now: Callable[[], datetime]
    origin: Origin
    roles: RoleTable = BUILT_IN

    @property
    def attempts(self) -> Attempts:
        """The worker's hold on cases."""
        return Attempts(self.store, self.settings, self.watchdog, self.now)

    def release_own(self) -> int:
        """Give back what a process of this worker's name held when it died; call it before the first step."""
        return self.attempts.release_own()

    def step(self) -> bool:
        """Claim and answer one case; return whether there was one.

        Errors raised on purpose end as a retry or as FAILED with the reason. Any other one is not caught: the process
        ends, and a version on which that happens twice is given up. So does a process that is stuck.
        """
        try:
            case = self.attempts.claim()
            if case is None:
                return False
            crashpoint("infer.after_claim")
            self._work(case)
        except Transient as exc:
            _log.warning("state_unreachable", reason=str(exc))
            return False
        finally:
            self.attempts.let_go()
        return True

    def _work(self, case: Case) -> None:
        try:
            try:
                over = self.attempts.is_over(case)
                if over:
                    self.attempts.give_up(case, over, self._refusals(case))
                else:
                    self._answer(case)
            except (Permanent, Transient) as exc:
                self.attempts.fail(case, exc)
        except StaleCase:
            _log.info("answer_discarded", case_id=case.id, version=case.version)

    def _refusals(self, case: Case) -> list[tuple[StoredInstance, str]]:
        """Every image of a version, and why its header alone says that it is not used. No pixels are looked at."""
        bundle, _ = choose(self.engines, case.question, case.patient)
        with self.store.unit() as unit:
            asked, stored = read_findings(unit.findings(case.id)), unit.instances(case.id)
        return refusals(stored, asked, bundle.engine.manifest, self.roles)

    def _answer(self, case: Case) -> None:
        bundle, admitted = choose(self.engines, case.question, case.patient)
        with self.store.unit() as unit:
            setting, stored = self._setting(case, unit), unit.instances(case.id)
        task = Task(setting, read_findings(setting.findings), stored, bundle, admitted)
        computed = work_out(task, self.reader, self.roles, lambda images: self._note_unused(case, images))
        crashpoint("infer.after_estimate")
        with self.store.unit() as unit:
            self.attempts.renew(unit, case)
        not_made: dict[Kind, str] = {}
        objects = self.compose(computed.result, computed.sources, not_made.__setitem__)
        for kind, reason in not_made.items():
            _log.warning("objects_not_made", case_id=case.id, version=case.version, kind=kind, reason=reason)
        self._save(task, computed.result, objects, not_made)
        crashpoint("infer.after_save")
        _log.info("answer_saved", case_id=case.id, version=case.version, count=len(objects))

    def _setting(self, case: Case, unit: Unit) -> Setting:
        before, findings = unit.superseded(case), unit.findings(case.id)
        predecessors, left = self._superseded(unit, case)
        return Setting(
            case=case,
            installation=unit.installation(),
            made_at=self.now(),
            predecessors=predecessors,
            summary_before=unit.summary(before) if before else {},
            site_prevalence=self.settings.site_prevalence,
            left=left,
            damaged=tuple(LeftOut(one.sop_instance_uid, DAMAGED, one.modality) for one in unit.damaged(case)),
            before=unit.case(before) if before else None,
            findings=findings,
            stranded=stranded(unit, case, left) if is_withdrawal(findings) else None,
        )

    def _superseded(self, unit: Unit, case: Case) -> tuple[Mapping[str, Reference], Left]:
        """Return what of earlier versions a result names: predecessors by role, and what they left in archives."""
        before = unit.superseded(case)
        told = {name for name, kinds in self.destinations.items() if Kind.REJECTION in kinds}
        return unit.references(before) if before else {}, left_behind(unit, case, told)

    def _note_unused(self, case: Case, images: Images) -> None:
        """Say of every image that is left out why, and copy out the ones that nobody can use.

        The lease is renewed between the long steps: only a worker that is stuck in one of them loses it.
        """
        for unused in images.unused:
            if unused.part10 is not None:
                self.quarantine(unused.stored, unused.part10, unused.reason)
        with self.store.unit() as unit:
            self.attempts.renew(unit, case)
            for unused in images.unused:
                unit.mark_left_out(case, unused.stored, unused.reason, quarantined=unused.part10 is not None)

    def _save(self, task: Task, result: Result, objects: Sequence[ResultObject], not_made: Mapping[Kind, str]) -> None:
        """Save everything in one transaction.

        Raises
        ------
        StaleCase
            If the case moved on meanwhile.
        Transient
            If earlier versions left something else than what the result names: it is worked out again.
        Permanent
            If it only rejects, and nobody who was given what it rejects takes that.
        """
        case, device, lost = task.setting.case, task.bundle.engine.device, task.setting.stranded
        by_destination = {
            name: [one for one in objects if one.kind in kinds and name in (one.only_to or (name,))]
            for name, kinds in self.destinations.items()
            if lost is None or name in lost.destinations
        }
        if lost and result.superseded and not any(by_destination.values()):
            raise Permanent(NOBODY_REJECTS)
        lineage = trace(task, result, going_to(objects, by_destination), self.roles, self.origin)
        with self.store.unit() as unit:
            if self.settings.wait_for_report:
                unit.alone()  # before any row is locked: who notes a report takes turns with us
            if why := stopped(unit, case):
                unit.withdraw(case, result.made_at, why)
                _log.error("answer_stopped", case_id=case.id, reason=why)
                return
            if self._superseded(unit, case) != (task.setting.predecessors, task.setting.left):
                raise Transient(OUTDATED)
            unit.mark_used(case, [instance.sop_instance_uid for instance in result.used])
            summary = summarise(result, device, not_made)
            saved = unit.save_result(case, result.made_at, summary, by_destination)
            unit.keep_lineage(saved, lineage)
            if not any(by_destination.values()):
                unit.apply(saved, CaseEvent.ALL_CONFIRMED, result.made_at, reason="nothing to send")
            elif self.settings.wait_for_report and not lost and wait_for_report(unit, saved, result, objects):
                _log.info("answer_waits_for_report", case_id=case.id, version=case.version)
