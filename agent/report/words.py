"""Every sentence that a reader sees, in English."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Permanent
from agent.core.prediction import Answer, Category, Estimate, NoEstimate, OperatingPoint, Side
from agent.core.result import Influence, LeftOut, ModelIdentity, Result
from agent.report.figures import interval, predictive_values, written

DISCLAIMER: Final = "Research software. Not cleared or CE-marked. Not for clinical use."
SHORT_DISCLAIMER: Final = "NOT FOR CLINICAL USE"
DEMONSTRATION: Final = "Demonstration model trained on synthetic patients."
NOT_A_FINDING: Final = (
    "An estimate of risk is not a finding of disease; it replaces neither biopsy nor the radiologist's report."
)
NOT_AN_OUTLINE: Final = "A region of influence is not the outline of a lesion."
INTERVAL: Final = (
    "The interval covers the model's uncertainty given the inputs above, not what missing inputs would have shown."
)
NO_INFLUENCE: Final = "No image influenced this estimate."
LEGEND: Final = "relative influence on the estimate (not the outline of a lesion)"
LEGEND_LOW, LEGEND_HIGH = "low", "high"
OVERLAY, ORIGINAL = "AI influence", "Source image"

SIDES: Final[Mapping[str, str]] = {"L": "LEFT", "R": "RIGHT"}
MODALITIES: Final[Mapping[str, str]] = {
    "MG": "Mammography",
    "US": "Ultrasound",
    "MR": "MRI",
    "SM": "Histology",
    "clinical": "Clinical facts",
}
FACTS: Final[Mapping[str, str]] = {
    "size_ultrasound_mm": "size on ultrasound",
    "size_mammography_mm": "size on mammography",
    "size_mri_mm": "size on MRI",
    "size_palpation_mm": "size on palpation",
    "size_pathology_mm": "size in pathology",
    "ki67_percent": "Ki-67",
    "er_percent": "ER",
    "pr_percent": "PR",
    "er": "ER",
    "pr": "PR",
    "her2": "HER2",
    "clinical_t": "cT",
    "clinical_n": "cN",
    "clinical_m": "cM",
    "multifocal": "multifocality",
    "palpable_tumour": "palpability",
}
"""Names of facts where the column's name would read badly."""
IMAGES: Final[Mapping[str, str]] = {"MG": "mammogram", "US": "ultrasound image", "MR": "MR image"}


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """How one question is put."""

    short: str
    asked: str
    event: str


QUESTIONS: Final[Mapping[str, QuestionWords]] = {
    "aln": QuestionWords(
        short="ALN",
        asked="How likely are the axillary lymph nodes metastatic, before surgery and before any systemic therapy?",
        event="nodal metastasis",
    ),
}


def question_words(question: str) -> QuestionWords:
    """Return the words of a question.

    Raises
    ------
    Permanent
        If no report is written for it.
    """
    try:
        return QUESTIONS[question]
    except KeyError:
        raise Permanent(f"no report is written for the question {question!r}") from None


def modality(code: str) -> str:
    """Return the name of an input."""
    return MODALITIES.get(code, code)


def axilla(side: Side | None) -> str:
    """Return the name of an axilla."""
    return f"{SIDES[side]} axilla" if side else "Side unknown"


def answer(given: Answer, event: str) -> str:
    """Return the answer for one axilla; pictures, text and SR take their number from the same value."""
    if isinstance(given, NoEstimate):
        return f"{axilla(given.side)}: no estimate. Reason: {given.reason.rstrip('.')}."
    return (
        f"{axilla(given.side)}: probability of {event} {written(given.probability)} % "
        f"(95 % CI {interval(given)} %), {given.category}."
    )


def category(given: Estimate, points: Sequence[OperatingPoint]) -> str:
    """Say what the category means: between which thresholds the probability lies."""
    by_name = {p.name: p for p in points}
    low, high = by_name.get("low"), by_name.get("high")
    if given.category is Category.LOW and low:
        return f"LOW: below the threshold of {written(low.threshold)} %, {_performance(low)}."
    if given.category is Category.HIGH and high:
        return f"HIGH: at or above the threshold of {written(high.threshold)} %, {_performance(high)}."
    bounds = [
        f"{'not below' if p is low else 'below'} the threshold of {written(p.threshold)} %, {_performance(p)}"
        for p in (low, high)
        if p
    ]
    return f"{given.category}: {'; '.join(bounds) or 'no threshold is given'}."


