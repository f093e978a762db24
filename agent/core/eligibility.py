"""Whether a question applies to a patient now; and for each axilla, whether a number may be given."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from agent.core.assessed import DISSECTED, EVERY_MODEL, FUTURE, Assessed, Range
from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.demographics import Demographics, contradiction
from agent.core.eligibility_rules import RULES, Effect, Rule
from agent.core.prediction import Side


@dataclass(frozen=True, slots=True)
class AxillaQuestion:
    """One axilla that is asked about. A reason says why there can be no estimate; empty: there can."""

    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What `assess` found.

    Not `asked`: nothing is sent, `reason` says why. Asked with a `reason`: an answer is due, but it can only be
    "no estimate". Images dated on `cutoff` or later, and facts that became known on `facts_cutoff` or later, are left
    out; so are images taken before `earliest` or after `latest`: they belong to another episode.
    """

    asked: bool
    reason: str
    axillae: tuple[AxillaQuestion, ...] = ()
    cutoff: date | None = None
    flags: tuple[str, ...] = ()
    earliest: date | None = None
    cutoff_by: str = ""  # what happened on `cutoff`: "surgery", ...
    latest: date | None = None
    facts_cutoff: date | None = None
    facts_cutoff_by: str = ""  # what happened on `facts_cutoff`
    diagnosed_on: date | None = None  # the day on which the cancer was confirmed
    after_surgery: bool = False  # what surgery found may be used

    @property
    def open_sides(self) -> tuple[Side, ...]:
        """The axillae for which there may be an estimate."""
        return () if self.reason else tuple(axilla.side for axilla in self.axillae if not axilla.reason)


QUESTIONS: Final = frozenset({"aln", "nsln", "histology"})
WITHOUT_FACTS: Final = frozenset({"histology"})
"""Questions that an image alone asks: a slide of a node is there, whatever the clinical database says."""

AFTER_SURGERY: Final = frozenset({"nsln"})
"""Questions that what surgery found asks, and that may use it."""

SIDES: Final = {"L": (Side.L,), "R": (Side.R,), "B": (Side.L, Side.R)}
APART: Final = "a person told this patient apart: images under an identifier of her own are needed"
NO_IMAGE: Final = "no image is here"


def known_until(facts: ClinicalFacts, day: date) -> ClinicalFacts:
    """Refuse what claims to have become known after a day of the hospital's calendar."""
    known = facts.before(day + timedelta(days=1))
    late = tuple(Refusal(name, FUTURE) for name in facts.facts if name not in known.facts)
    return replace(known, refused=known.refused + late)


def assess(
    question: str,
    facts: ClinicalFacts | None,
    now_day: date,
    *,
    limits: Range | None = None,
    episode: timedelta | None = None,
) -> Eligibility:
    """Say whether a question applies to a patient on a day, and for which axillae there may be an estimate.

    Parameters
    ----------
    question
        aln, nsln or histology.
    facts
        Everything known; None where the hospital does not know the patient. What is dated after the day is not used.
    now_day
        The day of the question; age is counted on it.
    limits
        Patients whom the model covers.
    episode
        How far from the diagnosis images, and before it treatments, are of this cancer.

    Raises
    ------
    ValueError
        If there is no such question.
    """
    if question not in QUESTIONS:
        raise ValueError(f"no such question: {question}")
    known = known_until(facts or ClinicalFacts(), now_day)
    patient = Assessed(known, facts is not None, now_day, limits or EVERY_MODEL, episode)
    if why_not := _first(Effect.NOT_ASKED, question, patient):
        return Eligibility(asked=False, reason=why_not)
    sides = SIDES.get(patient.text("side"), ())
    axillae = tuple(AxillaQuestion(s, _first(Effect.NO_ESTIMATE, question, replace(patient, side=s))) for s in sides)
    if question in WITHOUT_FACTS:
        return Eligibility(asked=True, reason="", axillae=axillae)
    return _in_time(
        question,
        patient,
        Eligibility(
            asked=True,
            reason="" if sides else _first(Effect.NO_ESTIMATE, question, patient),
            axillae=axillae,
            flags=tuple(rule.reason for rule in _rules(Effect.FLAGGED, question, patient)),
        ),
    )


