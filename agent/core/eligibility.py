"""Whether the question applies to a patient now; and for each axilla, whether a number may be given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from agent.core.clinical import ClinicalFacts
from agent.core.prediction import Side


@dataclass(frozen=True, slots=True)
class AxillaQuestion:
    """One axilla that is asked about. A reason says why there can be no estimate; empty: there can."""

    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What `assess` found.

    Not `asked`: no invasive cancer is confirmed, nothing is sent, `reason` says why. Asked without `axillae`:
    an answer is due, but it can only be "no estimate" for `reason`. Images and facts dated on `cutoff` or later
    are left out.
    """

    asked: bool
    reason: str
    axillae: tuple[AxillaQuestion, ...] = ()
    cutoff: date | None = None
    flags: tuple[str, ...] = ()
    earliest: date | None = None  # images taken before this day belong to another episode
    cutoff_by: str = ""  # what happened on `cutoff`: "surgery", ...


@dataclass(frozen=True, slots=True)
class Range:
    """Patients whom the model was made for. Ages in whole years."""

    sexes: frozenset[str] = frozenset({"F"})
    youngest: int = 18
    oldest: int = 110


@dataclass(frozen=True, slots=True)
class _Asked:
    """One axilla under assessment."""

    facts: ClinicalFacts
    side: Side
    day: date
    range: Range
    cutoff: date | None

    def text(self, name: str) -> str:
        """Return a fact's text; empty where it is not known."""
        return str(self.facts.value(name) or "")

    def late(self, name: str) -> bool:
        """Whether a fact became known only when treatment had begun."""
        fact = self.facts.facts.get(name)
        return fact is not None and self.cutoff is not None and fact.known_on >= self.cutoff

    def refused(self, *names: str) -> bool:
        """Whether the hospital gave a value that could not be read."""
        return any(refusal.name in names for refusal in self.facts.refused)

    def concerns_side(self, name: str) -> bool:
        """Whether a fact names this side or both."""
        return self.text(name) in (self.side, "B")

    def outside_age(self) -> bool:
        """Whether the age on the day is known and not one that the model was made for."""
        age = self.facts.age(self.day)
        return age is not None and not self.range.youngest <= age <= self.range.oldest


TREATMENTS: Final = {
    "surgery_date": "surgery",
    "axillary_surgery_date": "axillary surgery",
    "systemic_therapy_date": "the start of systemic therapy",
    "radiotherapy_date": "the start of radiotherapy",
}
"""Facts whose earliest day ends what counts as pre-operative, in words."""

NOT_ASKED: Final = {
    None: "no diagnosis is known",
    "none": "no breast cancer was found",
    "unknown": "the diagnosis is not known yet",
    "benign": "the diagnosis is benign",
    "dcis": "ductal carcinoma in situ without invasion",
}
"""Diagnoses for which nothing is asked; only an invasive cancer confirmed by biopsy asks the question."""

NO_ESTIMATE: Final[tuple[tuple[str, Callable[[_Asked], bool]], ...]] = (
    ("A node biopsy has already proven metastasis.", lambda a: a.text("node_biopsy") == "positive"),
    ("The axilla is clinically positive (cN1 or higher).", lambda a: a.text("clinical_n")[:2] in ("N1", "N2", "N3")),
    ("The tumour is cT3 or cT4; the model covers cT1 and cT2.", lambda a: a.text("clinical_t")[:2] in ("T3", "T4")),
    ("Distant metastasis is known (M1).", lambda a: a.text("clinical_m")[:2] == "M1"),
    ("An earlier breast cancer on this side.", lambda a: a.concerns_side("previous_breast_cancer_side")),
    ("Earlier surgery of this axilla.", lambda a: a.concerns_side("previous_axillary_surgery_side")),
    ("The patient's sex is outside the model's range.", lambda a: a.text("sex") not in ("", *a.range.sexes)),
    ("The patient's age is outside the model's range.", lambda a: a.outside_age()),
    ("The birth date is implausible.", lambda a: a.refused("birth_date")),
    ("A date of treatment could not be read.", lambda a: a.refused(*TREATMENTS)),
    ("The cancer was confirmed only when treatment had begun.", lambda a: a.late("diagnosis")),
    ("The side of the cancer was recorded only when treatment had begun.", lambda a: a.late("side")),
)
"""Why there is no estimate for an axilla, the first that holds."""

