"""The queries for other schemas give the expected facts of a few patients, on SQLite and on PostgreSQL."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from agent.core.clinical import ClinicalFacts, Fact
from agent.core.patient import PatientKey
from agent.ehr import EhrSource
from tests.peers import ROOT
from tests.postgres import PostgresServer

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
EXAMPLES = ROOT / "sql" / "ehr" / "examples"

OMOP = """
CREATE TABLE person (person_id INTEGER, person_source_value VARCHAR(50), gender_concept_id INTEGER,
    birth_datetime TIMESTAMP);
CREATE TABLE concept (concept_id INTEGER, vocabulary_id VARCHAR(20), concept_code VARCHAR(50),
    concept_class_id VARCHAR(20));
CREATE TABLE concept_ancestor (ancestor_concept_id INTEGER, descendant_concept_id INTEGER);
CREATE TABLE condition_occurrence (person_id INTEGER, condition_concept_id INTEGER, condition_start_date DATE);
CREATE TABLE measurement (person_id INTEGER, measurement_concept_id INTEGER, measurement_date DATE,
    value_as_number NUMERIC, value_source_value VARCHAR(50), unit_concept_id INTEGER,
    measurement_source_value VARCHAR(50));
CREATE TABLE procedure_occurrence (person_id INTEGER, procedure_concept_id INTEGER, procedure_date DATE);
CREATE TABLE drug_exposure (person_id INTEGER, drug_concept_id INTEGER, drug_exposure_start_date DATE);
INSERT INTO person VALUES (1, 'P-1', 8532, '1970-02-28 00:00:00'), (2, 'P-2', 8507, '1950-01-01 00:00:00'),
    (3, 'P-3', 8532, '1960-01-01 00:00:00');
INSERT INTO concept VALUES (0, 'None', 'No matching concept', ''), (11, 'SNOMED', '408643008', ''),
    (12, 'SNOMED', '109889007', ''), (21, 'LOINC', '20228-3', ''), (22, 'LOINC', '44648-4', ''),
    (23, 'LOINC', '85329-1', ''), (24, 'LOINC', '85325-9', ''), (25, 'LOINC', '85330-9', ''),
    (26, 'LOINC', '85319-2', ''), (31, 'SNOMED', '392021009', ''), (32, 'SNOMED', '396487001', ''),
    (41, 'RxNorm', '10324', 'Ingredient'), (42, 'RxNorm', '313195', 'Clinical Drug'), (51, 'SNOMED', '33195004', '');
INSERT INTO concept_ancestor VALUES (41, 41), (41, 42), (42, 42);
INSERT INTO condition_occurrence VALUES (1, 12, '2026-09-01'), (1, 11, '2026-10-01'), (1, 11, '2026-10-20'),
    (2, 11, '2026-10-01');
INSERT INTO measurement VALUES (1, 21, '2026-10-01', NULL, 'Left', NULL, NULL), (1, 22, '2026-10-01', 2, NULL, 0, NULL),
    (1, 23, '2026-10-01', 95, NULL, 0, NULL), (1, 24, '2026-10-01', 40, NULL, 0, NULL),
    (1, 25, '2026-10-01', 12.5, NULL, 0, NULL), (1, 26, '2026-10-01', NULL, 'Negative', 0, NULL),
    (1, 0, '2026-09-28', 1.4, NULL, 8582, 'US TUMOUR SIZE'), (1, 22, '2026-11-25', 3, NULL, 0, NULL),
    (2, 22, '2026-10-01', 3, NULL, 0, NULL);
INSERT INTO procedure_occurrence VALUES (1, 31, '2026-11-10'), (1, 31, '2026-11-18'), (1, 32, '2026-11-10');
INSERT INTO drug_exposure VALUES (1, 42, '2026-11-12'), (2, 42, '2026-09-01');
"""

TALL = """
CREATE TABLE tumour_board (mrn VARCHAR(64), authority VARCHAR(64), item VARCHAR(64), content VARCHAR(255),
    reported_on DATE, document VARCHAR(255));
