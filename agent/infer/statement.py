"""The frozen result of a version, and the summary of it that is kept beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from agent.core.case import Case
from agent.core.eligibility_rules import is_unheard
from agent.core.instance import Instance
from agent.core.manifest import BundleManifest
from agent.core.prediction import Answer, Estimate
from agent.core.result import Influence, Kind, LeftOut, Reference, Result
from agent.infer.engine import Engine
from agent.infer.estimate import prior_shift, shifted_points
from agent.infer.inputs import CLINICAL
from agent.infer.question import Asked
from agent.infer.stranded import Stranded
from agent.infer.superseding import NOTHING_LEFT, REJECTED, Left
from agent.preprocess.tabular import AGE, BIRTH_DATE, Encoded

UNKNOWN_VALUE: Final = "a value that the model does not know"


@dataclass(frozen=True)
class Setting:
    """What every result of a version holds, whatever the answer."""

    case: Case
    installation: UUID
    made_at: datetime
    predecessors: Mapping[str, Reference]
    summary_before: Mapping[str, Any]  # of the version that they belong to, from `summarise`; empty if there is none
    site_prevalence: float | None
    left: Left = NOTHING_LEFT  # by earlier versions
    damaged: tuple[LeftOut, ...] = ()  # what could not be read when it arrived
    before: Case | None = None  # the version whose objects and summary those are
    findings: Mapping[str, Any] = field(default_factory=dict)  # as they were saved with the version
    stranded: Stranded | None = None  # of a version that only rejects


@dataclass(frozen=True)
class Outcome:
    """What the work on a version gave. Without an estimate nothing was used."""

    answers: tuple[Answer, ...]
    used: tuple[Instance, ...] = ()
    encoded: Encoded | None = None  # the facts that were given to the model
    present: frozenset[str] | None = None  # modalities at hand; None where nobody looked
    influences: tuple[Influence, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def state(setting: Setting, engine: Engine, asked: Asked, outcome: Outcome) -> Result:
    """Put together everything that is said about a version."""
    manifest, case, encoded = engine.manifest, setting.case, outcome.encoded
    used = {instance.modality for instance in outcome.used} | ({CLINICAL} if encoded and encoded.used else set())
    shift = prior_shift(setting.site_prevalence, manifest.training_prevalence)
    return Result(
        installation=setting.installation,
        case_uuid=case.case_uuid,
        version=case.version,
        question=case.question,
        patient=case.patient,
        made_at=setting.made_at,
        answers=outcome.answers,
        used=outcome.used,
        facts_used=encoded.used if encoded else (),
        modalities_used=tuple(m for m in manifest.modalities if m in used),
        modalities_missing=_missing(manifest, outcome.present),
        left_out=outcome.left_out + setting.damaged + _facts_left_out(asked, manifest, encoded),
        influences=outcome.influences,
        evidence=asked.evidence + _unusual(encoded),
        model=engine.identity,
        operating_points=shifted_points(manifest.operating_points, shift),
        predecessors=setting.predecessors,
        superseded=setting.left.objects,
        held_by=setting.left.held_by,
        was_of_another=setting.left.of_another,
        new_inputs=_new(manifest, setting.summary_before, outcome),
        site_prevalence=setting.site_prevalence,
        withdrawn=asked.withdrawn,
    )


def _missing(manifest: BundleManifest, present: frozenset[str] | None) -> tuple[str, ...]:
    return () if present is None else tuple(m for m in manifest.modalities if m not in present)


def _new(manifest: BundleManifest, before: Mapping[str, Any], outcome: Outcome) -> tuple[str, ...]:
    """Modalities of which images or facts are used that the version before did not use; empty if there is none."""
    if not before:
        return ()
    images, facts = set(before["images_used"]), set(before["facts_used"])
    new = {instance.modality for instance in outcome.used if instance.sop_instance_uid not in images}
    if outcome.encoded and set(outcome.encoded.used) - facts:
        new.add(CLINICAL)
    return tuple(m for m in manifest.modalities if m in new)


def _facts_left_out(asked: Asked, manifest: BundleManifest, encoded: Encoded | None) -> tuple[LeftOut, ...]:
    """Facts that the model could have used: refused by the EHR's rules, or of a value that it does not know.

    What may speak against an estimate and could not be read is named whatever the model uses.
    """
    names = {BIRTH_DATE if spec.name == AGE else spec.name for spec in manifest.facts}
    refused = tuple(LeftOut(r.name, r.reason) for r in asked.facts.refused if r.name in names or is_unheard(r))
    unknown = [n for n in encoded.unusual if n not in encoded.used] if encoded else []
    return refused + tuple(LeftOut(name, UNKNOWN_VALUE) for name in unknown)


def _unusual(encoded: Encoded | None) -> tuple[str, ...]:
    outside = [name for name in encoded.unusual if name in encoded.used] if encoded else []
    return (f"Outside the range of the training data: {', '.join(outside)}.",) if outside else ()


def summarise(result: Result, device: str, not_made: Mapping[Kind, str]) -> dict[str, Any]:
    """Return the JSON that status, case lists and the demo's table read. It holds no fact's value.

    Parameters
    ----------
    result, device
        What is said, and where it was computed.
    not_made
        Kinds of objects that could not be made of it, and why.
    """
    model = result.model
    return {
        "answers": [_answer(answer) for answer in result.answers],
        "modalities_used": list(result.modalities_used),
        "modalities_missing": list(result.modalities_missing),
        "facts_used": list(result.facts_used),
        "images_used": [instance.sop_instance_uid for instance in result.used],
        "left_out": [{"what": left.what, "reason": left.reason} for left in result.left_out],
        "evidence": list(result.evidence),
        "model": {
            "name": model.name,
            "version": model.version,
            "digest": model.digest,
            "intended_use": model.intended_use,
            "device": device,
        },
        "not_made": {kind.value: reason for kind, reason in not_made.items()},
        "training_prevalence": model.training_prevalence,
        "site_prevalence": result.site_prevalence,
        REJECTED: [reference.sop_instance_uid for reference in result.superseded],
        "made_at": result.made_at.isoformat(),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer, Estimate):
        return {"side": answer.side.value if answer.side else None, "reason": answer.reason}
    return {
        "side": answer.side.value,
        "probability": answer.probability,
        "low": answer.low,
        "high": answer.high,
        "category": answer.category.value,
        "contributions": dict(answer.contributions),
    }
