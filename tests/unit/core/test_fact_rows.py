"""Several dated rows, or a table of one row a fact, become one value a fact."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.fact_rows import parse_rows, read_answer
from agent.core.facts import AFTER_SURGERY, COLUMNS, FACTS, about_patient, pre_operative
from agent.core.patient import PatientKey

ALICE = PatientKey("PHANTOM", "P-1")
IDENTITY = {"patient_id": "P-1", "issuer_of_patient_id": "PHANTOM"}
AS_OF = date(2026, 11, 20)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def _row(recorded: date | None, **columns: object) -> dict[str, object]:
    return {**IDENTITY, "recorded_date": recorded, **columns}


def _tall(name: object, value: object, day: object = "2026-11-01", source: object = None) -> dict[str, object]:
    return {**IDENTITY, "name": name, "value": value, "date": day, "source": source}


def _facts(*rows: Mapping[str, object]) -> ClinicalFacts:
    return parse_rows(rows, ALICE, AS_OF)


def _reason(facts: ClinicalFacts, name: str) -> str:
    return next((r.reason for r in facts.refused if r.name == name), "")


def test_the_newest_value_of_each_fact_counts() -> None:
    """Fact by fact, not row by row; what a fact was before is kept beside it."""
    facts = _facts(_row(OCTOBER, grade=1, sex="F"), _row(NOVEMBER, grade=2, side="L"))
    assert facts.facts == {"grade": Fact(2, NOVEMBER), "sex": Fact("F", OCTOBER), "side": Fact("L", NOVEMBER)}
    assert facts.earlier == {"grade": (Fact(1, OCTOBER),)}
    assert facts.refused == ()


def test_an_own_date_decides_not_the_row_that_it_stands_in() -> None:
    """A row that was written later may repeat what is older."""
    facts = _facts(_row(NOVEMBER, grade=1, grade_date="2026-09-01"), _row(OCTOBER, grade=2))
    assert facts.facts["grade"] == Fact(2, OCTOBER)


def test_a_value_that_is_only_repeated_is_known_since_it_was_first_said() -> None:
    """A row that is written anew with every visit makes nothing younger."""
    rows = [_row(date(2026, month, 1), diagnosis=what) for month, what in ((8, "benign"), (9, "invasive"))]
    facts = _facts(*rows, _row(OCTOBER, diagnosis="invasive"), _row(NOVEMBER, diagnosis="invasive"))
    assert facts.facts["diagnosis"] == Fact("invasive", date(2026, 9, 1))


def test_two_values_of_one_day_refuse_this_fact_alone() -> None:
    """Nobody knows which is right; the fact beside it is used."""
    facts = _facts(_row(OCTOBER, grade=1), _row(NOVEMBER, grade=2, sex="F"), _row(NOVEMBER, grade=3))
    assert set(facts.facts) == {"sex"}
    assert facts.refused == (Refusal("grade", "two values of the same day"),)


def test_one_value_said_twice_on_a_day_is_one_value() -> None:
    """From whichever row names its source."""
    facts = _facts(_row(NOVEMBER, grade=2), _row(NOVEMBER, grade=2.0, grade_source="biopsy"), _row(NOVEMBER, grade=2))
    assert facts.facts == {"grade": Fact(2, NOVEMBER, "biopsy")} and not facts.earlier


def test_what_is_dated_after_the_question_is_not_there_yet() -> None:
    """The value before it counts; without one the fact is refused."""
    later = _row(AS_OF + timedelta(days=2), grade=3, er="positive", size_mri_mm=900)
    facts = _facts(_row(OCTOBER, grade=2, size_mri_mm=14), later)
    assert facts.value("grade") == 2 and facts.value("size_mri_mm") == 14.0
    assert facts.refused == (Refusal("er", "dated in the future"),)


def test_a_newest_value_that_breaks_its_rule_refuses_the_fact() -> None:
    """The old value is not what the hospital says now; an old mistake that was put right harms nothing."""
    assert _reason(_facts(_row(OCTOBER, grade=2), _row(NOVEMBER, grade=9)), "grade") == "outside 1 to 3"
    righted = _facts(_row(OCTOBER, grade=9), _row(NOVEMBER, grade=2))
    assert righted.value("grade") == 2 and not righted.refused and not righted.earlier
    same_day = _facts(_row(NOVEMBER, grade=2), _row(NOVEMBER, grade=9))
    assert _reason(same_day, "grade") == "outside 1 to 3"


@pytest.mark.parametrize("said", [{"node_biopsy": "POS (see report)"}, {"node_biopsy": "x", "recorded_date": None}])
def test_what_was_known_outlives_a_newest_value_that_cannot_be_read(said: Mapping[str, object]) -> None:
    """The fact is refused, but that it once was positive is not lost, before any moment after that."""
    facts = _facts(_row(OCTOBER, node_biopsy="positive", sex="F"), _row(NOVEMBER) | said)
    assert set(facts.facts) == {"sex"} and _reason(facts, "node_biopsy")
    assert facts.earlier == {"node_biopsy": (Fact("positive", OCTOBER),)} == facts.before(NOVEMBER).earlier
    assert facts.before(OCTOBER) == ClinicalFacts(refused=facts.refused, unread=facts.unread)


def test_a_fact_was_not_known_while_its_last_value_could_not_be_read() -> None:
    """What it was before is kept, but it is not what the hospital said then."""
    first, last = date(2026, 9, 1), date(2026, 10, 20)
    facts = _facts(_row(first, grade=2), _row(OCTOBER, grade=9), _row(last, grade=2))
    assert facts.facts["grade"] == Fact(2, last) and facts.earlier == {"grade": (Fact(2, first),)}
    then = facts.before(last)
    assert not then.facts and then.earlier == facts.earlier
    assert facts.before(OCTOBER).facts == {"grade": Fact(2, first)}


def test_a_value_without_a_date_refuses_the_fact() -> None:
    """It may be newer than any other."""
    facts = _facts(_row(OCTOBER, grade=2, sex="F"), _row(None, grade=3))
    assert _reason(facts, "grade") == "without a date: neither grade_date nor recorded_date"
    assert set(facts.facts) == {"sex"}


def test_of_dates_of_treatment_the_earliest_counts() -> None:
    """An excision again is another surgery: what is pre-operative ends with the first."""
    first, again = "2026-10-05", "2026-11-02"
    facts = _facts(_row(OCTOBER, surgery_date=first), _row(NOVEMBER, surgery_date=again))
    assert facts.facts["surgery_date"] == Fact(date(2026, 10, 5), OCTOBER)
    assert _reason(_facts(_row(OCTOBER, surgery_date=first), _row(NOVEMBER, surgery_date="soon")), "surgery_date")


@pytest.mark.parametrize("name", ["patient_id", "issuer_of_patient_id"])
def test_one_row_of_someone_else_refuses_every_row(name: str) -> None:
    """A query that mixes patients is wrong as a whole."""
    facts = _facts(_row(OCTOBER, grade=2), _row(NOVEMBER, sex="F") | {name: "P-2"})
    assert facts == ClinicalFacts(refused=(Refusal(name, "not the patient who was asked for"),))


def test_before_a_moment_a_fact_is_what_it_was_then() -> None:
    """What surgery changed is not lost: the biopsy's value counts before it."""
    facts = _facts(_row(OCTOBER, grade=1), _row(date(2026, 10, 20), grade=2), _row(NOVEMBER, grade=3, side="L"))
    before = facts.before(NOVEMBER)
    assert before.facts == {"grade": Fact(2, date(2026, 10, 20))}
    assert before.earlier == {"grade": (Fact(1, OCTOBER),)}
    assert before.before(date(2026, 10, 20)).facts == {"grade": Fact(1, OCTOBER)}
    assert facts.before(None) is facts


