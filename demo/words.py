"""Words that the demo's table and page share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from agent.report.figures import written
from agent.report.words import capital, fact
from demo.outcome import Outcome, Version

DISCLAIMER: Final = "Research software. Not cleared or CE-marked. Not for clinical use."
MODALITIES: Final = {
    "clinical": "clinical facts",
    "MG": "mammography",
    "US": "ultrasound",
    "MR": "MRI",
    "CT": "CT",
    "prior": "starting point",
}
IMAGES: Final = {"MG": "mammogram", "US": "ultrasound image", "MR": "MR image", "CT": "CT image"}
SIDES: Final = {"L": "left", "R": "right"}


def share(probability: float) -> str:
    """Return a probability as the reports write it."""
    return f"{written(probability)} %"


def interval(answer: Mapping[str, Any]) -> str:
    """Return the 95 % interval of an estimate."""
    return f"{written(answer['low'])} to {written(answer['high'])} %"


def seconds(span: float | None) -> str:
    """Return a span as a table prints it."""
    return "-" if span is None else f"{span:.1f} s"


def inputs(codes: Iterable[str], none: str = "-") -> str:
    """Name modalities in words."""
    return ", ".join(MODALITIES.get(code, code) for code in codes) or none


def facts(version: Version) -> str:
    """Name the clinical facts that an answer rests on."""
    return ", ".join(fact(name) for name in version.summary.get("facts_used", ())) or "none"


def state(version: Version) -> str:
    """Say in which state a version ended, and why."""
    return ". ".join(capital(str(version.case[name])) for name in ("state", "reason") if version.case[name])


def holds(version: Version) -> list[str]:
    """Say what a version was held for, and who decided what."""
    return [f"{capital(why).rstrip('.')} → {decided or 'nobody has decided yet'}" for why, decided in version.holds]


def no_estimate(answer: Mapping[str, Any]) -> str:
    """Say why there is no number."""
    return f"No estimate. {capital(str(answer['reason'])).rstrip('.')}"


def no_answer(outcome: Outcome) -> str:
    """Say why nothing was answered: what the case waits for, or what became of the images."""
    if outcome.versions:
        return state(outcome.versions[-1])
    reasons = Counter(reason for _, reason in outcome.ends.values())
    return "; ".join(f"{n} images {reason}" for reason, n in reasons.items()) or "no image arrived"


def left_out(outcome: Outcome, version: Version | None) -> list[str]:
    """Say which images and facts were not used, and why, alike ones together."""
    why = {uid: reason for uid, (end, reason) in outcome.ends.items() if end != "collected"}
    if version is not None:
        why |= {str(row["sop_instance_uid"]): str(row["left_out"]) for row in version.instances if row["left_out"]}
    counted = Counter((str(outcome.patient.sent[uid].Modality), why[uid]) for uid in outcome.patient.sent if uid in why)
    facts = [item for item in (version.summary.get("left_out", ()) if version else ()) if item["what"] not in why]
    return [
        *(f"{n} {IMAGES[code]}{'s' if n > 1 else ''}: {reason}" for (code, reason), n in counted.items()),
        *(f"{fact(str(item['what']))}: {item['reason']}" for item in facts if not _is_uid(item["what"])),
    ]


def studies(outcome: Outcome) -> Sequence[tuple[str, int]]:
    """Modality and number of images of each study that was sent, in the order of their days."""
    return list(Counter(str(ds.Modality) for ds in outcome.patient.sent.values()).items())


def _is_uid(what: str) -> bool:
    return what.replace(".", "").isdigit()
