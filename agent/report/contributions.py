"""What each input did to an estimate: one reading of it for pictures and words."""

import math
from dataclasses import dataclass
from typing import Final

from agent.core.prediction import Estimate
from agent.core.result import Result
from agent.report.catalogue import marked as _
from agent.report.figures import factor, log_odds

PRIOR: Final = "prior"
IMAGING: Final = frozenset({"MG", "US", "MR", "SM"})
HARDLY: Final = math.log(1.05)  # a factor that nobody would act on


@dataclass(frozen=True, slots=True)
class Part:
    """One input ("MG", "clinical") and what it added to the log-odds; None where it was not there."""

    input: str
    log_odds: float | None

    @property
    def factor(self) -> str:
        """By what the odds were multiplied: "3.3", "0.45", "> 100"."""
        return "" if self.log_odds is None else factor(self.log_odds)

    @property
    def effect(self) -> str:
        """What it did to the estimate, in English, with the placeholder {input}."""
        if self.log_odds is None:
            return _("{input} not available")
        if abs(self.log_odds) < HARDLY:
            return _("{input} hardly moved the estimate")
        return _("{input} raised the estimate") if self.log_odds > 0 else _("{input} lowered the estimate")


def parts(result: Result, estimate: Estimate) -> tuple[Part, ...]:
    """Return the inputs of an estimate in the bundle's order, then those that it never had a word for.

    A modality that the patient has, but not of this axilla, was not there for it.
    """
    of_axilla = {i.modality for i in result.influences if i.side == estimate.side}
    absent = set(result.modalities_missing)
    absent |= {m for m, v in estimate.contributions.items() if m in IMAGING - of_axilla and not v}
    names = dict.fromkeys([*(n for n in estimate.contributions if n != PRIOR), *result.modalities_missing])
    return tuple(Part(name, None if name in absent else estimate.contributions[name]) for name in names)


def missing(result: Result, estimate: Estimate) -> tuple[str, ...]:
    """Return the inputs that an estimate had to do without."""
    return tuple(part.input for part in parts(result, estimate) if part.log_odds is None)


def start(estimate: Estimate) -> float | None:
    """Return the probability that the contributions start from, in [0, 1]; None where the bundle does not tell.

    It depends on which inputs are there, though not on what they say.
    """
    prior = estimate.contributions.get(PRIOR)
    return None if prior is None else 1 / (1 + math.exp(-max(min(prior, 30.0), -30.0)))


def prevalence_shift(result: Result) -> float | None:
    """By how much the site's prevalence moved every logit; None where none is configured.

    The logit of the prevalence among the site's patients less that of the training's: Bayes' theorem where only the
    share of positives differs.
    """
    if result.site_prevalence is None:
        return None
    return log_odds(result.site_prevalence) - log_odds(result.model.training_prevalence)