def test_what_only_surgery_tells_is_refused_before_it() -> None:
    """However it is dated, and whatever else is known."""
    facts = pre_operative(_facts(_row(OCTOBER, size_pathology_mm=9), _row(NOVEMBER, size_pathology_mm=8, grade=2)))
    assert set(facts.facts) == {"grade"} and not facts.earlier
    assert facts.refused == (Refusal("size_pathology_mm", AFTER_SURGERY),)
    after = {name for name, rule in FACTS.items() if rule.after_surgery}
    assert after == {"size_pathology_mm", "extranodal_extension", "nodes_removed", "nodes_positive"} | {
        name for name in FACTS if name.startswith("sentinel_")
    }


def test_the_earlier_values_of_what_is_refused_go_with_it() -> None:
    """Where both sides are diseased neither an old nor a new size is the patient's."""
    facts = about_patient(_facts(_row(OCTOBER, grade=1, sex="F"), _row(NOVEMBER, grade=2)))
    assert set(facts.facts) == {"sex"} and not facts.earlier


def test_an_answer_without_rows_is_a_patient_whom_nobody_knows() -> None:
    """None, not a patient of whom nothing is known."""
    assert read_answer([], ALICE, AS_OF) is None
    assert read_answer([_row(OCTOBER)], ALICE, AS_OF) == ClinicalFacts()


TYPED = [
    ("size_mri_mm", "12.5", 12.5),
    ("size_mri_mm", " 12 ", 12.0),
    ("size_mri_mm", 12.5, 12.5),
    ("grade", "2", 2),
    ("er_percent", "0", 0.0),
    ("multifocal", "true", True),
    ("multifocal", "FALSE", False),
    ("multifocal", "1", True),
    ("multifocal", "0", False),
    ("multifocal", True, True),
    ("her2", " low", "low"),
    ("surgery_date", "2026-12-01", date(2026, 12, 1)),
]


