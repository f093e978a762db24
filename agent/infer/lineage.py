"""Where an answer came from: what is kept beside a result so that it can be explained, and reproduced."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from agent.core.errors import Permanent
from agent.core.instance import Instance
from agent.core.result import Reference, Result, ResultObject
from agent.core.roles import RoleTable
from agent.infer.statement import Setting
from agent.infer.superseding import Left
from agent.infer.task import Task
from agent.preprocess.tabular import AGE, BIRTH_DATE

SCHEMA: Final = 1
NOT_LOOKED_AT: Final = "not looked at: there is no estimate whatever it shows"


@dataclass(frozen=True)
class Origin:
    """What of an installation an answer depends on, beside its bundle."""

    version: str  # of the agent
    code: str  # sha256 over the agent's source files
    python: str
    libraries: Mapping[str, str]  # name -> version
    configuration: str  # sha256 of what of the configuration may change an answer
    configuration_keys: Mapping[str, str]  # "site.prevalence" -> a short digest of its value
    ehr_query: str  # sha256 of the file
    time_zone: str


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def keyed_digest(installation: UUID, *values: Any) -> str:
    """SHA-256 of values together with the installation's UUID, as 32 hexadecimal digits.

    Two versions here can be compared by it, two installations cannot. It hides a value from whoever reads over a
    shoulder, not from whoever has the database: of a fact with few values each can be tried.
    """
    return digest_of([installation.hex, *values])[:32]


def going_to(
    objects: Sequence[ResultObject], by_destination: Mapping[str, Sequence[ResultObject]]
) -> list[tuple[ResultObject, list[str]]]:
    """Say of each object which destinations get it."""
    gets = {name: {one.sop_instance_uid for one in theirs} for name, theirs in by_destination.items()}
    return [(one, sorted(name for name, uids in gets.items() if one.sop_instance_uid in uids)) for one in objects]


def trace(
    task: Task,
    result: Result,
    objects: Sequence[tuple[ResultObject, Sequence[str]]],
    roles: RoleTable,
    origin: Origin,
) -> dict[str, Any]:
    """Return the lineage of a result as JSON. It holds no value of a fact.

    Parameters
    ----------
    task
        What the result was computed from.
    objects
        Each object that was made, with the destinations that get it.
    roles, origin
        The site's table of roles, and what else of the installation matters.
    """
    setting, engine = task.setting, task.bundle.engine
    model, before = result.model, setting.before
    return {
        "schema": SCHEMA,
        "made_at": result.made_at.isoformat(),
        "objects": [_object(made, to) for made, to in objects],
        "bundle": {
            **{name: getattr(model, name) for name in ("name", "version", "digest", "intended_use")},
            "device": engine.device,
            "provider": engine.provider,
        },
        "images": _images(task, result, roles),
        "damaged": [{"what": left.what, "modality": left.modality} for left in setting.damaged],
        "facts": _facts(task, result),
        "facts_left_out": _facts_left_out(task, result),
        "findings": digest_of(setting.findings),
        "patient": keyed_digest(setting.installation, result.patient.issuer, result.patient.patient_id),
        "earlier": _earlier(setting),
        "supersedes": before and {"case": before.id, "version": before.version, "objects": _uids(task)},
        "site": {
            "prevalence": result.site_prevalence,
            "time_zone": origin.time_zone,
            "operating_points": {point.name: point.threshold for point in result.operating_points},
        },
        **_installation(origin),
    }


def _installation(origin: Origin) -> dict[str, Any]:
    return {
        "ehr_query": origin.ehr_query,
        "configuration": {"digest": origin.configuration, "keys": dict(origin.configuration_keys)},
        "code": {
            "version": origin.version,
            "digest": origin.code,
            "python": origin.python,
            "libraries": dict(origin.libraries),
        },
    }


def _object(made: ResultObject, to: Sequence[str]) -> dict[str, Any]:
    return {
        "role": made.role,
        "kind": made.kind.value,
        "sop_class_uid": made.sop_class_uid,
        "sop_instance_uid": made.sop_instance_uid,
        "sha256": sha256(made.encoded).hexdigest(),
        "bytes": len(made.encoded),
        "to": list(to),
    }


def _uids(task: Task) -> list[str]:
    return sorted(reference.sop_instance_uid for reference in task.setting.predecessors.values())


def _earlier(setting: Setting) -> dict[str, Any]:
    """What earlier versions had sent when this one was answered: what becomes of that later is another matter."""
    return {
        "predecessors": {role: _reference(one) for role, one in setting.predecessors.items()},
        "superseded": [_reference(one) for one in setting.left.objects],
        "held_by": {uid: sorted(names) for uid, names in setting.left.held_by.items()},
        "of_another": setting.left.of_another,
    }


def _reference(one: Reference) -> list[str]:
    return [one.sop_class_uid, one.sop_instance_uid, one.study_instance_uid, one.series_instance_uid]


def earlier_of(lineage: Mapping[str, Any]) -> tuple[dict[str, Reference], Left]:
    """Return what a version named as its predecessors when it was answered, by role, and what it superseded.

    Raises
    ------
    Permanent
        If the lineage was kept before that was part of it.
    """
    if "earlier" not in lineage:
        raise Permanent("what it superseded was not kept: an earlier version of Sentinode answered it")
    kept = lineage["earlier"]
    predecessors = {role: Reference(*uids) for role, uids in kept["predecessors"].items()}
    held_by = {uid: frozenset(names) for uid, names in kept.get("held_by", {}).items()}  # none before it was kept
    return predecessors, Left(tuple(Reference(*uids) for uids in kept["superseded"]), held_by, kept["of_another"])


def _images(task: Task, result: Result, roles: RoleTable) -> list[dict[str, Any]]:
    """Every instance of the version in its order; neighbours of whom the same is said stand in one group."""
    used = {instance.sop_instance_uid for instance in result.used}
    reasons = {left.what: left.reason for left in result.left_out}
    said: list[tuple[dict[str, Any], dict[str, str]]] = []
    for instance in (one.instance for one in task.stored):
        uid = instance.sop_instance_uid
        reason = "" if uid in used else reasons.get(uid, NOT_LOOKED_AT)
        said.append((_kind(instance, roles, reason), _bytes(instance)))
    return [{**kind, "instances": [one for _, one in group]} for kind, group in groupby(said, key=lambda pair: pair[0])]


def _kind(instance: Instance, roles: RoleTable, left_out: str) -> dict[str, Any]:
    verdict = roles.verdict(instance)
    return {
        "study_instance_uid": instance.study_instance_uid,
        "series_instance_uid": instance.series_instance_uid,
        "acquired_on": instance.acquired_on.isoformat() if instance.acquired_on else None,
        "modality": instance.modality,
        "laterality": instance.laterality,
        "view_position": instance.view_position,
        "role": verdict.role,
        "rule": verdict.rule,
        "left_out": left_out,
        "barred": instance.barred,
    }


def _bytes(instance: Instance) -> dict[str, str]:
    return {name: getattr(instance, name) for name in ("sop_instance_uid", "sha256", "pixels_sha256")}


def _facts(task: Task, result: Result) -> list[dict[str, str]]:
    known = task.asked.facts.facts
    rows = []
    for name in result.facts_used:
        fact = known[BIRTH_DATE if name == AGE else name]
        value = keyed_digest(task.setting.installation, name, type(fact.value).__name__, str(fact.value))
        rows.append({"name": name, "known_on": fact.known_on.isoformat(), "source": fact.source, "value_digest": value})
    return rows


def _facts_left_out(task: Task, result: Result) -> list[dict[str, str]]:
    """What was left out and is no object: neither an image of the version nor one that arrived damaged."""
    objects = {one.instance.sop_instance_uid for one in task.stored} | {left.what for left in task.setting.damaged}
    return [{"name": left.what, "reason": left.reason} for left in result.left_out if left.what not in objects]
