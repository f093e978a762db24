"""The table of what speaks for and against a question, row by row: an effect, its reason in words, and a test."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.core.assessed import (
    DCIS,
    DISSECTED,
    LARGE,
    METASTATIC,
    NODE_POSITIVE,
    TREATMENTS,
    Assessed,
    could_not_be_read,
)
from agent.core.clinical import Refusal


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
