"""What every ClinicalSource must do: the hospital's database, and the fake that stands for it in other tests."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

import pytest

from agent.core.clinical import Fact
from agent.core.patient import PatientKey
from agent.core.ports import ClinicalSource
from agent.ehr import EhrSource
from tests.fakes.clinical import FakeClinical
from tests.hospital import QUERY, postgres_hospital, sqlite_hospital
from tests.postgres import PostgresServer

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ALICE, BERTA = PatientKey("PHANTOM", "P-1"), PatientKey("OTHER", "P-1")
ROW: dict[str, object] = {"patient_id": "P-1", "issuer_of_patient_id": "PHANTOM", "recorded_date": "2026-11-01"}

Make = Callable[..., ClinicalSource]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def source_with(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make a source that holds some rows."""

    def make(*rows: Mapping[str, object]) -> ClinicalSource:
        if request.param == "fake":
            fake = FakeClinical()
            fake.rows = [dict(row) for row in rows]
            return fake
        if request.param == "sqlite":
            url = sqlite_hospital(tmp_path / "ehr.db", *rows)
        else:
            url = postgres_hospital(cast(PostgresServer, request.getfixturevalue("postgres")), *rows)
        return EhrSource(url, QUERY, timeout_s=5)

    return make


def test_gives_typed_facts_with_their_dates(source_with: Make) -> None:
    """Every kind of value comes back typed, dated by its own day or the row's."""
    values = {
        "diagnosis": "invasive",
        "diagnosis_date": "2026-10-20",
        "birth_date": "1970-02-28",
        "size_ultrasound_mm": 14.5,
        "grade": 2,
        "multifocal": False,
    }
    facts = source_with({**ROW, **values}).facts(ALICE, NOW)
    assert facts is not None and facts.refused == ()
    recorded = date(2026, 11, 1)
    assert facts.facts == {
        "diagnosis": Fact("invasive", date(2026, 10, 20)),
        "birth_date": Fact(date(1970, 2, 28), recorded),
        "size_ultrasound_mm": Fact(14.5, recorded),
        "grade": Fact(2, recorded),
        "multifocal": Fact(False, recorded),
    }


def test_an_unknown_patient_is_none(source_with: Make) -> None:
    """A patient the hospital does not have, or whom another authority numbered, is None."""
    source = source_with(ROW)
    assert source.facts(PatientKey("PHANTOM", "P-2"), NOW) is None
    assert source.facts(BERTA, NOW) is None


def test_two_issuers_keep_their_patients_apart(source_with: Make) -> None:
    """The same Patient ID of two authorities is two patients."""
    source = source_with({**ROW, "grade": 1}, {**ROW, "issuer_of_patient_id": "OTHER", "grade": 3})
    grades = [facts.value("grade") for one in (ALICE, BERTA) if (facts := source.facts(one, NOW))]
    assert grades == [1, 3]


def test_refuses_a_value_alone(source_with: Make) -> None:
    """A value outside its range is refused; its neighbour is used."""
    facts = source_with({**ROW, "size_mri_mm": 900.0, "sex": "F"}).facts(ALICE, NOW)
    assert facts is not None
    assert list(facts.facts) == ["sex"]
    assert [(r.name, r.reason) for r in facts.refused] == [("size_mri_mm", "outside 1 to 200")]


def test_nothing_is_known_before_its_day(source_with: Make) -> None:
    """What claims to be known later than the question is refused."""
    facts = source_with({**ROW, "grade": 2, "grade_date": "2026-12-24"}).facts(ALICE, NOW)
    assert facts is not None and [r.reason for r in facts.refused] == ["dated in the future"]


def test_several_dated_rows_are_one_patient(source_with: Make) -> None:
    """Of each fact the newest value counts that was known; what a row of the future says is not there yet."""
    rows = [
        {**ROW, "recorded_date": "2026-10-01", "grade": 1, "sex": "F"},
        {**ROW, "grade": 2},
        {**ROW, "recorded_date": "2026-12-24", "grade": 3},
    ]
    facts = source_with(*rows).facts(ALICE, NOW)
    assert facts is not None and facts.refused == ()
    assert facts.facts == {"sex": Fact("F", date(2026, 10, 1)), "grade": Fact(2, date(2026, 11, 1))}
    assert facts.earlier == {"grade": (Fact(1, date(2026, 10, 1)),)}
    assert facts.before(date(2026, 11, 1)).value("grade") == 1


@pytest.mark.parametrize("step", [1, -1])
def test_what_was_proven_outlives_a_value_that_cannot_be_read(step: int, source_with: Make) -> None:
    """The fact is refused; what it was before is kept."""
    rows = [{**ROW, "recorded_date": "2026-10-01", "node_biopsy": "positive"}, {**ROW, "node_biopsy": "positiv"}]
    facts = source_with(*rows[::step]).facts(ALICE, NOW)
    assert facts is not None and facts.value("node_biopsy") is None
    assert [refusal.name for refusal in facts.refused] == ["node_biopsy"]
    assert facts.earlier == {"node_biopsy": (Fact("positive", date(2026, 10, 1)),)}


@pytest.mark.parametrize("step", [1, -1])
def test_two_values_of_one_day_refuse_this_fact_alone(step: int, source_with: Make) -> None:
    """Whatever the order of the rows."""
    rows = [
        {**ROW, "grade": 1, "sex": "F"},
        {**ROW, "recorded_date": "2026-11-02", "grade": 2, "grade_date": "2026-11-01"},
    ]
    facts = source_with(*rows[::step]).facts(ALICE, NOW)
    assert facts is not None and set(facts.facts) == {"sex"}
    assert [(r.name, r.reason) for r in facts.refused] == [("grade", "two values of the same day")]


def test_what_follows_from_the_facts_is_a_fact(source_with: Make) -> None:
    """Receptors from percentages, the subtype from receptors, each with where it is from."""
    known = {"er_percent": 0.0, "pr_percent": 0.0, "her2": "positive", "her2_date": "2026-11-05"}
    facts = source_with({**ROW, **known}).facts(ALICE, NOW)
    assert facts is not None
    assert facts.facts["er"] == Fact("negative", date(2026, 11, 1), "derived from er_percent")
    assert facts.facts["subtype"] == Fact("her2", date(2026, 11, 5), "derived from er, pr, her2")
