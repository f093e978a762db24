"""What a category means, and what its thresholds are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.prediction import Category, Estimate, OperatingPoint
from agent.core.result import Result
from agent.report.catalogue import marked as _
from agent.report.contributions import prevalence_shift
from agent.report.figures import factor, predictive_values
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

    def explained(self, given: Estimate, points: Sequence[OperatingPoint]) -> str:
        """Say what the category means: between which thresholds the probability lies."""
        thresholds = {p.name: self.share(p.threshold) for p in points if (given.category, p.name) in _BOUNDING}
        bound = BOUNDS.get((given.category, "+".join(name for name in ("low", "high") if name in thresholds)))
        return self.gettext(
            "{axilla}: {category}, {bound}.",
            axilla=self.axilla(given.side),
            category=self.category(given.category),
            bound=self.gettext(bound, **thresholds) if bound else self.gettext("no threshold is given"),
        )

    def performance(self, given: Estimate, points: Sequence[OperatingPoint]) -> list[str]:
        """Say what each threshold achieved on validation patients, with the inputs that this axilla has."""
        return [
            self.gettext(
                "{axilla}: the threshold of {threshold} % had sensitivity {sensitivity} and specificity {specificity} "
                "on validation patients with {inputs}.",
                axilla=self.axilla(given.side),
                threshold=self.share(point.threshold),
                sensitivity=self.number(point.sensitivity, ".2f"),
                specificity=self.number(point.specificity, ".2f"),
                inputs=self.modalities(point.inputs.split("+")) if point.inputs else self.gettext("all inputs"),
            )
            for point in points
        ]

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
