import itertools
import random
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clinical import ClinicalFacts, Fact
from agent.core.fact_rows import parse_rows
from agent.core.facts import COLUMNS, FACTS, SIDE_UNSAID, About, about_patient
from agent.core.patient import PatientKey
from tests.peers import shared

ALICE = PatientKey("PHANTOM", "P-1")
IDENTITY = {"patient_id": "P-1", "issuer_of_patient_id": "PHANTOM"}
RECORDED = date(2026, 11, 1)


def _parse(**columns: object) -> ClinicalFacts:
    return parse_rows([{**IDENTITY, "recorded_date": RECORDED, **columns}], ALICE)


def _reason(facts: ClinicalFacts, name: str) -> str:
    return next((r.reason for r in facts.refused if r.name == name), "")


ACCEPTED = [
    ("diagnosis", "invasive", "invasive"),
    ("side", " L ", "L"),
    ("birth_date", "1970-02-28", date(1970, 2, 28)),
    ("birth_date", datetime(1970, 2, 28, 5, tzinfo=UTC), date(1970, 2, 28)),
    ("birth_date", date(1970, 2, 28), date(1970, 2, 28)),
    ("surgery_date", "2026-12-01T08:00:00", date(2026, 12, 1)),
    ("surgery_date", "2026-12-01 08:00:00", date(2026, 12, 1)),
    ("clinical_t", "cT1c", "T1c"),
    ("clinical_t", "T4d", "T4d"),
    ("clinical_t", "Tis", "Tis"),
    ("clinical_n", "cN0(sn)", "N0(sn)"),
    ("clinical_n", "N2a", "N2a"),
    ("clinical_m", "cM0(i+)", "M0(i+)"),
    ("tnm_edition", 8, 8),
    ("size_mri_mm", 1, 1.0),
    ("size_mri_mm", 200.0, 200.0),
    ("size_mri_mm", Decimal("12.5"), 12.5),
    ("multifocal", 1, True),
    ("multifocal", False, False),
    ("grade", 3, 3),
    ("grade", 2.0, 2),
    ("er_percent", 0, 0.0),
    ("gene_expression_uri", "file:///genes.tsv", "file:///genes.tsv"),
]


@pytest.mark.parametrize(("name", "raw", "value"), ACCEPTED)
def test_takes_what_the_rule_allows(name: str, raw: object, value: object) -> None:
    """A value within its rule becomes the fact, in the rule's own type."""
    facts = _parse(**{name: raw})
    assert facts.value(name) == value and type(facts.value(name)) is type(value)
    assert facts.refused == ()


REFUSED = [
    ("diagnosis", "cancer", "not one of invasive, dcis, benign, none, unknown"),
    ("diagnosis", 3, "not text"),
    ("side", " ", "not text"),
    ("birth_date", "28.02.1970", "not a date of the form YYYY-MM-DD"),
    ("birth_date", "1970-02-30", "not a day of the calendar"),
    ("birth_date", 19700228, "not a date of the form YYYY-MM-DD"),
    ("clinical_t", "pT1c", "not a clinical category before treatment (cTNM)"),
    ("clinical_n", "ypN0", "not a clinical category before treatment (cTNM)"),
    ("clinical_n", "ycN0", "not a clinical category before treatment (cTNM)"),
    ("clinical_n", "T1", "not a clinical N category"),
    ("tnm_edition", 6, "outside 7 to 9"),
    ("size_mri_mm", 0.9, "outside 1 to 200"),
    ("size_mri_mm", 200.1, "outside 1 to 200"),
    ("size_mri_mm", True, "not a number"),
    ("size_mri_mm", "12", "not a number"),
    ("size_mri_mm", float("nan"), "not a number"),
    ("size_mri_mm", float("inf"), "not a number"),
    ("size_mri_mm", 10**400, "not a number"),
    ("size_mri_mm", Decimal("sNaN"), "not a number"),
    ("multifocal", 2, "not true or false"),
    ("multifocal", "yes", "not true or false"),
    ("grade", 4, "outside 1 to 3"),
    ("grade", 1.5, "not a whole number"),
    ("er_percent", 101, "outside 0 to 100"),
]


@pytest.mark.parametrize(("name", "raw", "rule"), REFUSED)
def test_refuses_alone_what_breaks_its_rule(name: str, raw: object, rule: str) -> None:
    """A value outside its rule is refused with the rule; the fact beside it is taken."""
    facts = _parse(**{name: raw, "sex": "F"})
    assert name not in facts.facts
    assert _reason(facts, name) == rule
    assert facts.value("sex") == "F"


