"""Every sentence that a report makes itself, in its language: what the answer is, what it means, what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from agent.core.prediction import Answer, Category, Estimate, NoEstimate, OperatingPoint, Side
from agent.core.result import Influence, ModelIdentity, Result
from agent.report.catalogue import CODE, Language, catalogue
from agent.report.catalogue import marked as _
from agent.report.contributions import Part, prevalence_shift
from agent.report.figures import factor, predictive_values
from agent.report.names import capital, fact
from agent.report.questions import QuestionWords, question_words
from agent.report.stored import StoredWords

__all__ = ["DISCLAIMER", "SHORT_DISCLAIMER", "Language", "Words", "capital", "fact", "question_words"]

DISCLAIMER: Final = _("Research software. Not cleared or CE-marked. Not for clinical use.")
SHORT_DISCLAIMER: Final = _("NOT FOR CLINICAL USE")
DEMONSTRATION: Final = _("Demonstration model trained on synthetic patients.")
SYNTHETIC_ONLY: Final = _("A demonstration model is for synthetic patients only: it gives no estimate for a real one.")
NOT_A_FINDING: Final = _(
    "An estimate of risk is not a finding of disease; it replaces neither biopsy nor the radiologist's report."
)
NOT_AN_OUTLINE: Final = _("A region of influence is not the outline of a lesion.")
INTERVAL: Final = _(
    "The interval covers the model's uncertainty given the inputs above, not what missing inputs would have shown."
)
CONTRIBUTIONS: Final = _(
    "What an input contributed depends on which other inputs are there: contributions and starting points of versions "
    "with different inputs cannot be compared."
)
NO_INFLUENCE: Final = _("No image influenced this estimate.")
NO_ESTIMATE: Final = _("no estimate")
AI_INFLUENCE: Final = _("AI influence")
RAISED, LOWERED = _("AI influence: estimate raised"), _("AI influence: estimate lowered")
NEGLIGIBLE: Final = 0.1  # logit: a smaller contribution has no direction to speak of
CATEGORIES: Final[Mapping[Category, str]] = {
    Category.LOW: _("LOW"),
    Category.NOT_LOW: _("NOT LOW"),
    Category.HIGH: _("HIGH"),
}
_BELOW: Final = _("below the threshold of {threshold} %, {performance}")
BOUNDS: Final[Mapping[tuple[Category, str], str]] = {
    (Category.LOW, "low"): _BELOW,
    (Category.NOT_LOW, "low"): _("not below the threshold of {threshold} %, {performance}"),
    (Category.NOT_LOW, "high"): _BELOW,
    (Category.HIGH, "high"): _("at or above the threshold of {threshold} %, {performance}"),
}
"""Which thresholds a category lies between, by their names."""


def influence_on(short: str, side: Side) -> str:
    """Say, beside a region, what lies in it: what influenced an axilla's risk. In English, as all of that document."""
    return f"{AI_INFLUENCE} on {side} {short} risk"


def is_notable(influence: Influence) -> bool:
    """Whether what an image contributed is worth a word."""
    return abs(influence.contribution) >= NEGLIGIBLE


def is_demonstration(model: ModelIdentity) -> bool:
    """Whether the model was trained on synthetic patients."""
    return model.intended_use == "demonstration"


