import shutil
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.errors import Permanent, Transient
from agent.core.facts import COLUMNS, FACTS
from agent.core.patient import PatientKey
from agent.ehr import EhrSource
from agent.ehr.query import clinical_query, dated_by_parameter, parameters
from tests.hospital import QUERY, SCHEMA, postgres_hospital, sqlite_hospital
from tests.postgres import PostgresServer

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ALICE = PatientKey("PHANTOM", "P-1")
ROW: dict[str, object] = {
    "patient_id": "P-1",
    "issuer_of_patient_id": "PHANTOM",
    "recorded_date": "2026-11-01",
    "sex": "F",
}
IDENTITY = "SELECT patient_id, issuer_of_patient_id, recorded_date"
CANARY = "not-a-real-one"
CONDITION = "patient_id = :patient_id AND issuer_of_patient_id = :issuer AND :as_of IS NOT NULL"
WHERE = f"FROM clinical_facts WHERE {CONDITION}"

INJECTIONS = [
    f"{head}{body}{tail}"
    for head in ("", "P-1", "'", "P-1'", '"')
    for body in (
        "; DROP TABLE clinical_facts",
        " OR '1'='1",
        "' OR 1=1",
        " UNION SELECT * FROM clinical_facts",
        "; INSERT INTO clinical_facts DEFAULT VALUES",
        "'; UPDATE clinical_facts SET sex = 'M",
        "%' OR patient_id LIKE '%",
        ":issuer",
        "\\'; DELETE FROM clinical_facts",
        "$$; TRUNCATE clinical_facts; $$",
    )
    for tail in ("--", "/*")
]


def _source(url: str, tmp_path: Path, sql: str | None = None, timeout_s: float = 5) -> EhrSource:
    file = QUERY
    if sql is not None:
        file = tmp_path / "query.sql"
        file.write_text(sql, encoding="utf-8")
    return EhrSource(url, file, timeout_s)


def _content(url: str) -> list[object]:
    """Everything that is in a database, and its tables."""
    if url.startswith("postgresql"):
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
            return [tables, server.execute("SELECT * FROM clinical_facts ORDER BY 1, 2, 3").fetchall()]
    db = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return [
            db.execute("SELECT * FROM clinical_facts").fetchall(),
            db.execute("SELECT * FROM sqlite_schema").fetchall(),
        ]
    finally:
        db.close()


def test_the_shipped_query_is_right(tmp_path: Path) -> None:
    """check-config has nothing to say about the query that is shipped."""
    assert _source(sqlite_hospital(tmp_path / "ehr.db", ROW), tmp_path).check(NOW) == ()


def test_the_shipped_query_asks_for_every_fact() -> None:
    """The demo's schema and query hold each fact and its date, and nothing that is no fact."""
    wanted = {name for name in COLUMNS if not name.endswith("_source")}
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA.read_text(encoding="utf-8"))
    columns = {name for _, name, *_ in db.execute("PRAGMA table_info(clinical_facts)")}
    cursor = db.execute(QUERY.read_text(encoding="utf-8"), {"patient_id": "", "issuer": "", "as_of": "2026-11-20"})
    asked = {name for name, *_ in cursor.description}
    db.close()
    assert columns == asked == wanted
    assert set(FACTS) < asked


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    """Unused parameters, missing identity, unknown columns and a row for nobody are each one sentence."""
    sql = "SELECT 'x' AS patient_id, 38 AS shoe_size WHERE :patient_id <> ''"
    problems = _source(sqlite_hospital(tmp_path / "ehr.db"), tmp_path, sql).check(NOW)
    assert [problem.partition("query.sql: ")[2] for problem in problems] == [
        "the parameter :issuer is not used",
        "the parameter :as_of is not used",
        "a row is returned for a patient who does not exist",
        "the column issuer_of_patient_id is missing",
        "the column shoe_size is not a known fact",
    ]


