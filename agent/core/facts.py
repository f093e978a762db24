"""The dictionary of clinical facts: what each is about, its unit, the values it may have, and when it may be used."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.fact_values import DAY, FLAG, TEXT, Kind, count, number, one_of, tnm


class About(StrEnum):
    """Whom or what a fact describes. What names its side itself is about the patient."""

    PATIENT = "the patient"
    TUMOUR = "a tumour"
    AXILLA = "an axilla"


@dataclass(frozen=True, slots=True)
class FactRule:
    """What one fact may be, and what it may be used for."""

    name: str
    about: About
    unit: str
    kind: Kind
    after_surgery: bool = False  # it is known from surgery: no question before surgery uses it
    earliest: bool = False  # of several values the earliest day counts, not the one that was written last


_PATIENT, _TUMOUR, _AXILLA = About
_SIDE = one_of("L", "R", "B", "none")
_PERCENT = number(0, 100)
_DIAMETER = number(1, 200)

FACTS: Final[Mapping[str, FactRule]] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            FactRule("diagnosis", _PATIENT, "", one_of("invasive", "dcis", "benign", "none", "unknown")),
            FactRule("side", _PATIENT, "", one_of("L", "R", "B")),
            FactRule("birth_date", _PATIENT, "date", DAY),
            FactRule("sex", _PATIENT, "", one_of("F", "M", "O")),
            FactRule("menopausal_status", _PATIENT, "", one_of("pre", "peri", "post")),
            FactRule("clinical_t", _TUMOUR, "TNM", tnm("T", r"X|0|is|1(mi|[abc])?|2|3|4[abcd]?")),
            FactRule("clinical_n", _AXILLA, "TNM", tnm("N", r"X|0|1(mi)?|2[ab]?|3[abc]?")),
            FactRule("clinical_m", _PATIENT, "TNM", tnm("M", r"0|1")),
            FactRule("tnm_edition", _PATIENT, "", count(7, 9)),
            FactRule("size_mammography_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_ultrasound_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_mri_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_palpation_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_pathology_mm", _TUMOUR, "mm", _DIAMETER, after_surgery=True),
            FactRule("multifocal", _TUMOUR, "", FLAG),
            FactRule("multicentric", _TUMOUR, "", FLAG),
            FactRule("quadrant", _TUMOUR, "", one_of("UOQ", "UIQ", "LOQ", "LIQ", "central")),
            FactRule("palpable_tumour", _TUMOUR, "", FLAG),
            FactRule("palpable_nodes", _AXILLA, "", FLAG),
            FactRule("histological_type", _TUMOUR, "", one_of("NST", "lobular", "mixed", "other")),
            FactRule("grade", _TUMOUR, "", count(1, 3)),
            FactRule("er_percent", _TUMOUR, "%", _PERCENT),
            FactRule("pr_percent", _TUMOUR, "%", _PERCENT),
            FactRule("er", _TUMOUR, "", one_of("positive", "negative")),
            FactRule("pr", _TUMOUR, "", one_of("positive", "negative")),
            FactRule("her2", _TUMOUR, "", one_of("negative", "positive", "low", "equivocal")),
            FactRule("ki67_percent", _TUMOUR, "%", _PERCENT),
            FactRule("lymphovascular_invasion", _TUMOUR, "", FLAG),
            FactRule("subtype", _TUMOUR, "", one_of("luminal_a", "luminal_b", "her2", "triple_negative")),
            FactRule("aus_cortex_mm", _AXILLA, "mm", number(0, 30)),
            FactRule("aus_hilum", _AXILLA, "", one_of("present", "displaced", "absent")),
            FactRule("aus_suspicious_nodes", _AXILLA, "count", count(0, 50)),
            FactRule("node_biopsy", _AXILLA, "", one_of("positive", "negative", "pending", "not_done")),
            FactRule("sentinel_removed", _AXILLA, "count", count(0, 20), after_surgery=True),
            FactRule("sentinel_positive", _AXILLA, "count", count(0, 20), after_surgery=True),
            FactRule("sentinel_largest_metastasis_mm", _AXILLA, "mm", number(0, 50), after_surgery=True),
            FactRule("extranodal_extension", _AXILLA, "", FLAG, after_surgery=True),
            FactRule("nodes_removed", _AXILLA, "count", count(0, 60), after_surgery=True),
            FactRule("nodes_positive", _AXILLA, "count", count(0, 60), after_surgery=True),
            FactRule("surgery_date", _PATIENT, "date", DAY, earliest=True),
            FactRule("axillary_surgery_date", _PATIENT, "date", DAY, earliest=True),
            FactRule("systemic_therapy_date", _PATIENT, "date", DAY, earliest=True),
            FactRule("radiotherapy_date", _PATIENT, "date", DAY, earliest=True),
            FactRule("previous_breast_cancer_side", _PATIENT, "", _SIDE),
            FactRule("previous_axillary_surgery_side", _PATIENT, "", _SIDE),
            FactRule("pregnant", _PATIENT, "", FLAG),
            FactRule("lactating", _PATIENT, "", FLAG),
            FactRule("implant_side", _PATIENT, "", _SIDE),
            FactRule("breast_density", _PATIENT, "", one_of("a", "b", "c", "d")),
            FactRule("bi_rads", _TUMOUR, "", count(0, 6)),
            FactRule("body_mass_index_kg_m2", _PATIENT, "kg/m2", number(10, 80)),
            FactRule("family_history", _PATIENT, "", one_of("none", "second_degree", "first_degree")),
            FactRule("gene_expression_uri", _TUMOUR, "", TEXT),
        )
    }
)
"""Every fact by its name: what it is about, unit, and the values it may have."""

SIDE_UNSAID: Final = MappingProxyType(
    {
        About.TUMOUR: "the clinical database describes one tumour and does not say of which breast",
        About.AXILLA: "the clinical database describes one axilla and does not say which",
    }
)
"""Why a fact is not used where both sides are diseased."""

IDENTITY: Final = ("patient_id", "issuer_of_patient_id")
COLUMNS: Final = frozenset(
    {*IDENTITY, "recorded_date", *FACTS} | {f"{name}_date" for name in FACTS} | {f"{name}_source" for name in FACTS}
)
"""Every column that a query may return."""


AFTER_SURGERY: Final = "known only from surgery, and the question is asked before it"
"""Why such a fact is not used, whenever it is dated."""

OUTCOME: Final = "it is what the question asks"
OUTCOMES: Final = frozenset({"nodes_removed", "nodes_positive"})


def about_patient(facts: ClinicalFacts) -> ClinicalFacts:
    """Refuse what describes one tumour or one axilla: where both sides are diseased, nobody knows which."""
    return _without(facts, {name: why for name in facts.facts if (why := SIDE_UNSAID.get(FACTS[name].about))})


def pre_operative(facts: ClinicalFacts) -> ClinicalFacts:
    """Refuse what only surgery tells, such as the size on pathology: no question before surgery may use it."""
    return _without(facts, {name: AFTER_SURGERY for name in facts.facts if FACTS[name].after_surgery})


def in_time(facts: ClinicalFacts, cutoff: date | None, *, after_surgery: bool) -> ClinicalFacts:
    """Return what a question may use: what was known before `cutoff`, and nothing that only a later surgery tells.

    A question that is asked after surgery uses what that found, but never its own outcome.
    """
    known = facts.before(cutoff)
    if not after_surgery:
        return pre_operative(known)
    return _without(known, {name: OUTCOME for name in known.facts if name in OUTCOMES})


def _without(facts: ClinicalFacts, reasons: Mapping[str, str]) -> ClinicalFacts:
    kept = {name: fact for name, fact in facts.facts.items() if name not in reasons}
    earlier = {name: known for name, known in facts.earlier.items() if name not in reasons}
    refused = tuple(Refusal(name, reason) for name, reason in reasons.items())
    return replace(
        facts, facts=MappingProxyType(kept), refused=facts.refused + refused, earlier=MappingProxyType(earlier)
    )