@dataclass(frozen=True)
class Words(StoredWords):
    """What the report on one question says, in one language and the site's time zone."""

    question: QuestionWords

    @classmethod
    def of(cls, question: str, language: Language = Language.ENGLISH, zone: tzinfo = UTC) -> "Words":
        """Return the words of a question.

        Raises
        ------
        Permanent
            If no report is written for it.
        """
        return cls(catalogue(language), zone, question_words(question))

    @property
    def short(self) -> str:
        """The question in a few letters, the same in every language: viewers and their users look for it."""
        return self.question.short

    @property
    def asked(self) -> str:
        """The question as a sentence."""
        return self.gettext(self.question.asked)

    @property
    def event(self) -> str:
        """What has the probability."""
        return self.gettext(self.question.event)

    @property
    def disclaimer(self) -> str:
        """What stands above and below every picture and on every page."""
        return self.gettext(DISCLAIMER)

    def series(self, version: int, label: str) -> str:
        """Return the description of a series, 64 characters at most; `label` is a word, behind its side if it has one.

        Viewers cut it after some 20 characters: version and side come before that.
        """
        side = label[:2] if label[:2] in ("L ", "R ") else ""
        named = side + self.gettext(label.removeprefix(side))
        return f"AI {self.short} risk v{version} {named} - {self.gettext(SHORT_DISCLAIMER)}"

    def content_of_region(self, side: Side) -> str:
        """Say what lies in a region, in 64 characters at most."""
        return f"{influence_on(self.short, side)}. {self.gettext(SHORT_DISCLAIMER)}"

    def meaning(self, meaning: str) -> str:
        """Return the meaning of a code."""
        return self.catalogue.text(meaning, CODE)

    def event_means(self, label: str) -> str:
        """Say what counts as the event, by the bundle's own label."""
        return self.gettext(self.question.label, label=self.stored(label.rstrip(".")))

    def category(self, category: Category) -> str:
        """Return the name of a category."""
        return self.gettext(CATEGORIES[category])

    def answer(self, given: Answer) -> str:
        """Return the answer for one axilla; pictures, text and SR take their number from the same value."""
        if isinstance(given, NoEstimate):
            axilla, reason = self.axilla(given.side), self.reason(given)
            return self.gettext("{axilla}: no estimate. Reason: {reason}", axilla=axilla, reason=reason)
        return self.gettext(
            "{axilla}: probability of {event} {share} % (95 % CI {interval} %), {category}.",
            axilla=self.axilla(given.side),
            event=self.event,
            share=self.share(given.probability),
            interval=self.interval(given),
            category=self.category(given.category),
        )

    def conclusion(self, given: Answer) -> str:
        """Return the answer for one axilla in short."""
        if isinstance(given, NoEstimate):
            return self.gettext("{axilla}: no estimate.", axilla=self.axilla(given.side))
        axilla, category = self.axilla(given.side), self.category(given.category)
        return self.gettext("{axilla}: estimated risk is {category}.", axilla=axilla, category=category)

    def reason(self, given: NoEstimate) -> str:
        """Return why there is no estimate, as a sentence."""
        return f"{self.stored(given.reason).rstrip('.')}."

    def interval(self, estimate: Estimate) -> str:
        """Return the 95 % interval, without the unit."""
        return self.gettext("{low} to {high}", low=self.share(estimate.low), high=self.share(estimate.high))

    def range_of(self, given: Estimate) -> str:
        """Say what the number is, and its interval."""
        interval = self.interval(given)
        return self.gettext("probability of {event} (95 % CI {interval} %)", event=self.event, interval=interval)

    def explained(self, given: Estimate, points: Sequence[OperatingPoint]) -> str:
        """Say what the category means: between which thresholds the probability lies."""
        bounds = [
            self.gettext(said, threshold=self.share(point.threshold), performance=self._performance(point))
            for point in points
            if (said := BOUNDS.get((given.category, point.name)))
        ]
        said = "; ".join(bounds) or self.gettext("no threshold is given")
        return f"{self.category(given.category)}: {said}."

    def _performance(self, point: OperatingPoint) -> str:
        inputs = self.modalities(point.inputs.split("+")) if point.inputs else self.gettext("everything")
        return self.gettext(
            "which had sensitivity {sensitivity} and specificity {specificity} on validation patients, given {inputs}",
            sensitivity=self.number(point.sensitivity, ".2f"),
            specificity=self.number(point.specificity, ".2f"),
            inputs=inputs,
        )

    def at_prevalence(self, given: Estimate, points: Sequence[OperatingPoint], prevalence: float) -> list[str]:
        """Say what the thresholds are worth for an axilla at the site's prevalence."""
        lines = []
        for point in points:
            npv, ppv = predictive_values(point, prevalence)
            lines.append(
                self.gettext(
                    "{axilla}: at the site's prevalence of {prevalence} % the threshold of {threshold} % "
                    "has NPV {npv} and PPV {ppv}.",
                    axilla=self.axilla(given.side),
                    prevalence=self.share(prevalence),
                    threshold=self.share(point.threshold),
                    npv=self.number(npv, ".3f"),
                    ppv=self.number(ppv, ".3f"),
                )
            )
        return lines

    def shifted(self, result: Result) -> str:
        """Say what the site's prevalence did to every estimate; empty where none is configured."""
        shift = prevalence_shift(result)
        if shift is None or result.site_prevalence is None:
            return ""
        return self.gettext(
            "Probabilities and thresholds are shifted from the prevalence in training, {training} %, to the site's, "
            "{site} %: odds x {factor} (log-odds {shift}).",
            training=self.share(result.model.training_prevalence),
            site=self.share(result.site_prevalence),
            factor=self.decimal(factor(shift)),
            shift=self.number(shift, "+.2f"),
        )

    def contribution(self, given: Estimate, part: Part) -> str:
        """Say what one input did to an estimate."""
        values = {"axilla": self.axilla(given.side), "input": self.modality(part.input)}
        effect = self.gettext(part.effect)
        if part.log_odds is None:
            return self.gettext("{axilla}, {input}: {effect}.", effect=effect, **values)
        return self.gettext(
            "{axilla}, {input}: {effect}, odds x {factor} (log-odds {shift}).",
            effect=effect,
            factor=self.decimal(part.factor),
            shift=self.number(part.log_odds, "+.2f"),
            **values,
        )

    def odds(self, part: Part) -> str:
        """Say beside its bar by what an input multiplied the odds."""
        return self.gettext("odds x {factor}", factor=self.decimal(part.factor))

    def starting_point(self, share: float) -> str:
        """Say where the contributions start from; which inputs are there changes it."""
        return self.gettext("Starting point with these inputs: {share} %", share=self.share(share))

    def effect(self, influence: Influence, whole: float) -> str:
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
            return self.gettext(AI_INFLUENCE)
        return self.gettext(RAISED if raised else LOWERED)

    def made_by(self, product: str, version: str, result: Result) -> str:
        """Name the software, the model and the version of the result."""
        return self.gettext(
            "{product} {software}, model {model}, result version {version}",
            product=product,
            software=version,
            model=f"{result.model.name} {result.model.version}",
            version=result.version,
        )

    def supersedes(self, result: Result) -> str:
        """Say what a later version stands in place of, and what is new in it; empty for the first."""
        if result.version == 1 or not result.predecessors:
            return ""
        later = _("This result, version {version}, supersedes every earlier version.")
        second = _("This result, version {version}, supersedes version 1.")
        said = self.gettext(second if result.version == 2 else later, version=result.version)
        if not result.new_inputs:
            return said
        new = self.gettext("New since then: {inputs}.", inputs=self.modalities(result.new_inputs))
        return f"{said} {new}"

    def training(self, model: ModelIdentity, *, with_figures: bool) -> list[str]:
        """Say what the model learnt from; a report without an estimate holds no figures at all."""
        learnt = self.gettext("Trained on: {summary}.", summary=self.stored(model.training_summary.rstrip(".")))
        prevalence = self.gettext("Prevalence there: {share} %.", share=self.share(model.training_prevalence))
        return [
            *self.demonstration(model, answers=with_figures),
            f"{learnt} {prevalence}" if with_figures else learnt,
        ]

    def demonstration(self, model: ModelIdentity, *, answers: bool) -> list[str]:
        """Say that a model is a demonstration, and where it gave no estimate, for whom it is not."""
        if not is_demonstration(model):
            return []
        return [self.gettext(said) for said in ((DEMONSTRATION,) if answers else (DEMONSTRATION, SYNTHETIC_ONLY))]