FLAGS: Final[tuple[tuple[str, Callable[[ClinicalFacts], bool]], ...]] = (
    ("A node biopsy is pending.", lambda f: f.value("node_biopsy") == "pending"),
    ("Pregnancy.", lambda f: f.value("pregnant") is True),
    ("Lactation.", lambda f: f.value("lactating") is True),
    ("Breast implant.", lambda f: f.value("implant_side") in ("L", "R", "B")),
)
"""What the report mentions without refusing an estimate."""

SIDES: Final = {"L": (Side.L,), "R": (Side.R,), "B": (Side.L, Side.R)}
SIDE_UNKNOWN: Final = "The side of the cancer is not known."
SIDE_UNREAD: Final = "The side of the cancer that the clinical database gives could not be read."
DIAGNOSIS_UNREAD: Final = "the diagnosis that the clinical database gives could not be read"
UNKNOWN_PATIENT: Final = "the clinical database does not know the patient"


def assess(
    facts: ClinicalFacts | None, now_day: date, *, limits: Range | None = None, episode: timedelta | None = None
) -> Eligibility:
    """Say whether the question applies to a patient on a day, and for which axillae there may be an estimate.

    Parameters
    ----------
    facts
        Everything known on the day; None where the hospital does not know the patient.
    now_day
        The day of the question; age is counted on it.
    limits
        Patients whom the model covers.
    episode
        Images that are older than the diagnosis by more than this belong to another episode.
    """
    if facts is None:
        return Eligibility(asked=False, reason=UNKNOWN_PATIENT)
    diagnosis = facts.value("diagnosis")
    if diagnosis != "invasive":
        unread = diagnosis is None and _was_refused(facts, "diagnosis")
        reason = DIAGNOSIS_UNREAD if unread else NOT_ASKED[None if diagnosis is None else str(diagnosis)]
        return Eligibility(asked=False, reason=reason)
    cutoff, cutoff_by = min(
        ((day, words) for name, words in TREATMENTS.items() if (day := facts.day(name))), default=(None, "")
    )
    sides = SIDES.get(str(facts.value("side")), ())
    asked = [_Asked(facts, side, now_day, limits or Range(), cutoff) for side in sides]
    return Eligibility(
        asked=True,
        reason="" if sides else SIDE_UNREAD if _was_refused(facts, "side") else SIDE_UNKNOWN,
        axillae=tuple(AxillaQuestion(one.side, _reason(one)) for one in asked),
        cutoff=cutoff,
        flags=tuple(flag for flag, holds in FLAGS if holds(facts)),
        cutoff_by=cutoff_by,
        earliest=facts.facts["diagnosis"].known_on - episode if episode else None,
    )


def bound_by_images(eligibility: Eligibility, acquired: Iterable[date | None]) -> Eligibility:
    """Refuse an estimate where no image is known to be older than the cutoff. An undated image is not."""
    cutoff = eligibility.cutoff
    if cutoff is None or any(day is not None and day < cutoff for day in acquired):
        return eligibility
    reason = f"All images were taken on or after {eligibility.cutoff_by}."
    axillae = tuple(replace(axilla, reason=reason) for axilla in eligibility.axillae)
    return replace(eligibility, axillae=axillae, reason="" if axillae else reason)


def _was_refused(facts: ClinicalFacts, name: str) -> bool:
    return any(refusal.name == name for refusal in facts.refused)


def _reason(asked: _Asked) -> str:
    return next((reason for reason, holds in NO_ESTIMATE if holds(asked)), "")