def test_check_knows_the_tall_form(tmp_path: Path) -> None:
    """Its columns, and that none of them is there twice."""
    sql = (
        "SELECT patient_id, issuer_of_patient_id, 'grade' AS name, '2' AS value, '' AS source, '' AS source, "
        f"1 AS grade {WHERE}"
    )
    problems = _source(sqlite_hospital(tmp_path / "ehr.db"), tmp_path, sql).check(NOW)
    assert [problem.partition("query.sql: ")[2] for problem in problems] == [
        "the column date is missing",
        "the column grade is not a column of the tall form",
        "the column source is returned twice",
    ]


def test_check_refuses_the_moment_of_the_question_as_a_date(tmp_path: Path) -> None:
    """Every fact would have become known just now, whatever its age."""
    sql = f"SELECT patient_id, issuer_of_patient_id, :as_of AS recorded_date {WHERE}"
    problems = _source(sqlite_hospital(tmp_path / "ehr.db"), tmp_path, sql).check(NOW)
    assert [problem.partition("query.sql: ")[2] for problem in problems] == [
        "recorded_date is the parameter :as_of; it must be the day on which the hospital wrote the row"
    ]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :as_of AS recorded_date", ("recorded_date",)),
        ("SELECT :as_of recorded_date, x", ("recorded_date",)),
        ("SELECT date(:as_of) AS Recorded_Date", ("recorded_date",)),
        ("SELECT CAST(:as_of AS date) AS grade_date", ("grade_date",)),
        ("SELECT :as_of::date AS recorded_date", ("recorded_date",)),
        ("SELECT COALESCE(updated, :as_of) AS recorded_date", ("recorded_date",)),
        ('SELECT :as_of AS "date"', ("date",)),
        ("SELECT :as_of AS [date]", ("date",)),
        ("SELECT :as_of AS x, recorded_date FROM t", ()),
        ("SELECT recorded_date FROM t WHERE recorded_date <= :as_of ORDER BY recorded_date", ()),
        ("SELECT x FROM t WHERE recorded_date <= CAST(:as_of AS date) AND y = 1", ()),
        ("SELECT x FROM t WHERE :as_of >= recorded_date", ()),
        ("SELECT ':as_of AS recorded_date' AS x -- :as_of AS recorded_date", ()),
    ],
)
def test_dates_that_are_the_moment_of_the_question_are_found(sql: str, names: tuple[str, ...]) -> None:
    """In whatever cast or call, and never where it only bounds the rows."""
    assert dated_by_parameter(clinical_query(sql)) == names


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_injections_have_no_effect(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """100 hostile Patient IDs and issuers find nobody and change nothing."""
    assert len(set(INJECTIONS)) == 100
    if database == "sqlite":
        url = sqlite_hospital(tmp_path / "ehr.db", ROW)
    else:
        url = postgres_hospital(request.getfixturevalue("postgres"), ROW)
    source = _source(url, tmp_path)
    before = source.facts(ALICE, NOW)
    content = _content(url)
    for text in INJECTIONS:
        assert source.facts(PatientKey("PHANTOM", text), NOW) is None
        assert source.facts(PatientKey(text, "P-1"), NOW) is None
    assert source.facts(ALICE, NOW) == before and before is not None
    assert _content(url) == content


@pytest.mark.parametrize("hostile", ["P\x001", "P\n1", "\ud800"])
def test_identities_that_cannot_be_are_unknown(hostile: str, tmp_path: Path) -> None:
    """What no database can hold is not asked for."""
    source = _source(sqlite_hospital(tmp_path / "ehr.db", ROW), tmp_path)
    assert source.facts(PatientKey("PHANTOM", hostile), NOW) is None
    assert source.facts(PatientKey(hostile, "P-1"), NOW) is None


def test_a_query_that_forgot_its_condition_is_an_error(tmp_path: Path) -> None:
    """No patient has ten thousand rows; the message names the file and no patient."""
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) "
    url = sqlite_hospital(tmp_path / "ehr.db", ROW)
    with pytest.raises(Permanent, match=r"query\.sql: more than 10000 rows for a patient$"):
        _source(url, tmp_path, f"{many} {IDENTITY} FROM clinical_facts, n WHERE {CONDITION}").facts(ALICE, NOW)