INSERT INTO tumour_board VALUES
    ('P-1', 'HOSPITAL', 'diagnosis', 'invasive', '2026-10-01', 'core biopsy'),
    ('P-1', 'HOSPITAL', 'side', 'left', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'ER %', '95', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'Nottingham', '1', '2026-09-01', NULL),
    ('P-1', 'HOSPITAL', 'Nottingham', '2', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'US size', '14,5', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'multifocal', 'true', '2026-10-01', ''),
    ('P-1', 'HOSPITAL', 'birth_date', '1970-02-28', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'shoes', '38', '2026-10-01', NULL),
    ('P-1', 'HOSPITAL', 'her2', 'negative', NULL, NULL),
    ('P-1', 'OTHER', 'Nottingham', '3', '2026-10-01', NULL);
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'site.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def _source(url: str, schema: str, query: str) -> EhrSource:
    if url.startswith("sqlite"):
        db = sqlite3.connect(url.removeprefix("sqlite:///"))
        db.executescript(schema)
        db.close()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            server.execute(schema.encode())
    return EhrSource(url, EXAMPLES / query, timeout_s=5)


def _facts(source: EhrSource, patient_id: str) -> ClinicalFacts:
    facts = source.facts(PatientKey("HOSPITAL", patient_id), NOW)
    assert facts is not None
    return facts


def test_omop_gives_the_facts_of_its_events(url: str) -> None:
    """Typed, each dated by its event; what follows from them; nothing of the future."""
    source = _source(url, OMOP, "omop_5_4.sql")
    assert source.check(NOW) == ()
    facts, october, born = _facts(source, "P-1"), date(2026, 10, 1), date(1970, 2, 28)
    assert facts.refused == ()
    assert facts.facts == {
        "diagnosis": Fact("invasive", october, "condition_occurrence"),
        "histological_type": Fact("NST", october),
        "side": Fact("L", october),
        "birth_date": Fact(born, born),
        "sex": Fact("F", born),
        "grade": Fact(2, october),
        "er_percent": Fact(95.0, october),
        "pr_percent": Fact(40.0, october),
        "ki67_percent": Fact(12.5, october),
        "her2": Fact("negative", october),
        "size_ultrasound_mm": Fact(14.0, date(2026, 9, 28)),
        "surgery_date": Fact(date(2026, 11, 10), date(2026, 11, 10)),
        "axillary_surgery_date": Fact(date(2026, 11, 10), date(2026, 11, 10)),
        "systemic_therapy_date": Fact(date(2026, 11, 12), date(2026, 11, 12)),
        "er": Fact("positive", october, "derived from er_percent"),
        "pr": Fact("positive", october, "derived from pr_percent"),
        "subtype": Fact("luminal_a", october, "derived from er, pr_percent, her2, ki67_percent"),
    }


def test_omop_keeps_patients_and_issuers_apart(url: str) -> None:
    """Another patient's events are hers alone; a patient without events is known; another issuer's is not."""
    source = _source(url, OMOP, "omop_5_4.sql")
    other = _facts(source, "P-2")
    assert (other.value("grade"), other.value("sex")) == (3, "M")
    assert other.day("systemic_therapy_date") == date(2026, 9, 1)
    assert set(_facts(source, "P-3").facts) == {"birth_date", "sex"}
    assert source.facts(PatientKey("OTHER", "P-1"), NOW) is None
    assert source.facts(PatientKey("HOSPITAL", "P-4"), NOW) is None


def test_a_tall_table_gives_the_facts_of_its_rows(url: str) -> None:
    """The newest of each; what has no date is not seen by this query, what cannot be read is refused alone."""
    source = _source(url, TALL, "tall.sql")
    assert source.check(NOW) == ()
    facts, october = _facts(source, "P-1"), date(2026, 10, 1)
    assert facts.facts == {
        "diagnosis": Fact("invasive", october, "core biopsy"),
        "side": Fact("L", october),
        "birth_date": Fact(date(1970, 2, 28), october),
        "grade": Fact(2, october),
        "multifocal": Fact(True, october),
        "er_percent": Fact(95.0, october),
        "er": Fact("positive", october, "derived from er_percent"),
    }
    assert [(r.name, r.reason) for r in facts.refused] == [
        ("name", "not a known fact"),
        ("size_ultrasound_mm", "not a number"),
    ]


def test_a_tall_table_keeps_issuers_apart(url: str) -> None:
    """The same Patient ID of another authority is another patient."""
    source = _source(url, TALL, "tall.sql")
    other = source.facts(PatientKey("OTHER", "P-1"), NOW)
    assert other is not None and set(other.facts) == {"grade"}
    assert source.facts(PatientKey("HOSPITAL", "P-2"), NOW) is None
