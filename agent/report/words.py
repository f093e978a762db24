"""Every sentence that a report makes itself, in its language: what the answer is, what it means, what it rests on."""

from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Final

from agent.core.prediction import Answer, Category, Estimate, NoEstimate, OperatingPoint, Side
from agent.core.result import Influence, ModelIdentity, Result
from agent.report.catalogue import CODE, Language, catalogue
from agent.report.catalogue import marked as _
from agent.report.contributions import PRIOR, Part
from agent.report.names import capital, fact
from agent.report.questions import QuestionWords, question_words
from agent.report.region import stands_out
from agent.report.threshold_words import CATEGORIES, ThresholdWords

__all__ = ["CATEGORIES", "DISCLAIMER", "SHORT_DISCLAIMER", "Language", "Words", "capital", "fact", "question_words"]

DISCLAIMER: Final = _("Research software. Not cleared or CE-marked. Not for clinical use.")
SHORT_DISCLAIMER: Final = _("NOT FOR CLINICAL USE")
DEMONSTRATION: Final = _("Demonstration model trained on synthetic patients.")
RESEARCH: Final = _("Model for research.")
SYNTHETIC_ONLY: Final = _("A demonstration model is for synthetic patients only: it gives no estimate for a real one.")
NOT_AN_OUTLINE: Final = _("A region of influence is not the outline of a lesion.")
INTERVAL: Final = _(
    "The interval covers the model's uncertainty given the inputs above, not what missing inputs would have shown."
)
CONTRIBUTIONS: Final = _(
    "What an input contributed depends on which other inputs are there: contributions and starting points of versions "
    "with different inputs cannot be compared."
)
NO_REGION: Final = _("No region stands out in this image")
NO_MAP: Final = _("The model gave no usable map of this image")
NO_INFLUENCE: Final = _("No image influenced this estimate.")
NO_ESTIMATE: Final = _("no estimate")
AI_INFLUENCE: Final = _("AI influence")
RAISED, LOWERED = _("AI influence: estimate raised"), _("AI influence: estimate lowered")
NEGLIGIBLE: Final = 0.1  # logit: a smaller contribution has no direction to speak of


def influence_on(short: str, side: Side) -> str:
    """Say, beside a region, what lies in it: what influenced an axilla's risk. In English, as all of that document."""
    return f"{AI_INFLUENCE} on {side} {short} risk"


def is_notable(influence: Influence) -> bool:
    """Whether what an image contributed is worth a word."""
    return abs(influence.contribution) >= NEGLIGIBLE


def _crossed(given: Estimate) -> OperatingPoint | None:
    """Return the threshold on the other side of which the interval of a LOW or HIGH estimate reaches."""
    for point in given.points:
        is_low = given.category is Category.LOW and point.name == "low" and given.high >= point.threshold
        if is_low or (given.category is Category.HIGH and point.name == "high" and given.low < point.threshold):
            return point
    return None


def is_demonstration(model: ModelIdentity) -> bool:
    """Whether the model was trained on synthetic patients."""
    return model.intended_use == "demonstration"


