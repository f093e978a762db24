"""The dictionary of clinical facts, and how one row of the hospital's answer becomes them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.patient import PatientKey


class _Refused(Exception):
    """A value breaks the rule of its fact."""


class About(StrEnum):
    """Whom or what a fact describes. What names its side itself is about the patient."""

    PATIENT = "the patient"
    TUMOUR = "a tumour"
    AXILLA = "an axilla"


@dataclass(frozen=True, slots=True)
class FactRule:
    """What one fact may be. `parse` returns its value or refuses it with the rule that it breaks."""

    name: str
    about: About
    unit: str
    parse: Callable[[object], Value]


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise _Refused("not text")
    return raw.strip()


def _day(raw: object) -> date:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?", raw.strip(), re.ASCII):
        raise _Refused("not a date of the form YYYY-MM-DD")
    try:
        return date.fromisoformat(raw.strip()[:10])
    except ValueError:
        raise _Refused("not a day of the calendar") from None


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int) and raw in (0, 1):
        return bool(raw)
    raise _Refused("not true or false")


def _real(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise _Refused("not a number")
    try:
        number = float(raw)
    except (OverflowError, ValueError):
        raise _Refused("not a number") from None
    if not math.isfinite(number):
        raise _Refused("not a number")
    return number


def _number(low: float, high: float) -> Callable[[object], Value]:
    def parse(raw: object) -> Value:
        number = _real(raw)
        if not low <= number <= high:
            raise _Refused(f"outside {low:g} to {high:g}")
        return number

    return parse


def _count(low: int, high: int) -> Callable[[object], Value]:
    within = _number(low, high)

    def parse(raw: object) -> Value:
        number = within(raw)
        if number != int(number):  # type: ignore[arg-type]  # a number: `within` saw to it
            raise _Refused("not a whole number")
        return int(number)  # type: ignore[arg-type]  # likewise

    return parse


def _one_of(*values: str) -> Callable[[object], Value]:
    def parse(raw: object) -> Value:
        if (text := _text(raw)) not in values:
            raise _Refused(f"not one of {', '.join(values)}")
        return text

    return parse


def _tnm(letter: str, categories: str) -> Callable[[object], Value]:
    """Clinical TNM text such as "cT1c" or "N0": pathological (p) and post-treatment (y) categories are refused."""
    form = re.compile(rf"c?{letter}({categories})(\((f|sn|m|\d+|i[+-]|mol[+-])\))?", re.ASCII)

    def parse(raw: object) -> Value:
        text = _text(raw)
        if re.match(r"y?p|y|r|a", text):
            raise _Refused("not a clinical category before treatment (cTNM)")
        if not form.fullmatch(text):
            raise _Refused(f"not a clinical {letter} category")
        return text.removeprefix("c")

    return parse


_PATIENT, _TUMOUR, _AXILLA = About
_SIDE = _one_of("L", "R", "B", "none")
_PERCENT = _number(0, 100)
_DIAMETER = _number(1, 200)

FACTS: Final[Mapping[str, FactRule]] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            FactRule("diagnosis", _PATIENT, "", _one_of("invasive", "dcis", "benign", "none", "unknown")),
            FactRule("side", _PATIENT, "", _one_of("L", "R", "B")),
            FactRule("birth_date", _PATIENT, "date", _day),
            FactRule("sex", _PATIENT, "", _one_of("F", "M", "O")),
            FactRule("menopausal_status", _PATIENT, "", _one_of("pre", "peri", "post")),
            FactRule("clinical_t", _TUMOUR, "TNM", _tnm("T", r"X|0|is|1(mi|[abc])?|2|3|4[abcd]?")),
            FactRule("clinical_n", _AXILLA, "TNM", _tnm("N", r"X|0|1(mi)?|2[ab]?|3[abc]?")),
            FactRule("clinical_m", _PATIENT, "TNM", _tnm("M", r"0|1")),
            FactRule("tnm_edition", _PATIENT, "", _count(7, 9)),
            FactRule("size_mammography_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_ultrasound_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_mri_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_palpation_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("size_pathology_mm", _TUMOUR, "mm", _DIAMETER),
            FactRule("multifocal", _TUMOUR, "", _flag),
            FactRule("multicentric", _TUMOUR, "", _flag),
            FactRule("quadrant", _TUMOUR, "", _one_of("UOQ", "UIQ", "LOQ", "LIQ", "central")),
            FactRule("palpable_tumour", _TUMOUR, "", _flag),
            FactRule("palpable_nodes", _AXILLA, "", _flag),
            FactRule("histological_type", _TUMOUR, "", _one_of("NST", "lobular", "mixed", "other")),
            FactRule("grade", _TUMOUR, "", _count(1, 3)),
            FactRule("er_percent", _TUMOUR, "%", _PERCENT),
            FactRule("pr_percent", _TUMOUR, "%", _PERCENT),
            FactRule("er", _TUMOUR, "", _one_of("positive", "negative")),
            FactRule("pr", _TUMOUR, "", _one_of("positive", "negative")),
            FactRule("her2", _TUMOUR, "", _one_of("negative", "positive", "low", "equivocal")),
            FactRule("ki67_percent", _TUMOUR, "%", _PERCENT),
            FactRule("lymphovascular_invasion", _TUMOUR, "", _flag),
            FactRule("subtype", _TUMOUR, "", _one_of("luminal_a", "luminal_b", "her2", "triple_negative")),
            FactRule("aus_cortex_mm", _AXILLA, "mm", _number(0, 30)),
            FactRule("aus_hilum", _AXILLA, "", _one_of("present", "displaced", "absent")),
            FactRule("aus_suspicious_nodes", _AXILLA, "count", _count(0, 50)),
            FactRule("node_biopsy", _AXILLA, "", _one_of("positive", "negative", "pending", "not_done")),
            FactRule("sentinel_removed", _AXILLA, "count", _count(0, 20)),
            FactRule("sentinel_positive", _AXILLA, "count", _count(0, 20)),
            FactRule("sentinel_largest_metastasis_mm", _AXILLA, "mm", _number(0, 50)),
            FactRule("extranodal_extension", _AXILLA, "", _flag),
            FactRule("nodes_removed", _AXILLA, "count", _count(0, 60)),
            FactRule("nodes_positive", _AXILLA, "count", _count(0, 60)),
            FactRule("surgery_date", _PATIENT, "date", _day),
            FactRule("axillary_surgery_date", _PATIENT, "date", _day),
            FactRule("systemic_therapy_date", _PATIENT, "date", _day),
            FactRule("radiotherapy_date", _PATIENT, "date", _day),
            FactRule("previous_breast_cancer_side", _PATIENT, "", _SIDE),
            FactRule("previous_axillary_surgery_side", _PATIENT, "", _SIDE),
            FactRule("pregnant", _PATIENT, "", _flag),
            FactRule("lactating", _PATIENT, "", _flag),
            FactRule("implant_side", _PATIENT, "", _SIDE),
            FactRule("breast_density", _PATIENT, "", _one_of("a", "b", "c", "d")),
            FactRule("bi_rads", _TUMOUR, "", _count(0, 6)),
            FactRule("body_mass_index_kg_m2", _PATIENT, "kg/m2", _number(10, 80)),
            FactRule("family_history", _PATIENT, "", _one_of("none", "second_degree", "first_degree")),
            FactRule("gene_expression_uri", _TUMOUR, "", _text),
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

AGE_AT_DIAGNOSIS: Final = (18, 110)


def parse_row(row: Mapping[str, object], patient: PatientKey) -> ClinicalFacts:
    """Read one row of the clinical query.

    A fact is dated by `<name>_date`, else by the row's `recorded_date`. What breaks a rule is refused alone, by
    name and rule; reasons never quote a value. A column that is NULL is a fact that is not known.

    Parameters
    ----------
    row
        Column name to value, as a database driver gives them (SQLite: dates as text, booleans as 0 and 1).
    patient
        Who was asked about. A row of anyone else is refused as a whole.
    """
    asked = {"patient_id": patient.patient_id, "issuer_of_patient_id": patient.issuer}
    strangers = tuple(Refusal(n, "not the patient who was asked for") for n in IDENTITY if row.get(n) != asked[n])
    if strangers:
        return ClinicalFacts(refused=strangers)
    facts: dict[str, Fact] = {}
    refused = [Refusal(str(name), "not a known fact") for name in row if name not in COLUMNS]
    for name, rule in FACTS.items():
        try:
            fact = _fact(row, rule)
        except _Refused as exc:
            refused.append(Refusal(name, str(exc)))
            continue
        if fact is not None:
            facts[name] = fact
    if "birth_date" in facts and not _plausible_age(ClinicalFacts(facts)):
        del facts["birth_date"]
        refused.append(Refusal("birth_date", "age at diagnosis outside {} to {}".format(*AGE_AT_DIAGNOSIS)))
    return ClinicalFacts(MappingProxyType(facts), tuple(sorted(refused, key=lambda r: (r.name, r.reason))))


def known_by(facts: ClinicalFacts, day: date) -> ClinicalFacts:
    """Refuse what claims to have become known after `day` (a day more is allowed: `day` is UTC, facts are local)."""
    limit = day + timedelta(days=1)
    early = {name: fact for name, fact in facts.facts.items() if fact.known_on <= limit}
    late = tuple(Refusal(name, "dated in the future") for name in facts.facts if name not in early)
    return ClinicalFacts(MappingProxyType(early), facts.refused + late)


def about_patient(facts: ClinicalFacts) -> ClinicalFacts:
    """Refuse what describes one tumour or one axilla: where both sides are diseased, nobody knows which."""
    why = {name: SIDE_UNSAID.get(FACTS[name].about) for name in facts.facts}
    kept = {name: fact for name, fact in facts.facts.items() if not why[name]}
    of_one_side = tuple(Refusal(name, reason) for name, reason in why.items() if reason)
    return ClinicalFacts(MappingProxyType(kept), facts.refused + of_one_side)


def _fact(row: Mapping[str, object], rule: FactRule) -> Fact | None:
    raw = row.get(rule.name)
    if raw is None:
        return None
    value = rule.parse(raw)
    source = row.get(f"{rule.name}_source")
    return Fact(value, _known_on(row, rule.name), source.strip() if isinstance(source, str) else "")


def _known_on(row: Mapping[str, object], name: str) -> date:
    for column in (f"{name}_date", "recorded_date"):
        if (raw := row.get(column)) is not None:
            try:
                return _day(raw)
            except _Refused as exc:
                raise _Refused(f"{column} is {exc}") from None
    raise _Refused(f"without a date: neither {name}_date nor recorded_date")


def _plausible_age(facts: ClinicalFacts) -> bool:
    diagnosis = facts.facts.get("diagnosis")
    if diagnosis is None:
        return True
    age = facts.age(diagnosis.known_on)
    return age is not None and AGE_AT_DIAGNOSIS[0] <= age <= AGE_AT_DIAGNOSIS[1]