def _performance(point: OperatingPoint) -> str:
    return (
        f"which had sensitivity {point.sensitivity:.2f} and specificity {point.specificity:.2f} on validation patients"
    )


def at_prevalence(points: Sequence[OperatingPoint], prevalence: float) -> list[str]:
    """Say what the thresholds are worth at the site's prevalence."""
    lines = []
    for point in points:
        npv, ppv = predictive_values(point, prevalence)
        lines.append(
            f"At the site's prevalence of {written(prevalence)} % the threshold of {written(point.threshold)} % "
            f"has NPV {npv:.3f} and PPV {ppv:.3f}."
        )
    return lines


def contributions(given: Estimate) -> str:
    """Say what each input added to the estimate."""
    names = {"prior": "starting point"}
    parts = [f"{names.get(name, modality(name))} {value:+.2f}" for name, value in given.contributions.items()]
    return f"{axilla(given.side)}, contributions in log-odds: {listed(parts)}."


def view(kind: str, side: str, view_position: str) -> str:
    """Name a source image without its free text: "L MLO mammogram"."""
    return " ".join(filter(None, (side, view_position, IMAGES.get(kind, "image"))))


def effect(influence: Influence) -> str:
    """Say which way one image moved the estimate."""
    if influence.contribution == 0:
        return "This image did not move the estimate."
    return f"This image {'raised' if influence.contribution > 0 else 'lowered'} the estimate."


def listed(names: Sequence[str], none: str = "none") -> str:
    """Join names with commas."""
    return ", ".join(names) or none


def images_used(result: Result) -> str:
    """Count the images given to the model."""
    counts = Counter(i.modality for i in result.used)
    studies = len({i.study_instance_uid for i in result.used})
    named = listed([f"{modality(m)} ({n} image{'s' if n > 1 else ''})" for m, n in counts.items()])
    return f"Images used: {named}{f', from {studies} studies' if studies > 1 else ''}."


def missing(result: Result) -> str:
    """Say which inputs were not there."""
    return f"Not available: {listed([modality(m) for m in result.modalities_missing])}."


def left_out(items: Sequence[LeftOut]) -> list[str]:
    """Say what was there and not used: images counted by reason, facts by name."""
    images = Counter(item.reason.rstrip(".") for item in items if _is_uid(item.what))
    facts = [f"{fact(item.what)} ({item.reason.rstrip('.')})" for item in items if not _is_uid(item.what)]
    return [
        *(f"Not used: {n} image{'s' if n > 1 else ''}, {reason}." for reason, n in images.items()),
        *([f"Clinical facts not used: {listed(facts)}."] if facts else []),
    ]


def _is_uid(what: str) -> bool:
    return what.replace(".", "").isdigit()


def fact(name: str) -> str:
    """Return a clinical fact as a reader knows it."""
    return FACTS.get(name, name.replace("_mm", "").replace("_percent", "").replace("_", " "))


def made_by(product: str, version: str, result: Result) -> str:
    """Name the software, the model and the version of the result."""
    return f"{product} {version}, model {result.model.name} {result.model.version}, result version {result.version}"


def training(model: ModelIdentity, *, with_figures: bool) -> list[str]:
    """Say what the model learnt from; a report without an estimate holds no figures at all."""
    learnt = f"Trained on: {model.training_summary.rstrip('.')}."
    prevalence = f" Prevalence there: {written(model.training_prevalence)} %."
    return [
        *([DEMONSTRATION] if is_demonstration(model) else []),
        learnt + prevalence if with_figures else learnt,
    ]


def is_demonstration(model: ModelIdentity) -> bool:
    """Whether the model was trained on synthetic patients."""
    return model.intended_use == "demonstration"
