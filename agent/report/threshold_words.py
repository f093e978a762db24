"""What a category means, and what its thresholds are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.prediction import Category, Estimate, OperatingPoint
from agent.core.result import Result
from agent.report.catalogue import marked as _
from agent.report.contributions import prevalence_shift
from agent.report.figures import digits_between, factor, predictive_values
from agent.report.stored import StoredWords

CATEGORIES: Final[Mapping[Category, str]] = {
    Category.LOW: _("LOW"),
    Category.NOT_LOW: _("NOT LOW"),
    Category.HIGH: _("HIGH"),
}
BOUNDS: Final[Mapping[tuple[Category, str], str]] = {
    (Category.LOW, "low"): _("below the threshold of {low} %"),
    (Category.NOT_LOW, "low"): _("at or above the threshold of {low} %"),
    (Category.NOT_LOW, "low+high"): _("between the thresholds of {low} % and {high} %"),
    (Category.HIGH, "high"): _("at or above the threshold of {high} %"),
}
"""Which thresholds, by their names, a category lies between."""


_BOUNDING: Final = frozenset(
    {(Category.LOW, "low"), (Category.NOT_LOW, "low"), (Category.NOT_LOW, "high"), (Category.HIGH, "high")}
)


@dataclass(frozen=True)
class ThresholdWords(StoredWords):
    """Sentences on operating points and prevalence, in one language."""

    def category(self, category: Category) -> str:
        """Return the name of a category."""
        return self.gettext(CATEGORIES[category])

    def digits(self, given: Estimate, points: Sequence[OperatingPoint]) -> int:
        """How many digits after the point tell an estimate and its interval from the thresholds."""
        return digits_between((given.probability, given.low, given.high), [p.threshold for p in points])

    def explained(self, given: Estimate, points: Sequence[OperatingPoint]) -> str:
        """Say what the category means: between which thresholds the probability lies."""
        digits = self.digits(given, points)
        thresholds = {p.name: self.chosen(p.threshold, digits) for p in points if (given.category, p.name) in _BOUNDING}
        bound = BOUNDS.get((given.category, "+".join(name for name in ("low", "high") if name in thresholds)))
        return self.gettext(
            "{axilla}: {category}, {bound}.",
            axilla=self.axilla(given.side),
            category=self.category(given.category),
            bound=self.gettext(bound, **thresholds) if bound else self.gettext("no threshold is given"),
        )

    def performance(self, given: Estimate, points: Sequence[OperatingPoint]) -> list[str]:
        """Say what each threshold achieved on validation patients, with the inputs that this axilla has."""
        digits = self.digits(given, points)
        return [
            self.gettext(
                "{axilla}: the threshold of {threshold} % had sensitivity {sensitivity} and specificity {specificity} "
                "on validation patients with {inputs}.",
                axilla=self.axilla(given.side),
                threshold=self.chosen(point.threshold, digits),
                sensitivity=self.rate(point.sensitivity, 2),
                specificity=self.rate(point.specificity, 2),
                inputs=self.modalities(point.inputs.split("+")) if point.inputs else self.gettext("all inputs"),
            )
            for point in points
        ]

    def at_prevalence(self, given: Estimate, points: Sequence[OperatingPoint], prevalence: float) -> list[str]:
        """Say what the thresholds are worth for an axilla at the site's prevalence."""
        lines, digits = [], self.digits(given, points)
        for point in points:
            npv, ppv = predictive_values(point, prevalence)
            lines.append(
                self.gettext(
                    "{axilla}: at the site's prevalence of {prevalence} % the threshold of {threshold} % "
                    "has NPV {npv} and PPV {ppv}.",
                    axilla=self.axilla(given.side),
                    prevalence=self.chosen(prevalence),
                    threshold=self.chosen(point.threshold, digits),
                    npv=self.rate(npv, 3),
                    ppv=self.rate(ppv, 3),
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
            training=self.chosen(result.model.training_prevalence),
            site=self.chosen(result.site_prevalence),
            factor=self.decimal(factor(shift)),
            shift=self.number(shift, "+.2f"),
        )