def test_a_row_of_someone_else_among_others_is_an_error(tmp_path: Path) -> None:
    """Not only the first row is looked at."""
    other = "SELECT 'P-2' AS patient_id, 'PHANTOM' AS issuer_of_patient_id, '2026-11-01' AS recorded_date"
    source = _source(sqlite_hospital(tmp_path / "ehr.db", ROW), tmp_path, f"{IDENTITY} {WHERE} UNION ALL {other}")
    with pytest.raises(Permanent, match="must be columns and equal what was asked for"):
        source.facts(ALICE, NOW)


def test_a_row_of_someone_else_is_an_error(tmp_path: Path) -> None:
    """A query that answers for another patient is wrong."""
    sql = f"SELECT 'P-2' AS patient_id, issuer_of_patient_id, recorded_date, sex {WHERE}"
    with pytest.raises(Permanent, match="must be columns and equal what was asked for"):
        _source(sqlite_hospital(tmp_path / "ehr.db", ROW), tmp_path, sql).facts(ALICE, NOW)


WRONG = [
    "SELECT nonsense FROM clinical_facts",
    "SELEC patient_id",
    "SELECT 1; SELECT 2",
    "-- nothing but a comment",
    "DELETE FROM clinical_facts WHERE patient_id = :patient_id",
    "UPDATE clinical_facts SET sex = 'M' WHERE patient_id = :patient_id RETURNING *",
    "ATTACH DATABASE ':memory:' AS other",
    "SELECT :canary",
]


