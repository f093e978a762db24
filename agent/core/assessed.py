"""What a rule for or against a question may look at: the patient or one axilla, and whom a model was made for."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.facts import AFTER_SURGERY as AFTER
from agent.core.facts import OUTCOME, SIDE_UNSAID
from agent.core.prediction import Side

DCIS: Final = "dcis"
NODE_POSITIVE: Final = "cN+"
LARGE: Final = "cT3-4"
METASTATIC: Final = "M1"
COVERABLE: Final = frozenset({DCIS, NODE_POSITIVE, LARGE, METASTATIC})
"""Whom a model may have been made for beyond the patients whom every model covers."""


@dataclass(frozen=True, slots=True)
class Range:
    """Patients whom the model was made for. Ages in whole years; `covers` holds members of COVERABLE."""

    sexes: frozenset[str] = frozenset({"F"})
    youngest: int = 18
    oldest: int = 110
    covers: frozenset[str] = frozenset()


EVERY_MODEL: Final = Range()
"""Whom every model covers."""

TREATMENTS: Final = {
    "surgery_date": "surgery",
    "axillary_surgery_date": "axillary surgery",
    "systemic_therapy_date": "the start of systemic therapy",
    "radiotherapy_date": "the start of radiotherapy",
}
"""Facts whose earliest day ends what counts as pre-operative, in words."""

ADJUVANT: Final = ("systemic_therapy_date", "radiotherapy_date")
DISSECTION: Final = "the completion dissection"
DISSECTED: Final = "The completion dissection is done: the answer is known."
"""Why nobody is asked any more; an estimate that was given before stands."""


LATE: Final = "became known on or after "
"""How the reason begins why a fact that could be read is not used: it counts for what rules out an estimate."""

FUTURE: Final = "dated in the future"


def could_not_be_read(refusal: Refusal) -> bool:
    """Whether a fact was refused for what was given: not for its date, nor because the question may not use it."""
    unused = (FUTURE, AFTER, OUTCOME, *SIDE_UNSAID.values())
    return refusal.reason not in unused and not refusal.reason.startswith(LATE)


@dataclass(frozen=True, slots=True)
class Assessed:
    """What is under assessment: the patient, or one axilla."""

    facts: ClinicalFacts
    known: bool  # whether the hospital knows the patient
    day: date
    range: Range
    episode: timedelta | None
    side: Side | None = None

    def text(self, name: str) -> str:
        """Return a fact's text; empty where it is not known."""
        return str(self.facts.value(name) or "")

    def says(self, name: str, *beginnings: str) -> bool:
        """Whether a fact's text begins so, or did on any day of the episode or just before treatment.

        A later value is of another node, or of what treatment made of it.
        """
        before = self.facts.before(self.cutoff()[0]).value(name)
        start = self.starts_on()
        earlier = (fact.value for fact in self.facts.earlier.get(name, ()) if start is None or fact.known_on >= start)
        return any(str(value).startswith(beginnings) for value in (self.text(name), before, *earlier))

    def refused(self, *names: str) -> bool:
        """Whether the hospital gave a value that could not be read."""
        return any(refusal.name in names for refusal in self.facts.refused)

    def unreadable(self, *names: str) -> bool:
        """Whether the hospital gave a value that counts by now, and that could not be read."""
        return any(refusal.name in names and could_not_be_read(refusal) for refusal in self.facts.refused)

    def concerns_side(self, name: str) -> bool:
        """Whether a fact names this side or both."""
        return self.text(name) in (self.side, "B")

    def outside_age(self) -> bool:
        """Whether the age on the day is known and not one that the model was made for."""
        age = self.facts.age(self.day)
        return age is not None and not self.range.youngest <= age <= self.range.oldest

    def diagnosed_on(self) -> date | None:
        """Return the day on which the diagnosis was first confirmed; what is an episode older was another cancer."""
        day: date | None = None
        now = [fact for name, fact in self.facts.facts.items() if name == "diagnosis"]
        for fact in (*now, *self.facts.earlier.get("diagnosis", ())):
            is_older = day is not None and (self.episode is None or day - fact.known_on > self.episode)
            if is_older or fact.value != self.facts.value("diagnosis"):
                break
            day = fact.known_on
        return day

    def starts_on(self) -> date | None:
        """Return the first day of the episode."""
        diagnosed_on = self.diagnosed_on()
        return diagnosed_on - self.episode if diagnosed_on and self.episode else None

    def is_earlier(self, name: str) -> bool:
        """Whether a treatment was an earlier cancer's: before the episode, or radiotherapy before the diagnosis."""
        day, diagnosed_on = self.facts.day(name), self.diagnosed_on()
        if day is None or diagnosed_on is None or self.episode is None:
            return False
        return day < (diagnosed_on if name == "radiotherapy_date" else diagnosed_on - self.episode)

    def treated_on(self, name: str) -> date | None:
        """Return the day of a treatment of this cancer."""
        return None if self.is_earlier(name) else self.facts.day(name)

    def cutoff(self) -> tuple[date | None, str]:
        """Return the day of the first treatment of this cancer, and which it was."""
        days = ((day, words) for name, words in TREATMENTS.items() if (day := self.treated_on(name)))
        return min(days, default=(None, ""))

    def late(self, name: str) -> bool:
        """Whether a fact became known only when treatment had begun."""
        return self.facts.before(self.cutoff()[0]).value(name) != self.facts.value(name)

    def sentinel_removed(self) -> bool:
        """Whether the axilla was operated on for this cancer, by the day of the question."""
        day = self.treated_on("axillary_surgery_date")
        return day is not None and day <= self.day

    def sentinel_positive(self) -> int | None:
        """Return the number of positive sentinel nodes."""
        value = self.facts.value("sentinel_positive")
        return value if isinstance(value, int) else None

    def dissected_on(self) -> date | None:
        """Return the day on which more was known than the sentinel nodes tell: the outcome that `nsln` asks about."""
        removed, positive = self.facts.value("sentinel_removed"), self.sentinel_positive()
        most = {"nodes_removed": positive if removed is None else removed, "nodes_positive": positive}
        days = [
            fact.known_on
            for name, sentinel in most.items()
            if isinstance(sentinel, int) and name in self.facts.facts
            for fact in (self.facts.facts[name], *self.facts.earlier.get(name, ()))
            if isinstance(fact.value, int) and fact.value > sentinel
        ]
        return min(days, default=None)

    def facts_cutoff(self) -> tuple[date | None, str]:
        """Return the day from which what becomes known may tell the outcome of what surgery asks, and what did."""
        surgery, dissected_on = self.treated_on("axillary_surgery_date"), self.dissected_on()
        adjuvant = ((self.treated_on(name), TREATMENTS[name]) for name in ADJUVANT)
        days = [(day, words) for day, words in adjuvant if day and surgery and day > surgery]
        return min([*days, *([(dissected_on, DISSECTION)] if dissected_on else [])], default=(None, ""))

    def neoadjuvant(self) -> bool:
        """Whether systemic therapy of this cancer began before the axilla was operated on."""
        therapy, surgery = self.treated_on("systemic_therapy_date"), self.treated_on("axillary_surgery_date")
        return therapy is not None and surgery is not None and therapy < surgery
