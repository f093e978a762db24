"""Migrations: they make what the tables declare, once, and are asked for when they are missing."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from agent.core.errors import Permanent, Transient
from agent.state import SqlStore, schema_version
from agent.state.database import open_engine, parse_url
from agent.state.migration import migrate
from agent.state.schema import newest_version
from agent.state.tables import metadata
from tests.postgres import PostgresServer

UNREACHABLE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without any table; of an SQLite file that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/var/sentinode.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def db(empty: str) -> Iterator[sa.Connection]:
    """A connection to a migrated database."""
    migrate(empty)
    engine = open_engine(parse_url(empty))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_fresh_database_is_migrated(empty: str) -> None:
    """Migrating makes folder and schema, and says the revision."""
    assert schema_version(empty) is None
    revision = migrate(empty)
    assert schema_version(empty) == revision == newest_version()


def test_looking_creates_no_file(tmp_path: Path) -> None:
    """Asking for the schema of a file that is not there does not make an empty one."""
    assert schema_version(f"sqlite:///{tmp_path}/sentinode.db") is None
    assert list(tmp_path.iterdir()) == []


def test_migrating_twice_is_harmless(empty: str) -> None:
    """The second time keeps everything, the installation's identity too."""
    first = uuid4()
    migrate(empty, new_uuid=lambda: first)
    migrate(empty, new_uuid=uuid4)
    store = SqlStore(empty)
    with store.unit() as unit:
        assert unit.installation() == first
    store.close()


def test_migrations_make_what_the_tables_declare(db: sa.Connection) -> None:
    """Alembic finds no difference between the migrated database and the declared tables."""
    context = MigrationContext.configure(db, opts={"compare_type": True})
    assert compare_metadata(context, metadata) == []


def test_alembic_would_find_a_difference(db: sa.Connection) -> None:
    """The comparison above can fail."""
    changed = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["cases"].append_column(sa.Column("priority", sa.Integer))
    assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), changed)


def _definitions(db: sa.Connection) -> dict[str, str]:
    """Return how each index and, in SQLite, each table is defined; Alembic compares neither conditions nor options."""
    query = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '%alembic%'",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename <> 'alembic_version'",
    }[db.dialect.name]
    return {row[0]: " ".join(sorted(row[1].replace(",", " ").split())) for row in db.execute(sa.text(query))}


def test_indexes_are_what_the_tables_declare(db: sa.Connection, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Partial conditions and table options of the migrated database equal those of `create_all`."""
    if db.dialect.name == "sqlite":
        declared = f"sqlite:///{tmp_path}/declared.db"
    else:
        declared = request.getfixturevalue("postgres").new_database()
    engine = open_engine(parse_url(declared))
    with engine.begin() as other:
        metadata.create_all(other)
        expected = _definitions(other)
    engine.dispose()
    assert "ix_cases_ready" in expected
    assert _definitions(db) == expected


def test_a_store_asks_to_be_migrated(empty: str) -> None:
    """Without a schema no store is opened, and the message says what to do."""
    with pytest.raises(Permanent, match="run: sentinode migrate"):
        SqlStore(empty)


def test_a_newer_schema_is_refused(empty: str) -> None:
    """A database that a later version made is neither used nor changed."""
    migrate(empty)
    engine = open_engine(parse_url(empty))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(Permanent, match="another version"):
        migrate(empty)
    with pytest.raises(Permanent, match="schema 9999"):
        SqlStore(empty)
    assert schema_version(empty) == "9999"


def test_a_failed_migration_leaves_nothing(empty: str) -> None:
    """The steps and the identity are one transaction."""

    def fail() -> UUID:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        migrate(empty, new_uuid=fail)
    assert schema_version(empty) is None


@pytest.mark.parametrize("action", [migrate, schema_version, SqlStore])
def test_a_database_that_is_away_is_transient(action: object) -> None:
    """Nobody listens there now."""
    assert callable(action)
    with pytest.raises(Transient, match="cannot be used now"):
        action(UNREACHABLE)


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "postgresql://localhost/x", "var/sentinode.db"]
)
def test_another_url_is_refused(url: str) -> None:
    """Only SQLite files and PostgreSQL by psycopg are kept apart from mistakes."""
    with pytest.raises(Permanent, match="database URL"):
        migrate(url)


def test_a_password_is_not_part_of_the_url() -> None:
    """The password comes separately, and an SQLite file has none."""
    assert ":s3cret@" in parse_url(UNREACHABLE, "s3cret").render_as_string(hide_password=False)
    assert parse_url("sqlite:///x.db", "s3cret").password is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "var").write_text("")
    with pytest.raises(Transient, match="folder of the database"):
        migrate(f"sqlite:///{tmp_path}/var/deeper/sentinode.db")


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(Permanent, match=r"pip install 'sentinode\[cluster\]'"):
        schema_version(UNREACHABLE)