@pytest.mark.parametrize("sql", WRONG)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_wrong_query_is_permanent_and_writes_nothing(
    sql: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Bad SQL and attempts to write are refused by name of file, without values."""
    if database == "sqlite":
        url = sqlite_hospital(tmp_path / "ehr.db", ROW)
    else:
        url = postgres_hospital(request.getfixturevalue("postgres"), ROW)
    with pytest.raises(Permanent, match=r"query\.sql") as caught:
        _source(url, tmp_path, sql).facts(ALICE, NOW)
    assert "P-1" not in str(caught.value) and caught.value.__cause__ is None
    facts = _source(url, tmp_path).facts(ALICE, NOW)
    assert facts is not None and facts.value("sex") == "F"


def test_a_locked_database_is_transient(tmp_path: Path) -> None:
    """While someone holds the SQLite file, asking may work later; then it does."""
    url = sqlite_hospital(tmp_path / "ehr.db", ROW)
    source = _source(url, tmp_path, timeout_s=0.05)
    writer = sqlite3.connect(tmp_path / "ehr.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Transient, match="cannot be asked"):
        source.facts(ALICE, NOW)
    writer.execute("ROLLBACK")
    writer.close()
    assert source.facts(ALICE, NOW) is not None


def test_a_missing_file_is_transient_and_is_not_made(tmp_path: Path) -> None:
    """A share that is not mounted may come back; no empty database is put in its place."""
    with pytest.raises(Transient, match="cannot be asked"):
        _source(f"sqlite:///{tmp_path / 'ehr.db'}", tmp_path).facts(ALICE, NOW)
    assert not (tmp_path / "ehr.db").exists()


def test_a_slow_query_is_stopped(tmp_path: Path) -> None:
    """An endless query ends at the time-out as Transient."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i), :patient_id FROM n"
    source = _source(sqlite_hospital(tmp_path / "ehr.db"), tmp_path, endless, timeout_s=0.1)
    started = time.monotonic()
    with pytest.raises(Transient):
        source.facts(ALICE, NOW)
    assert time.monotonic() - started < 5


def test_a_slow_postgres_query_is_stopped(postgres: PostgresServer, tmp_path: Path) -> None:
    """PostgreSQL is given the same time-out."""
    slow = "SELECT pg_sleep(60), :patient_id AS patient_id"
    with pytest.raises(Transient, match="QueryCanceled"):
        _source(postgres_hospital(postgres), tmp_path, slow, timeout_s=0.1).facts(ALICE, NOW)


def test_a_locked_postgres_table_is_transient(postgres: PostgresServer, tmp_path: Path) -> None:
    """Waiting for a lock counts as time of the query; afterwards it is answered."""
    url = postgres_hospital(postgres, ROW)
    with psycopg.connect(url.replace("+psycopg", "")) as holder:
        holder.execute("LOCK TABLE clinical_facts IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Transient, match="QueryCanceled"):
            _source(url, tmp_path, timeout_s=0.1).facts(ALICE, NOW)
    assert _source(url, tmp_path).facts(ALICE, NOW) is not None


def test_an_absent_server_is_transient(tmp_path: Path) -> None:
    """A server that refuses the connection may come back."""
    with pytest.raises(Transient, match="cannot be asked"):
        _source("postgresql+psycopg://nobody@127.0.0.1:1/ehr", tmp_path, timeout_s=1).facts(ALICE, NOW)


def test_the_password_comes_apart_from_the_url(postgres: PostgresServer, tmp_path: Path) -> None:
    """A password is put into the connection and stands in no message."""
    url = postgres_hospital(postgres, ROW)
    assert EhrSource(url, QUERY, 5, password=CANARY).facts(ALICE, NOW) is not None
    with pytest.raises(Transient) as caught:
        EhrSource("postgresql+psycopg://nobody@127.0.0.1:1/ehr", QUERY, 1, password=CANARY).facts(ALICE, NOW)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql://h/d"])
def test_refuses_other_databases(url: str, tmp_path: Path) -> None:
    """Only those databases are taken whose connections are known to be read-only."""
    with pytest.raises(Permanent, match=r"ehr\.url"):
        EhrSource(url, QUERY, 5)


def test_refuses_a_query_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing or binary file is named."""
    (tmp_path / "binary.sql").write_bytes(b"\xff\xfe")
    for name in ("missing.sql", "binary.sql"):
        with pytest.raises(Permanent, match=f"{name} cannot be read"):
            EhrSource("sqlite:///ehr.db", tmp_path / name, 5)


def test_paths_with_odd_characters(tmp_path: Path) -> None:
    """A path is never taken for part of a URI."""
    folder = tmp_path / "a b?mode=rwc#é%20"
    folder.mkdir()
    plain = tmp_path / "ehr.db"
    sqlite_hospital(plain, ROW)
    shutil.copy(plain, folder / "ehr.db")
    url = "sqlite:///" + str(folder / "ehr.db").replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    assert _source(url, tmp_path).facts(ALICE, NOW) is not None


def test_the_moment_is_bound_as_utc(tmp_path: Path) -> None:
    """What was recorded after the moment of the question is not seen."""
    source = _source(sqlite_hospital(tmp_path / "ehr.db", ROW), tmp_path)
    assert source.facts(ALICE, datetime(2026, 10, 31, 23, 59, tzinfo=UTC)) is None
    assert source.facts(ALICE, datetime(2026, 11, 1, 0, 0, tzinfo=UTC)) is not None


def test_postgres_connections_cannot_write(postgres: PostgresServer, tmp_path: Path) -> None:
    """Even a function that writes is stopped by the transaction."""
    url = postgres_hospital(postgres, ROW)
    with psycopg.connect(url.replace("+psycopg", "")) as db:
        db.execute(
            "CREATE FUNCTION sneak() RETURNS text LANGUAGE sql AS "
            "$$ UPDATE clinical_facts SET sex = 'M' RETURNING patient_id $$"
        )
    with pytest.raises(Permanent, match="ReadOnlySqlTransaction"):
        _source(url, tmp_path, "SELECT sneak() AS patient_id, :patient_id AS x").facts(ALICE, NOW)


def test_comments_and_quotes_hold_no_parameters() -> None:
    """Only real parameters are bound."""
    query = clinical_query("-- :one\n/* :two */ SELECT ' :three ''-- :four', \"a :five\", :issuer, x::text -- :six\n;")
    assert parameters(query) == {"issuer"}
    assert "' :three ''-- :four', \"a :five\"" in str(query.compile())


@settings(deadline=None)
@given(st.text(alphabet="'\"-/*:ab \n;", max_size=30))
def test_any_query_text_is_taken(sql: str) -> None:
    """No text breaks the reading of a query; the database judges it."""
    assert "comment" not in parameters(clinical_query(sql + "\n-- :comment"))
