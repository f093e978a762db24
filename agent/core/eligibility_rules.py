"""The table of what speaks for and against a question, row by row: an effect, its reason in words, and a test."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
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


LATE: Final = "became known on or after "
"""How the reason begins why a fact that could be read is not used: it counts for what rules out an estimate."""

FUTURE: Final = "dated in the future"


def could_not_be_read(refusal: Refusal) -> bool:
    """Whether a fact was refused for what was given: not for its date, nor because the question may not use it."""
    unused = (FUTURE, AFTER, OUTCOME, *SIDE_UNSAID.values())
    return refusal.reason not in unused and not refusal.reason.startswith(LATE)


class Effect(StrEnum):
    """What follows where a rule holds."""

    NOT_ASKED = "not asked"  # dormant: nothing is sent
    NO_ESTIMATE = "no estimate"  # answered, with the reason and no number
    FLAGGED = "flagged"  # said in the report; an estimate may be given


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. `covered_as`: a model that covers it takes the patient nevertheless."""

    effect: Effect
    reason: str
    holds: Callable[[Assessed], bool]
    questions: frozenset[str] = frozenset({"aln", "nsln"})
    covered_as: str = ""


_NOT_ASKED, _NO_ESTIMATE, _FLAGGED = Effect
_ALN, _NSLN = frozenset({"aln"}), frozenset({"nsln"})


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """What is said instead of an estimate where one of some facts was given and could not be read."""

    reason: str
    names: tuple[str, ...]
    covered_as: str = ""
    questions: frozenset[str] = _ALN | _NSLN


_UNREADABLE: Final = (
    _Unreadable("Whether a node biopsy was positive could not be read.", ("node_biopsy",)),
    _Unreadable("The clinical stage of the nodes (cN) could not be read.", ("clinical_n",), NODE_POSITIVE),
    _Unreadable("The clinical stage of the tumour (cT) could not be read.", ("clinical_t",), LARGE),
    _Unreadable("Whether there is distant metastasis (cM) could not be read.", ("clinical_m",), METASTATIC),
    _Unreadable("The side of an earlier breast cancer could not be read.", ("previous_breast_cancer_side",)),
    _Unreadable("The side of earlier axillary surgery could not be read.", ("previous_axillary_surgery_side",)),
    _Unreadable("The patient's sex could not be read.", ("sex",)),
    _Unreadable("The birth date is implausible.", ("birth_date",)),
    _Unreadable("A date of treatment could not be read.", tuple(TREATMENTS)),
    _Unreadable(
        "How many nodes were removed or positive could not be read.",
        ("sentinel_removed", "nodes_removed", "nodes_positive"),
        questions=_NSLN,
    ),
)
"""Every fact that a rule against an estimate reads stands here, or without it the question is not asked."""

SPEAK_AGAINST: Final = frozenset(name for row in _UNREADABLE for name in row.names)
"""Facts that may speak against an estimate, whatever a model reads."""


def is_unheard(refusal: Refusal) -> bool:
    """Whether a refused fact might have spoken against an estimate."""
    return refusal.name in SPEAK_AGAINST and could_not_be_read(refusal)


def _unreadable(row: _Unreadable) -> Rule:
    return Rule(_NO_ESTIMATE, row.reason, lambda a: a.unreadable(*row.names), row.questions, row.covered_as)