def test_every_fact_of_the_dictionary_is_there() -> None:
    """The table holds each fact under its own name, with its unit."""
    assert len(FACTS) == 53
    assert all(rule.name == name for name, rule in FACTS.items())
    assert {rule.unit for rule in FACTS.values()} == {"", "date", "TNM", "mm", "%", "count", "kg/m2"}


def test_the_dictionary_and_the_table_name_the_same_facts() -> None:
    """Each name in the first column of the project's dictionary of facts is in the table, and no other."""
    lines = shared("design", "FACTS.md").read_text(encoding="utf-8").splitlines()
    first_cells = [line.split("|")[1] for line in lines if line.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named - {*IDENTITY, "recorded_date"} == set(FACTS) - {"er", "pr", "tnm_edition"}


def _dictionary() -> list[tuple[list[str], list[str], tuple[int, int] | None]]:
    """The rows of the dictionary: names, set of values (empty: none), lowest and highest number."""
    rows = []
    for line in shared("design", "FACTS.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            _, first, values, plausible, *_ = re.split(r"(?<!\\)\|", line)
            bounds = re.search(r"^\s*(\d+)–(\d+)\s*$", plausible) or re.search(r"^\s*(\d+)–(\d+)\s*$", values)
            words = [word.split("(")[0].strip() for word in values.split("\\|")]
            limits = (int(bounds[1]), int(bounds[2])) if bounds else None
            rows.append((re.findall(r"`(\w+)`", first), words if len(words) > 1 else [], limits))
    return rows


def test_the_table_takes_every_value_of_the_dictionary() -> None:
    """Each word of a set of one fact, and no other."""
    sets = {names[0]: words for names, words, _ in _dictionary() if len(names) == 1 and words}
    assert len(sets) >= 13
    for name, words in sets.items():
        for word in words:
            assert name in _parse(**{name: int(word) if word.isdigit() else word}).facts, (name, word)
        assert name not in _parse(**{name: "another"}).facts


def test_the_table_has_the_ranges_of_the_dictionary() -> None:
    """Both ends are taken, what lies beyond is not."""
    bounds = {name: limits for names, _, limits in _dictionary() if limits for name in names}
    ranges = {name: limits for name, limits in bounds.items() if not name.startswith(("clinical_", "extranodal_"))}
    assert len(ranges) >= 17
    for name, (low, high) in ranges.items():
        assert all(name in _parse(**{name: number}).facts for number in (low, high)), name
        assert not any(name in _parse(**{name: number}).facts for number in (low - 1, high + 1)), name
    assert bounds["clinical_t"] == (7, 9) and "tnm_edition" not in _parse(tnm_edition=6).facts


def test_own_date_comes_before_the_rows() -> None:
    """A fact is dated by its own column, else by the row; its source is kept."""
    facts = _parse(grade=2, grade_date="2026-10-05", grade_source=" core biopsy ", er="positive", er_source=7)
    assert facts.facts["grade"] == Fact(2, date(2026, 10, 5), "core biopsy")
    assert facts.facts["er"] == Fact("positive", RECORDED, "")


def test_refuses_a_fact_without_a_date() -> None:
    """With neither its own date nor the row's, a fact is refused and no other one."""
    facts = parse_rows([{**IDENTITY, "grade": 2, "er": "positive", "er_date": "2026-10-05"}], ALICE)
    assert list(facts.facts) == ["er"]
    assert _reason(facts, "grade") == "without a date: neither grade_date nor recorded_date"


def test_refuses_a_fact_whose_own_date_is_none() -> None:
    """An unreadable own date is not replaced by the row's."""
    facts = _parse(grade=2, grade_date="soon")
    assert "grade" not in facts.facts
    assert _reason(facts, "grade") == "grade_date is not a date of the form YYYY-MM-DD"


def test_null_is_a_fact_not_known() -> None:
    """NULL is neither a fact nor a refusal."""
    assert _parse(grade=None, grade_date=None) == ClinicalFacts({}, ())


@pytest.mark.parametrize("stranger", [{"patient_id": "P-2"}, {"issuer_of_patient_id": "OTHER"}, {"patient_id": None}])
def test_refuses_the_row_of_someone_else(stranger: dict[str, object]) -> None:
    """A row that does not name the patient asked for gives no fact at all."""
    facts = _parse(sex="F", **stranger)
    assert facts.facts == {}
    assert [r.reason for r in facts.refused] == ["not the patient who was asked for"]


def test_refuses_unknown_columns_by_name() -> None:
    """A column that is no fact is named, its value is not."""
    facts = _parse(shoe_size=38, sex="F")
    assert _reason(facts, "shoe_size") == "not a known fact"
    assert "38" not in str(facts.refused)
    assert facts.value("sex") == "F"


@pytest.mark.parametrize(("born", "taken"), [("2008-11-02", False), ("2008-11-01", True), ("1915-01-01", False)])
def test_birth_date_must_fit_the_age_at_diagnosis(born: str, taken: bool) -> None:
    """At diagnosis a patient is 18 to 110 years old, or the birth date is wrong."""
    facts = _parse(diagnosis="invasive", birth_date=born)
    assert ("birth_date" in facts.facts) is taken
    assert bool(_reason(facts, "birth_date")) is not taken


def test_birth_date_without_diagnosis_is_taken() -> None:
    """Without a diagnosis there is no age to judge."""
    assert _parse(birth_date="2020-01-01").day("birth_date") == date(2020, 1, 1)


def test_refuses_what_is_dated_in_the_future() -> None:
    """Nothing can become known after the moment of the question; a day of grace covers local time."""
    row = {"grade": 2, "grade_date": "2026-11-22", "er": "positive", "er_date": "2026-11-21"}
    known = parse_rows([{**IDENTITY, **row}], ALICE, date(2026, 11, 20))
    assert list(known.facts) == ["er"]
    assert _reason(known, "grade") == "dated in the future"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=12),
    st.binary(max_size=4),
    st.dates(),
    st.datetimes(),
    st.sampled_from([raw for _, raw, _ in ACCEPTED + REFUSED]),
)
ROWS = st.dictionaries(st.one_of(st.sampled_from(sorted(COLUMNS)), st.text(max_size=8)), VALUES, max_size=20)


