"""Every sentence that a reader sees, in English."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Permanent
from agent.core.prediction import Answer, Category, Estimate, NoEstimate, OperatingPoint, Side
from agent.core.result import Influence, ModelIdentity, Result
from agent.report.contributions import Part
from agent.report.figures import interval, predictive_values, written

DISCLAIMER: Final = "Research software. Not cleared or CE-marked. Not for clinical use."
SHORT_DISCLAIMER: Final = "NOT FOR CLINICAL USE"
DEMONSTRATION: Final = "Demonstration model trained on synthetic patients."
SYNTHETIC_ONLY: Final = "A demonstration model is for synthetic patients only: it gives no estimate for a real one."
NOT_A_FINDING: Final = (
    "An estimate of risk is not a finding of disease; it replaces neither biopsy nor the radiologist's report."
)
NOT_AN_OUTLINE: Final = "A region of influence is not the outline of a lesion."
INTERVAL: Final = (
    "The interval covers the model's uncertainty given the inputs above, not what missing inputs would have shown."
)
CONTRIBUTIONS: Final = (
    "What an input contributed depends on which other inputs are there: contributions and starting points of versions "
    "with different inputs cannot be compared."
)
NO_INFLUENCE: Final = "No image influenced this estimate."
LEGEND: Final = "relative influence in this image (not the outline of a lesion)"
LEGEND_LOW, LEGEND_HIGH = "low", "high"
MOVED: Final = "What moved this estimate"
LOWERED, RAISED, ODDS = "lowered", "raised", "odds"
NO_ESTIMATE: Final = "no estimate"
AI_INFLUENCE: Final = "AI influence"
NEGLIGIBLE: Final = 0.1  # logit: a smaller contribution has no direction to speak of

SIDES: Final[Mapping[str, str]] = {"L": "LEFT", "R": "RIGHT"}
MODALITIES: Final[Mapping[str, str]] = {
    "MG": "mammography",
    "US": "ultrasound",
    "MR": "MRI",
    "SM": "histology",
    "clinical": "clinical facts",
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
VIEWS: Final[Mapping[str, str]] = {"MG": "Mammogram", "US": "Ultrasound", "MR": "MRI"}
BREAST: Final = "breast"
NO_VIEW: Final = "view unknown"
_CODE: Final = re.compile(r"\b(MG|US|MR|SM)\b(?!-\d)")  # not the name of a rule, as MG-3


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
    """Return the name of an input, as it stands within a sentence."""
    return MODALITIES.get(code, code)


def heading(code: str) -> str:
    """Return the name of an input, as it begins a line."""
    return capital(modality(code))


def capital(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def plain(sentence: str) -> str:
    """Write the modalities that a sentence of another room names by their codes as words."""
    named = _CODE.sub(lambda found: MODALITIES[found[0]], sentence)
    return capital(named) if sentence[:1].isupper() else named


def images(modality: str, count: int) -> str:
    """Count images of a modality: "1 mammogram", "2 MR images"."""
    return f"{count} {IMAGES.get(modality, 'image')}{'s' if count != 1 else ''}"


def axilla(side: Side | None) -> str:
    """Return the name of an axilla."""
    return f"{SIDES[side]} axilla" if side else "Side unknown"


def breast(side: str) -> str:
    """Return the name of a breast, as it stands over its half of an image."""
    return f"{SIDES[side]} breast"


def answer(given: Answer, event: str) -> str:
    """Return the answer for one axilla; pictures, text and SR take their number from the same value."""
    if isinstance(given, NoEstimate):
        return f"{axilla(given.side)}: {NO_ESTIMATE}. Reason: {reason(given)}"
    return (
        f"{axilla(given.side)}: probability of {event} {written(given.probability)} % "
        f"(95 % CI {interval(given)} %), {given.category}."
    )


def reason(given: NoEstimate) -> str:
    """Return why there is no estimate, as a sentence."""
    return f"{plain(given.reason).rstrip('.')}."


def range_of(given: Estimate, event: str) -> str:
    """Say what the number is, and its interval."""
    return f"probability of {event} (95 % CI {interval(given)} %)"


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
    given = [modality(name) for name in point.inputs.split("+")] if point.inputs else ["everything"]
    return (
        f"which had sensitivity {point.sensitivity:.2f} and specificity {point.specificity:.2f} "
        f"on validation patients, given {listed(given)}"
    )


def at_prevalence(given: Estimate, points: Sequence[OperatingPoint], prevalence: float) -> list[str]:
    """Say what the thresholds are worth for an axilla at the site's prevalence."""
    lines = []
    for point in points:
        npv, ppv = predictive_values(point, prevalence)
        lines.append(
            f"{axilla(given.side)}: at the site's prevalence of {written(prevalence)} % "
            f"the threshold of {written(point.threshold)} % has NPV {npv:.3f} and PPV {ppv:.3f}."
        )
    return lines


