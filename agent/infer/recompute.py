"""Working a saved version out again, from what was saved with it. Nothing is saved, sent or quarantined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from agent.core.case import Case
from agent.core.errors import Permanent
from agent.core.ports import SpoolSource, StoredInstance, Unit
from agent.core.result import Kind, LeftOut, Reference
from agent.core.withdrawal import is_withdrawal
from agent.infer.admission import choose
from agent.infer.answer import DAMAGED, Answerer
from agent.infer.lineage import digest_of, earlier_of, trace
from agent.infer.question import read_findings
from agent.infer.statement import Setting, summarise
from agent.infer.stranded import Stranded, stranded
from agent.infer.superseding import Left
from agent.infer.task import Task, work_out

_MOST_NAMED: Final = 20


class InputsGone(Permanent):
    """A version cannot be worked out again: not everything that its answer rests on is there as it was."""


@dataclass(frozen=True)
class Kept:
    """What the state holds of an answered version, read at once."""

    case: Case
    installation: UUID
    summary: Mapping[str, Any]
    lineage: Mapping[str, Any]
    findings: Mapping[str, Any]
    stored: Sequence[StoredInstance]
    before: Case | None  # the version that it named as its predecessor
    predecessors: Mapping[str, Reference]  # as they stood when it was answered
    left: Left  # by earlier versions, as it stood then
    summary_before: Mapping[str, Any]
    stranded: Stranded | None = None  # of a version that only rejects


@dataclass(frozen=True)
class Recomputed:
    """The same version worked out now, in the words of what was saved."""

    summary: Mapping[str, Any]
    lineage: Mapping[str, Any]


def read_kept(unit: Unit, case_id: int) -> Kept:
    """Read a version and what was saved with it.

    Raises
    ------
    Permanent
        If there is no such case, or no answer with a whole lineage was saved for it.
    """
    try:
        case = unit.case(case_id)
    except KeyError:
        raise Permanent(f"there is no case {case_id}") from None
    lineage = unit.lineage(case_id)
    if not lineage:
        raise Permanent(f"case {case_id} is {case.state}: no answer with its lineage was saved")
    supersedes = lineage["supersedes"]
    before = unit.case(supersedes["case"]) if supersedes else None
    predecessors, left = earlier_of(lineage)
    findings = unit.findings(case_id)
    return Kept(
        case=case,
        installation=unit.installation(),
        summary=unit.summary(case_id),
        lineage=lineage,
        findings=findings,
        stored=unit.instances(case_id),
        before=before,
        predecessors=predecessors,
        left=left,
        summary_before=unit.summary(before.id) if before else {},
        stranded=stranded(unit, case, left) if is_withdrawal(findings) else None,
    )


def recompute(kept: Kept, worker: Answerer) -> Recomputed:
    """Work a version out with this worker's bundles, images and composer; its store is not used.

    Raises
    ------
    InputsGone
        If an image or the findings are not there as they were.
    Permanent, Transient
        As answering does.
    """
    stored = _as_they_were(kept, worker.reader.spool)
    bundle, admitted = choose(worker.engines, kept.case.question, kept.case.patient)
    setting = _setting(kept, worker.settings.site_prevalence)
    task = Task(setting, read_findings(kept.findings), stored, bundle, admitted)
    computed = work_out(task, worker.reader, worker.roles, lambda _: None)
    not_made: dict[Kind, str] = {}
    objects = [(made, ()) for made in worker.compose(computed.result, computed.sources, not_made.__setitem__)]
    lineage = trace(task, computed.result, objects, worker.roles, worker.origin)
    return Recomputed(summarise(computed.result, bundle.engine.device, not_made), lineage)


def _setting(kept: Kept, site_prevalence: float | None) -> Setting:
    return Setting(
        case=kept.case,
        installation=kept.installation,
        made_at=datetime.fromisoformat(kept.lineage["made_at"]),
        predecessors=kept.predecessors,
        summary_before=kept.summary_before,
        site_prevalence=site_prevalence,
        left=kept.left,
        damaged=tuple(LeftOut(one["what"], DAMAGED, one["modality"]) for one in kept.lineage["damaged"]),
        before=kept.before,
        findings=kept.findings,
        stranded=kept.stranded,
    )


def _as_they_were(kept: Kept, spool: SpoolSource) -> list[StoredInstance]:
    """Return the instances of then, in their order. Raises InputsGone."""
    now = {one.instance.sop_instance_uid: one for one in kept.stored}
    found: list[StoredInstance] = []
    problems = [] if digest_of(kept.findings) == kept.lineage["findings"] else ["findings: decided anew since"]
    for group in kept.lineage["images"]:
        for then in group["instances"]:
            uid = then["sop_instance_uid"]
            if why := _changed(now.get(uid), then, group["left_out"], spool):
                problems.append(f"{uid}: {why}")
            else:
                found.append(replace(now[uid], instance=replace(now[uid].instance, barred=group["barred"])))
    if problems:
        raise InputsGone(_told(kept.case.id, problems))
    return found


def _told(case_id: int, problems: Sequence[str]) -> str:
    lines = [f"case {case_id} cannot be worked out again; not as it was then:", *problems[:_MOST_NAMED]]
    more = len(problems) - _MOST_NAMED
    return "\n  ".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _changed(now: StoredInstance | None, then: Mapping[str, str], left_out: str, spool: SpoolSource) -> str:
    """Say why an instance is not there as it was; empty: it is, or it could not be read then either."""
    if now is None:
        return "no longer in this case"
    if now.instance.sha256 != then["sha256"]:
        return "another object took its place"
    try:
        payload = spool.read(now.ref).payload
    except Permanent as exc:
        return "" if left_out == str(exc) else str(exc)
    return "" if sha256(payload).hexdigest() == then["sha256"] else "its bytes are others"