@dataclass(frozen=True)
class Words(ThresholdWords):
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
    def in_english(self) -> "Words":
        """The same words in English: those of the coded SR."""
        return replace(self, catalogue=catalogue(Language.ENGLISH))

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

    def answer(self, given: Answer) -> str:
        """Return the answer for one axilla; pictures, text and SR take their number from the same value."""
        if isinstance(given, NoEstimate):
            axilla, reason = self.axilla(given.side), self.reason(given)
            return self.gettext("{axilla}: no estimate. Reason: {reason}", axilla=axilla, reason=reason)
        return self.gettext(
            "{axilla}: probability of {event} {share} % (95 % CI {interval} %), {category}.",
            axilla=self.axilla(given.side),
            event=self.event,
            share=self.probability(given),
            interval=self.interval(given),
            category=self.category(given.category),
        )

    def conclusion(self, given: Answer) -> str:
        """Return the answer for one axilla in short."""
        if isinstance(given, NoEstimate):
            return self.gettext("{axilla}: no estimate.", axilla=self.axilla(given.side))
        said = {
            "axilla": self.axilla(given.side),
            "number": self.gettext(self.question.number),
            "category": self.category(given.category),
        }
        crossed = _crossed(given)
        if crossed is None:
            return self.gettext("{axilla}: {number} is {category}.", **said)
        above = _(
            "{axilla}: {number} is {category}, {share} %, but its 95 % interval, {interval} %, "
            "reaches above the threshold of {threshold} %."
        )
        below = _(
            "{axilla}: {number} is {category}, {share} %, but its 95 % interval, {interval} %, "
            "reaches below the threshold of {threshold} %."
        )
        said |= {"share": self.probability(given), "interval": self.interval(given)}
        threshold = self.chosen(crossed.threshold, self.digits(given, given.points))
        return self.gettext(above if given.category is Category.LOW else below, **said, threshold=threshold)

    def not_coded(self, given: Estimate) -> str:
        """Say why an axilla has no coded report, though images of it were used."""
        return self.gettext(
            "{axilla}: no coded report, as that marks a region and none stands out.", axilla=self.axilla(given.side)
        )

    def probability(self, estimate: Estimate) -> str:
        """Return the number of an axilla in percent, without the unit, with as many digits as tell its category."""
        return self.share(estimate.probability, self.digits(estimate, estimate.points))

    def reason(self, given: NoEstimate) -> str:
        """Return why there is no estimate, as a sentence."""
        return f"{self.stored(given.reason).rstrip('.')}."

    def interval(self, estimate: Estimate) -> str:
        """Return the 95 % interval, without the unit."""
        digits = self.digits(estimate, estimate.points)
        low, high = self.share(estimate.low, digits), self.share(estimate.high, digits)
        if low == high and low[0] in "<>":
            within = _("below {bound}") if low[0] == "<" else _("above {bound}")
            return self.gettext(within, bound=low[2:])
        return self.gettext("{low} to {high}", low=low, high=high)

    def range_of(self, given: Estimate) -> str:
        """Say what the number is, and its interval."""
        interval = self.interval(given)
        return self.gettext("probability of {event} (95 % CI {interval} %)", event=self.event, interval=interval)

    def contribution(self, given: Estimate, part: Part) -> str:
        """Say what one input did to an estimate."""
        axilla, effect = self.axilla(given.side), self.gettext(part.effect, input=self.modality(part.input))
        if part.log_odds is None:
            return self.gettext("{axilla}: {effect}.", axilla=axilla, effect=effect)
        return self.gettext(
            "{axilla}: {effect}, odds x {factor} (log-odds {shift}).",
            axilla=axilla,
            effect=effect,
            factor=self.decimal(part.factor),
            shift=self.number(part.log_odds, "+.2f"),
        )

    def started(self, given: Estimate, share: float) -> str:
        """Say where the contributions to an estimate start from."""
        return self.gettext(
            "{axilla}: {share} % with these inputs (log-odds {shift}).",
            axilla=self.axilla(given.side),
            share=self.share(share),
            shift=self.number(given.contributions[PRIOR], "+.2f"),
        )

    def odds(self, part: Part) -> str:
        """Say beside its bar by what an input multiplied the odds."""
        return self.gettext("odds x {factor}", factor=self.decimal(part.factor))

    def starting_point(self, share: float) -> str:
        """Say where the contributions start from; which inputs are there changes it."""
        return self.gettext("Starting point with these inputs: {share} %", share=self.share(share))

    def effect(self, influence: Influence, whole: float) -> str:
        """Say which way one image, if a region stands out in it, moved the estimate, where its modality's bar agrees.

        What several inputs say together is divided among them: alone, an image's part of it may have the other sign.

        Parameters
        ----------
        influence
            Of the image.
        whole
            What its modality contributed, logit.
        """
        if not stands_out(influence.saliency_hw):
            return self.gettext(NO_REGION if influence.is_mapped else NO_MAP)
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

    def training(self, model: ModelIdentity, *, with_figures: bool) -> str:
        """Say what the model learnt from; a report without an estimate holds no figures at all."""
        learnt = self.gettext("Trained on: {summary}.", summary=self.stored(model.training_summary.rstrip(".")))
        prevalence = self.gettext("Prevalence there: {share} %.", share=self.chosen(model.training_prevalence))
        return f"{learnt} {prevalence}" if with_figures else learnt

    def use(self, model: ModelIdentity, *, answers: bool) -> list[str]:
        """Say what the model is meant for."""
        return self.demonstration(model, answers=answers) or [self.gettext(RESEARCH)]

    def demonstration(self, model: ModelIdentity, *, answers: bool) -> list[str]:
        """Say that a model is a demonstration, and where it gave no estimate, for whom it is not."""
        if not is_demonstration(model):
            return []
        return [self.gettext(said) for said in ((DEMONSTRATION,) if answers else (DEMONSTRATION, SYNTHETIC_ONLY))]
