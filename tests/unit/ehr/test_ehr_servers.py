"""Servers that the tests do not have: their drivers are told what to do, and the shipped SQL is theirs too."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import mssql, oracle, postgresql, sqlite

from agent.core.errors import Permanent
from agent.ehr.connect import read_only_engine
from agent.ehr.query import PARAMETERS, clinical_query, parameters
from agent.ehr.servers import SERVERS
from tests.peers import ROOT

SHIPPED = sorted(path for path in (ROOT / "sql" / "ehr").rglob("*.sql") if path.name != "demo_schema.sql")
DIALECTS: dict[str, tuple[Dialect, str]] = {
    "sqlite": (sqlite.dialect(), "?"),
    "postgresql": (postgresql.psycopg.dialect(), "%({name})s"),
    "mssql": (mssql.pyodbc.dialect(paramstyle="qmark"), "?"),
    "oracle": (oracle.oracledb.dialect(), ":{name}"),
}
NOT_EVERYWHERE = {
    "a type's cast with ::": r"::",
    "LIMIT": r"\bLIMIT\b",
    "TOP": r"\bTOP\b",
    "a truth value": r"\b(TRUE|FALSE)\b",
    "date()": r"\b(date|strftime|julianday|datetime)\s*\(",
    "now": r"\b(NOW|GETDATE|SYSDATE|CURRENT_DATE)\b",
    "||, which SQL Server lacks": r"\|\|",
    "ILIKE": r"\bILIKE\b",
    "FILTER": r"\bFILTER\s*\(",
    "a table's AS, which Oracle refuses": r"\b(?:FROM|JOIN)\s+\w+\s+AS\b",
    "a SELECT without FROM, which Oracle refused until 23": r"\A(?!.*\bFROM\b)",
    "RECURSIVE": r"\bRECURSIVE\b",
    "double-quoted text": r'"(?!date")(?<!"date")',
    "TEXT, which Oracle lacks": r"\bAS\s+TEXT\b",
    "date as a bare name, which Oracle refuses": r"\bAS\s+date\b(?!\s*\))",
}


class FakeDriver(ModuleType):
    """A driver that SQLAlchemy takes for one: each constant that it asks for is there."""

    version, __version__, paramstyle = "5.0", "2.0.0", "qmark"
    Error, Cursor = Exception, object

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
@pytest.mark.parametrize("name", DIALECTS)
def test_every_shipped_query_binds_its_parameters_for_every_database(name: str, path: Path) -> None:
    """Each use of a parameter becomes the driver's placeholder, and nothing else does."""
    query = clinical_query(path.read_text(encoding="utf-8"))
    dialect, placeholder = DIALECTS[name]
    compiled = query.compile(dialect=dialect)
    assert set(compiled.params) == parameters(query) == set(PARAMETERS)
    for parameter in PARAMETERS:
        uses = len(re.findall(rf"(?<!\w):{parameter}\b", query.text))
        assert uses > 0
        if "{" in placeholder:
            assert compiled.string.count(placeholder.format(name=parameter)) == uses
    if placeholder == "?":
        assert compiled.string.count("?") == len(re.findall(r"(?<!\w):\w+", query.text))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_query_is_sql_that_every_database_takes(path: Path) -> None:
    """No word in it is of one dialect alone."""
    statement = clinical_query(path.read_text(encoding="utf-8")).text
    found = [what for what, form in NOT_EVERYWHERE.items() if re.search(form, statement, re.IGNORECASE | re.DOTALL)]
    assert found == []


@pytest.mark.parametrize(
    "sql", ["SELECT a FROM t LIMIT 1", "SELECT x::date FROM t", "SELECT 1", "SELECT a FROM t WHERE d <= date(:as_of)"]
)
def test_sql_of_one_dialect_is_found(sql: str) -> None:
    """The check above can fail."""
    statement = clinical_query(sql).text
    assert any(re.search(form, statement, re.IGNORECASE | re.DOTALL) for form in NOT_EVERYWHERE.values())


@pytest.mark.parametrize("driver", ["pyodbc", "oracledb"])
def test_a_driver_that_is_not_installed_is_named(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package that brings it."""
    monkeypatch.setitem(sys.modules, driver, None)
    name = next(name for name, server in SERVERS.items() if server.driver == driver)
    with pytest.raises(Permanent, match=rf"ehr\.url: .*needs the package {driver}; install it: pip install {driver}"):
        read_only_engine(f"{name}://host/db", 5, None)


@pytest.mark.parametrize(
    ("name", "waits", "limit", "first"),
    [
        ("mssql+pyodbc", {"timeout": 3}, {"timeout": 3}, ()),
        ("oracle+oracledb", {"tcp_connect_timeout": 2.5}, {"call_timeout": 2500}, ("SET TRANSACTION READ ONLY",)),
        (
            "postgresql+psycopg",
            {"connect_timeout": 3},
            {},
            ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = 2500"),
        ),
    ],
)
def test_each_server_is_told_how_long_it_may_take(
    name: str, waits: dict[str, float], limit: dict[str, int], first: tuple[str, ...]
) -> None:
    """In the unit and at the place that its driver has for it."""
    server, connection = SERVERS[name], SimpleNamespace()
    server.limit(connection, 2.5)
    assert (dict(server.connect_args(2.5)), vars(connection), server.first(2.5)) == (waits, limit, first)


@pytest.mark.parametrize(("name", "driver"), [("mssql+pyodbc", "pyodbc"), ("oracle+oracledb", "oracledb")])
def test_a_new_connection_gets_its_limit(name: str, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the driver has made it."""
    monkeypatch.setitem(sys.modules, driver, FakeDriver(driver))
    connection = SimpleNamespace()
    engine = read_only_engine(f"{name}://nobody@host", 2.5, "secret")
    *_, ours = engine.pool.dispatch.connect  # before it stand SQLAlchemy's own
    ours(connection, None)
    assert vars(connection) == ({"timeout": 3} if driver == "pyodbc" else {"call_timeout": 2500})
    assert engine.url.password == "secret"  # noqa: S105  # not one