@settings(deadline=None)
@given(ROWS, st.booleans(), st.randoms(use_true_random=False))
def test_any_row_parses_alike_in_any_order(row: Mapping[str, object], mine: bool, order: random.Random) -> None:
    """No row raises; each column is a fact, refused or nothing; the order of columns does not matter."""
    whole = {**row, **IDENTITY} if mine else dict(row)
    facts = parse_rows([whole], ALICE)
    shuffled = list(whole.items())
    order.shuffle(shuffled)
    assert parse_rows([dict(shuffled)], ALICE) == facts
    assert not set(facts.facts) & {r.name for r in facts.refused}
    if not mine:
        return
    given_facts = {name for name in FACTS if whole.get(name) is not None}
    assert given_facts == set(facts.facts) | ({r.name for r in facts.refused} & set(FACTS))


@settings(deadline=None)
@given(st.sampled_from(sorted(FACTS)), st.text(min_size=5, alphabet=st.characters(min_codepoint=0x3000)))
def test_reasons_never_quote_a_value(name: str, canary: str) -> None:
    """Whatever stands in a column, no refusal repeats it."""
    facts = _parse(**{name: canary, f"{name}_date": canary, "recorded_date": canary})
    assert canary not in "".join(itertools.chain.from_iterable((r.name, r.reason) for r in facts.refused))


def test_what_describes_one_side_is_refused_where_both_are_diseased() -> None:
    """By name, in words; what is about the patient stays, and what was refused before."""
    hers = {"birth_date": "1970-02-28", "menopausal_status": "pre"}
    facts = about_patient(_parse(**hers, grade=2, er_percent=90, aus_hilum="absent", quadrant="?"))
    assert set(facts.facts) == set(hers)
    assert _reason(facts, "grade") == _reason(facts, "er_percent") == SIDE_UNSAID[About.TUMOUR]
    assert _reason(facts, "aus_hilum") == SIDE_UNSAID[About.AXILLA]
    assert "not one of" in _reason(facts, "quadrant")


def test_what_names_its_side_or_the_whole_woman_is_about_the_patient() -> None:
    """Sides, dates of treatment, and what is hers whatever her breasts show."""
    about = {name for name, rule in FACTS.items() if rule.about is About.PATIENT}
    assert about > {"diagnosis", "side", "birth_date", "sex", "menopausal_status", "clinical_m", "surgery_date"}
    assert about > {"previous_breast_cancer_side", "implant_side", "body_mass_index_kg_m2", "family_history"}
    assert not about & {name for name in FACTS if name.startswith(("size_", "aus_", "sentinel_", "nodes_"))}