def contribution(given: Estimate, part: Part) -> str:
    """Say what one input did to an estimate."""
    figures = "" if part.log_odds is None else f", odds x {part.factor} (log-odds {part.log_odds:+.2f})"
    return f"{axilla(given.side)}, {modality(part.input)}: {part.effect}{figures}."


def starting_point(share: float) -> str:
    """Say where the contributions start from; which inputs are there changes it."""
    return f"Starting point with these inputs: {written(share)} %"


def view(kind: str, side: str, part: str, *, series: int = 0, number: int = 0) -> str:
    """Name a source image without its free text: "Mammogram, left MLO", "MRI, left breast, series 4, image 5".

    Parameters
    ----------
    kind, side
        Modality; L or R, else both breasts.
    part
        View position, or the part of the body.
    series, number
        Series Number and Instance Number; 0 where they would not help.
    """
    places = (f"series {series}" if series else "", f"image {number}" if number else "")
    return ", ".join(filter(None, (VIEWS.get(kind, "Image"), place(side, part), *places)))


def place(side: str, part: str) -> str:
    """Name what an image shows by its side and its view or part of the body: "left MLO"; empty if nothing is known."""
    return " ".join(filter(None, (Side(side).word if side in tuple(Side) else "", part)))


def effect(influence: Influence, whole: float) -> str:
    """Say which way one image moved the estimate, where its modality's bar says the same.

    What several inputs say together is divided among them: alone, an image's part of it may have the other sign.

    Parameters
    ----------
    influence
        Of the image.
    whole
        What its modality contributed, logit.
    """
    raised = influence.contribution > 0
    if raised != (whole > 0) or not is_notable(influence) or abs(whole) < NEGLIGIBLE:
        return AI_INFLUENCE
    return f"{AI_INFLUENCE}: estimate {RAISED if raised else LOWERED}"


def influence_on(short: str, side: Side) -> str:
    """Say, beside a region, what lies in it: what influenced an axilla's risk, be it of the breast or of the axilla."""
    return f"{AI_INFLUENCE} on {side} {short} risk"


def is_notable(influence: Influence) -> bool:
    """Whether what an image contributed is worth a word."""
    return abs(influence.contribution) >= NEGLIGIBLE


def listed(names: Sequence[str], none: str = "none") -> str:
    """Join names with commas."""
    return ", ".join(names) or none


def fact(name: str) -> str:
    """Return a clinical fact as a reader knows it."""
    return FACTS.get(name, name.replace("_mm", "").replace("_percent", "").replace("_", " "))


def made_by(product: str, version: str, result: Result) -> str:
    """Name the software, the model and the version of the result."""
    return f"{product} {version}, model {result.model.name} {result.model.version}, result version {result.version}"


def supersedes(result: Result) -> str:
    """Say what a later version stands in place of, and what is new in it; empty for the first."""
    if result.version == 1 or not result.predecessors:
        return ""
    before = "version 1" if result.version == 2 else "every earlier version"
    new = f" New since then: {listed([modality(m) for m in result.new_inputs])}." if result.new_inputs else ""
    return f"This result, version {result.version}, supersedes {before}.{new}"


def training(model: ModelIdentity, *, with_figures: bool) -> list[str]:
    """Say what the model learnt from; a report without an estimate holds no figures at all."""
    learnt = f"Trained on: {model.training_summary.rstrip('.')}."
    prevalence = f" Prevalence there: {written(model.training_prevalence)} %."
    return [
        *demonstration(model, answers=with_figures),
        learnt + prevalence if with_figures else learnt,
    ]


def demonstration(model: ModelIdentity, *, answers: bool) -> list[str]:
    """Say that a model is a demonstration, and where it gave no estimate, for whom it is not."""
    if not is_demonstration(model):
        return []
    return [DEMONSTRATION] if answers else [DEMONSTRATION, SYNTHETIC_ONLY]


def is_demonstration(model: ModelIdentity) -> bool:
    """Whether the model was trained on synthetic patients."""
    return model.intended_use == "demonstration"