def _in_time(question: str, patient: Assessed, found: Eligibility) -> Eligibility:
    """Add which days count: the episode's around the diagnosis, and those before treatment."""
    (cutoff, cutoff_by), diagnosed_on, episode = patient.cutoff(), patient.diagnosed_on(), patient.episode
    facts_cutoff, facts_cutoff_by = patient.facts_cutoff() if question in AFTER_SURGERY else (cutoff, cutoff_by)
    return replace(
        found,
        cutoff=cutoff,
        cutoff_by=cutoff_by,
        facts_cutoff=facts_cutoff,
        facts_cutoff_by=facts_cutoff_by,
        after_surgery=question in AFTER_SURGERY,
        diagnosed_on=diagnosed_on,
        earliest=diagnosed_on - episode if diagnosed_on and episode else None,
        latest=diagnosed_on + episode if diagnosed_on and episode else None,
    )


def bound_by_images(eligibility: Eligibility, acquired: Iterable[date | None]) -> Eligibility:
    """Refuse an estimate where no image of the episode is known to be older than the cutoff: no undated one is."""
    cutoff, earliest, latest = eligibility.cutoff, eligibility.earliest, eligibility.latest
    if cutoff is None:
        return eligibility
    of_episode = [d for d in acquired if d and (earliest is None or d >= earliest) and (latest is None or d <= latest)]
    if any(day < cutoff for day in of_episode):
        return eligibility
    late = f"All images were taken on or after {eligibility.cutoff_by}."
    reason = late if of_episode else f"No image is known to be of this episode and older than {eligibility.cutoff_by}."
    axillae = tuple(replace(axilla, reason=axilla.reason or reason) for axilla in eligibility.axillae)
    return replace(eligibility, axillae=axillae, reason=eligibility.reason if axillae else reason)


def bound_by_identity(
    eligibility: Eligibility, facts: ClinicalFacts | None, said: Iterable[Demographics]
) -> Eligibility:
    """Refuse an estimate where the images are not of whom the clinical database describes under the same Patient ID."""
    born, sex = (facts.day("birth_date"), str(facts.value("sex") or "")) if facts else (None, "")
    known = Demographics("", born, sex)
    why = next((why for one in said if (why := contradiction(known, replace(one, name="")))), "")
    if not why:
        return eligibility
    reason = f"Between the clinical database and an image {why}: they may be of two patients."
    axillae = tuple(replace(axilla, reason=reason) for axilla in eligibility.axillae)
    return replace(eligibility, axillae=axillae, reason=eligibility.reason if axillae else reason)


def no_longer(question: str, eligibility: Eligibility) -> Eligibility:
    """Turn "not asked" into what must be said where an answer was given before: that it does not stand."""
    lead = "An invasive cancer is no longer confirmed" if question == "aln" else "The question no longer applies"
    return replace(eligibility, asked=True, reason=f"{lead}: {eligibility.reason}.")


def before_outcome(eligibility: Eligibility) -> Eligibility:
    """Leave out that the answer is known: an estimate that was given before does not rest on it."""
    axillae = tuple(replace(one, reason="") if one.reason == DISSECTED else one for one in eligibility.axillae)
    return replace(eligibility, axillae=axillae)


def _rules(effect: Effect, question: str, asked: Assessed) -> Iterable[Rule]:
    """Return the rules of one effect that hold, in order."""
    return (
        rule
        for rule in RULES
        if rule.effect is effect and question in rule.questions and rule.covered_as not in asked.range.covers
        if rule.holds(asked)
    )


def _first(effect: Effect, question: str, asked: Assessed) -> str:
    return next((rule.reason for rule in _rules(effect, question, asked)), "")