@pytest.mark.parametrize(("name", "raw", "value"), TYPED)
def test_the_dictionary_types_the_text_of_a_tall_table(name: str, raw: object, value: object) -> None:
    """One column holds values of every kind as text."""
    facts = _facts(_tall(name, raw, source="pathology"))
    assert facts.facts == {name: Fact(value, NOVEMBER, "pathology")}  # type: ignore[arg-type]  # one of TYPED
    assert type(facts.value(name)) is type(value)
    assert facts.refused == ()


UNTYPED = [
    ("size_mri_mm", "12,5", "not a number"),
    ("size_mri_mm", "1e1", "not a number"),
    ("size_mri_mm", "nan", "not a number"),
    ("size_mri_mm", "<5", "not a number"),
    ("grade", "2.5", "not a whole number"),
    ("multifocal", "yes", "not true or false"),
    ("multifocal", 2, "not true or false"),
    ("her2", 1, "not text"),
]


@pytest.mark.parametrize(("name", "raw", "reason"), UNTYPED)
def test_text_that_is_not_of_the_facts_kind_is_refused_alone(name: str, raw: object, reason: str) -> None:
    """With the rule that it breaks."""
    facts = _facts(_tall(name, raw), _tall("sex", "F"))
    assert set(facts.facts) == {"sex"} and _reason(facts, name) == reason


def test_a_tall_row_without_a_date_is_refused() -> None:
    """There is no other column that could date it."""
    assert _reason(_facts(_tall("grade", "2", None)), "grade") == "without a date: no date"
    assert _reason(_facts(_tall("grade", "2", "soon")), "grade") == "date is not a date of the form YYYY-MM-DD"


def test_a_tall_name_that_is_no_fact_is_not_repeated() -> None:
    """A query may have mixed up its columns: it may be a person's name."""
    facts = _facts(_tall("Canary^Ann", "1"), _tall(7, "1"), _tall("grade", None), _tall("sex", "F") | {"shoe_size": 38})
    assert set(facts.facts) == {"sex"}
    assert facts.refused == (Refusal("name", "not a known fact"), Refusal("shoe_size", "not a known fact"))


DAYS = st.dates(date(2026, 10, 1), date(2026, 11, 30))
VALUES = st.one_of(st.none(), st.sampled_from([0, 1, 2, 3, 9, 2.0, "L", "F", "invasive", "2026-10-09", "?", True]))
FEW = st.sampled_from(["grade", "sex", "side", "diagnosis", "surgery_date", "birth_date", "er_percent", "multifocal"])
WIDE_ROWS = st.builds(
    lambda day, columns: _row(day, **columns),
    st.one_of(st.none(), DAYS),
    st.dictionaries(st.one_of(FEW, FEW.map("{}_date".format), FEW.map("{}_source".format)), VALUES, max_size=6),
)
TALL_ROWS = st.builds(_tall, FEW, VALUES, st.one_of(st.none(), DAYS), st.sampled_from([None, "a", "b"]))


@settings(deadline=None)
@given(st.one_of(st.lists(WIDE_ROWS, max_size=6), st.lists(TALL_ROWS, max_size=8)), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(rows: Sequence[Mapping[str, object]], order: random.Random) -> None:
    """Nor does saying a row twice; and nothing of the future is ever used."""
    facts = _facts(*rows)
    shuffled = [*rows, *rows[:1]]
    order.shuffle(shuffled)
    assert _facts(*shuffled) == facts
    known = [*facts.facts.values(), *(one for old in facts.earlier.values() for one in old)]
    assert all(fact.known_on <= AS_OF + timedelta(days=1) for fact in known)
    assert not set(facts.facts) & {refusal.name for refusal in facts.refused}
    assert set(facts.earlier) <= set(facts.facts) | {refusal.name for refusal in facts.refused}


@settings(deadline=None)
@given(st.lists(WIDE_ROWS, max_size=6), DAYS)
def test_rows_of_the_future_change_nothing_that_is_used(rows: Sequence[Mapping[str, object]], day: date) -> None:
    """The facts at a moment are those of the rows that were written by then."""
    dateless = [{k: v for k, v in row.items() if not k.endswith("_date") or k in FACTS} for row in rows]
    dated = [row | {"recorded_date": old.get("recorded_date") or day} for row, old in zip(dateless, rows, strict=True)]
    limit = day + timedelta(days=1)
    by_then = [row for row in dated if row["recorded_date"] <= limit]  # type: ignore[operator]  # dates
    assert parse_rows(dated, ALICE, day).facts == parse_rows(by_then, ALICE, day).facts


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.one_of(st.sampled_from(sorted({*COLUMNS, "name", "value", "date"})), st.text()), VALUES),
        max_size=4,
    )
)
def test_no_rows_raise(rows: Sequence[Mapping[str, object]]) -> None:
    """Whatever the columns are, and whether or not they are the same in each row."""
    assert not set(_facts(*rows).facts) - set(FACTS)
    assert not set(_facts(*({**row, **IDENTITY} for row in rows)).facts) - set(FACTS)
