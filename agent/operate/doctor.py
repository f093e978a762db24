"""What the hospital says of one patient, fact by fact, and what would come of it. It holds values: show, never log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from agent.assemble.findings import write_findings
from agent.core.clinical import ClinicalFacts, Fact
from agent.core.eligibility import Eligibility, assess
from agent.core.facts import FACTS
from agent.core.manifest import BundleManifest
from agent.core.patient import PatientKey
from agent.infer.inputs import CLINICAL
from agent.infer.question import read_findings
from agent.preprocess.tabular import AGE, BIRTH_DATE, encode

TAKEN, REFUSED, MISSING = "taken", "refused", "missing"
DEMONSTRATION: Final = "no estimate: a demonstration model never answers for a real patient"
NOT_SENT: Final = "silent: send_research is not set, so its results are not sent"
ANSWERS: Final = "answers"


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact of the dictionary, or a column that is none."""

    name: str
    value: str | int | float | bool | None
    unit: str
    known_on: str
    source: str
    verdict: str  # TAKEN, REFUSED or MISSING
    reason: str


@dataclass(frozen=True, slots=True)
class BundleLine:
    """What one configured bundle would do for this patient."""

    bundle: str
    question: str
    would: str  # whether it speaks at all, and why not
    used: tuple[str, ...]  # the facts that it would get
    facts: int  # how many it can use
    missing: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]  # name, reason
    unusual: tuple[str, ...]  # outside its training range, or a value that it does not know
    images: tuple[str, ...]  # modalities that it can use
    required: tuple[str, ...]  # without these: no estimate


@dataclass(frozen=True, slots=True)
class Bundle:
    """A configured bundle: what its manifest says and for whom the site lets it answer; or why it cannot be read."""

    name: str
    manifest: BundleManifest | None
    demo_issuers: frozenset[str] = frozenset()
    send_research: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EhrExamination:
    """Everything that `sentinode doctor ehr` says."""

    patient_id: str
    issuer: str
    as_of: datetime
    known: bool
    facts: tuple[FactLine, ...]
    asked: bool
    reason: str
    axillae: tuple[tuple[str, str], ...]  # side, why there is no estimate; empty: there may be one
    cutoff: str
    flags: tuple[str, ...]
    bundles: tuple[BundleLine, ...]


def examine(
    facts: ClinicalFacts | None,
    patient: PatientKey,
    bundles: Sequence[Bundle],
    *,
    as_of: datetime,
    today: date,
    episode: timedelta,
) -> EhrExamination:
    """Say what is known of a patient, whether the question applies, and what each bundle would do.

    Parameters
    ----------
    facts
        What the clinical database gives; None where it does not know the patient.
    patient
        Who was asked about.
    bundles
        In the order of the configuration.
    as_of
        The moment of the question.
    today
        Its day at the site.
    episode
        How far from the diagnosis images and treatments are of this cancer.
    """
    eligibility = assess("aln", facts, today, episode=episode)
    return EhrExamination(
        patient_id=patient.patient_id,
        issuer=patient.issuer,
        as_of=as_of,
        known=facts is not None,
        facts=fact_lines(facts) if facts else (),
        asked=eligibility.asked,
        reason=eligibility.reason,
        axillae=tuple((axilla.side.value, axilla.reason) for axilla in eligibility.axillae),
        cutoff=f"{eligibility.cutoff} ({eligibility.cutoff_by})" if eligibility.cutoff else "",
        flags=eligibility.flags,
        bundles=bundle_lines(facts, eligibility, patient, bundles, as_of=as_of, today=today) if facts else (),
    )


def fact_lines(facts: ClinicalFacts) -> tuple[FactLine, ...]:
    """Go through the dictionary, and then through what was refused and is in no dictionary."""
    reasons = {refusal.name: refusal.reason for refusal in facts.refused}
    lines = [_fact_line(name, facts.facts.get(name), reasons.get(name, "")) for name in FACTS]
    return (*lines, *(_fact_line(name, None, reason) for name, reason in reasons.items() if name not in FACTS))


def _fact_line(name: str, fact: Fact | None, reason: str) -> FactLine:
    unit = FACTS[name].unit if name in FACTS else ""
    if fact is None:
        return FactLine(name, None, unit, "", "", REFUSED if reason else MISSING, reason)
    value = fact.value.isoformat() if isinstance(fact.value, date) else fact.value
    return FactLine(name, value, unit, fact.known_on.isoformat(), fact.source, TAKEN, "")


def bundle_lines(
    facts: ClinicalFacts,
    eligibility: Eligibility,
    patient: PatientKey,
    bundles: Sequence[Bundle],
    *,
    as_of: datetime,
    today: date,
) -> tuple[BundleLine, ...]:
    """Say of each bundle what it would get, by the way that a case's facts go, and whether it would speak."""
    given = read_findings(write_findings(eligibility, facts, asked_at=as_of, day=today)).facts
    lines: list[BundleLine] = []
    for bundle in bundles:
        if bundle.manifest is None:
            lines.append(BundleLine(bundle.name, "", bundle.problem, (), 0, (), (), (), (), ()))
            continue
        speaks = next(
            (one.bundle for one in lines if one.would == ANSWERS and one.question == bundle.manifest.question), ""
        )
        would = f"silent: {speaks} answers before it" if speaks else _would(bundle, bundle.manifest, patient)
        lines.append(_bundle_line(bundle.manifest, given, would, as_of.date()))
    return tuple(lines)


def _would(bundle: Bundle, manifest: BundleManifest, patient: PatientKey) -> str:
    if manifest.is_demonstration:
        return ANSWERS if patient.issuer in bundle.demo_issuers else DEMONSTRATION
    return ANSWERS if bundle.send_research else NOT_SENT


def _bundle_line(manifest: BundleManifest, given: ClinicalFacts, would: str, on: date) -> BundleLine:
    encoded = encode(given, manifest.facts, on)
    names = {spec.name: BIRTH_DATE if spec.name == AGE else spec.name for spec in manifest.facts}
    reasons = {refusal.name: refusal.reason for refusal in given.refused}
    absent = [name for name in names if name not in encoded.used and name not in encoded.unusual]
    return BundleLine(
        bundle=f"{manifest.name} {manifest.version}",
        question=manifest.question,
        would=would,
        used=encoded.used,
        facts=len(manifest.facts),
        missing=tuple(name for name in absent if names[name] not in reasons),
        left_out=tuple((name, reasons[names[name]]) for name in absent if names[name] in reasons),
        unusual=encoded.unusual,
        images=tuple(modality for modality in manifest.modalities if modality != CLINICAL),
        required=manifest.required,
    )
