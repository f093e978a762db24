"""What an answer rests on, in one digest: while it stays the same, so would the answer."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final

from agent.assemble.judging import QuestionScope
from agent.core.clinical import ClinicalFacts
from agent.core.eligibility import Eligibility
from agent.core.facts import about_patient, in_time
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance
from agent.core.usable import Window, unusable

BREAST_IMAGES: Final = frozenset({"MG", "US", "MR"})


def window_of(eligibility: Eligibility) -> Window:
    """Return the days whose images count."""
    return Window(eligibility.earliest, eligibility.cutoff, eligibility.latest)


def counts(instance: Instance, eligibility: Eligibility) -> bool:
    """Whether an image can bear on the answer: one of the breast must be of a side that is open, and in time."""
    if instance.modality not in BREAST_IMAGES:
        return not instance.barred
    return not unusable(instance, eligibility.open_sides, window_of(eligibility))


def basis(
    patient: PatientKey,
    eligibility: Eligibility,
    facts: ClinicalFacts | None,
    stored: Sequence[StoredInstance],
    scope: QuestionScope,
) -> str:
    """Return the digest of what the answer to a question rests on.

    That is: who is asked about, since a result under a retired Patient ID is to be replaced; of which axillae there may
    be an estimate, else why not, and the flags. Where there may be one, also the images that count and the values of
    the facts that an active model reads, pre-operative ones only. When a fact became known is not part of it.
    """
    parts: dict[str, Any] = {
        "patient": [patient.issuer, patient.patient_id],
        "reason": eligibility.reason,
        "axillae": [[axilla.side, axilla.reason] for axilla in eligibility.axillae],
        "flags": list(eligibility.flags),
    }
    if eligibility.open_sides or not (eligibility.axillae or eligibility.reason):
        parts["images"] = sorted(
            [one.instance.sop_instance_uid, one.instance.sha256]
            for one in stored
            if one.instance.modality in scope.modalities and counts(one.instance, eligibility)
        )
        parts["facts"] = _values(eligibility, facts or ClinicalFacts(), scope)
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _values(eligibility: Eligibility, facts: ClinicalFacts, scope: QuestionScope) -> Mapping[str, Any]:
    known = in_time(facts, eligibility.facts_cutoff, after_surgery=eligibility.after_surgery)
    if len(eligibility.axillae) > 1:
        known = about_patient(known)
    values = {name: fact.value for name, fact in known.facts.items() if name in scope.facts}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