RULES: Final[tuple[Rule, ...]] = (
    Rule(_NOT_ASKED, "the clinical database does not know the patient", lambda a: not a.known),
    Rule(
        _NOT_ASKED,
        "the diagnosis that the clinical database gives could not be read",
        lambda a: not a.text("diagnosis") and a.refused("diagnosis"),
    ),
    Rule(_NOT_ASKED, "no diagnosis is known", lambda a: not a.text("diagnosis")),
    Rule(_NOT_ASKED, "the diagnosis is not known yet", lambda a: a.text("diagnosis") == "unknown"),
    Rule(_NOT_ASKED, "no breast cancer was found", lambda a: a.text("diagnosis") == "none"),
    Rule(_NOT_ASKED, "the diagnosis is benign", lambda a: a.text("diagnosis") == "benign"),
    Rule(
        _NOT_ASKED,
        "ductal carcinoma in situ without invasion",
        lambda a: a.text("diagnosis") == "dcis",
        covered_as=DCIS,
    ),
    Rule(_NOT_ASKED, "the sentinel nodes were not removed yet", lambda a: not a.sentinel_removed(), _NSLN),
    Rule(
        _NOT_ASKED,
        "the result of the sentinel nodes is not known yet",
        lambda a: a.sentinel_positive() is None,
        _NSLN,
    ),
    Rule(_NOT_ASKED, "no sentinel node is positive", lambda a: a.sentinel_positive() == 0, _NSLN),
    Rule(
        _NOT_ASKED,
        "more than two sentinel nodes are positive",
        lambda a: (a.sentinel_positive() or 0) > 2,
        _NSLN,
    ),
    Rule(
        _NO_ESTIMATE,
        "The side of the cancer that the clinical database gives could not be read.",
        lambda a: a.side is None and a.refused("side"),
    ),
    Rule(_NO_ESTIMATE, "The side of the cancer is not known.", lambda a: a.side is None),
    Rule(
        _NO_ESTIMATE,
        "A node biopsy has already proven metastasis.",
        lambda a: a.says("node_biopsy", "positive"),
    ),
    Rule(
        _NO_ESTIMATE,
        "The axilla is clinically positive (cN1 or higher).",
        lambda a: a.says("clinical_n", "N1", "N2", "N3"),
        covered_as=NODE_POSITIVE,
    ),
    Rule(
        _NO_ESTIMATE,
        "The tumour is cT3 or cT4; the model covers cT1 and cT2.",
        lambda a: a.says("clinical_t", "T3", "T4"),
        covered_as=LARGE,
    ),
    Rule(
        _NO_ESTIMATE,
        "Distant metastasis is known (M1).",
        lambda a: a.says("clinical_m", "M1"),
        covered_as=METASTATIC,
    ),
    Rule(
        _NO_ESTIMATE,
        "An earlier breast cancer on this side.",
        lambda a: a.concerns_side("previous_breast_cancer_side"),
    ),
    Rule(
        _NO_ESTIMATE,
        "Earlier surgery of this axilla.",
        lambda a: a.concerns_side("previous_axillary_surgery_side"),
    ),
    # No fact says on which side an earlier treatment was: it counts for both.
    Rule(_NO_ESTIMATE, "Earlier breast surgery.", lambda a: a.is_earlier("surgery_date")),
    Rule(_NO_ESTIMATE, "Earlier axillary surgery.", lambda a: a.is_earlier("axillary_surgery_date")),
    Rule(_NO_ESTIMATE, "Earlier systemic therapy.", lambda a: a.is_earlier("systemic_therapy_date")),
    Rule(_NO_ESTIMATE, "Earlier radiotherapy.", lambda a: a.is_earlier("radiotherapy_date")),
    Rule(
        _NO_ESTIMATE,
        "The patient's sex is outside the model's range.",
        lambda a: a.text("sex") not in ("", *a.range.sexes),
    ),
    Rule(_NO_ESTIMATE, "The patient's age is outside the model's range.", lambda a: a.outside_age()),
    *(_unreadable(row) for row in _UNREADABLE),
    Rule(
        _NO_ESTIMATE,
        "The cancer was confirmed only when treatment had begun.",
        lambda a: a.late("diagnosis"),
        _ALN,
    ),
    Rule(
        _NO_ESTIMATE,
        "The side of the cancer was recorded only when treatment had begun.",
        lambda a: a.late("side"),
        _ALN,
    ),
    Rule(
        _NO_ESTIMATE,
        "Systemic therapy began before the sentinel nodes were removed.",
        lambda a: a.neoadjuvant(),
        _NSLN,
    ),
    Rule(_NO_ESTIMATE, DISSECTED, lambda a: a.dissected_on() is not None, _NSLN),
    Rule(_FLAGGED, "A node biopsy is pending.", lambda a: a.text("node_biopsy") == "pending"),
    Rule(_FLAGGED, "Pregnancy.", lambda a: a.facts.value("pregnant") is True),
    Rule(_FLAGGED, "Lactation.", lambda a: a.facts.value("lactating") is True),
    Rule(_FLAGGED, "Breast implant.", lambda a: a.text("implant_side") in ("L", "R", "B")),
)
"""Who is asked about, and of whom there is an estimate: of each effect the first rule that holds says why not.

What speaks against an estimate counts whenever it became known: refusing is no prediction.
"""
