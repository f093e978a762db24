"""Bringing a database to the schema of this version, by the steps in sql/migrations."""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql, sqlite

from agent.core.errors import Permanent
from agent.state.database import create_folder, is_missing, open_engine, parse_url, translated
from agent.state.tables import installation

_STEPS: Final = Path(__file__).resolve().parents[2] / "sql" / "migrations"  # in a wheel sql lies beside agent, too
_LOCK: Final = 0x53454E54  # "SENT", the advisory lock of PostgreSQL that migrations take


def migrate(url: str, password: str | None = None, *, new_uuid: Callable[[], UUID] = uuid4) -> str:
    """Bring the database to the newest schema and return its revision. Doing it again changes nothing.

    The first time the installation gets its identity, `new_uuid()`. Everything happens in one transaction.

    Raises
    ------
    Permanent
        If the URL cannot be used, or a newer version made the database.
    Transient
        If the database cannot be reached.
    """
    parsed = parse_url(url, password)
    create_folder(parsed)
    engine = open_engine(parsed)
    try:
        with translated(), engine.begin() as db:
            _take_turns(db)
            config = _config()
            config.attributes["connection"] = db
            command.upgrade(config, "head")
            _name_installation(db, new_uuid())
    except CommandError as error:
        raise Permanent(f"the database was made by another version of sentinode: {error}") from error
    finally:
        engine.dispose()
    return newest_version()


def schema_version(url: str, password: str | None = None) -> str | None:
    """Return the revision of the database, None if it has none yet.

    Raises
    ------
    Permanent
        If the URL cannot be used.
    Transient
        If the database cannot be reached.
    """
    parsed = parse_url(url, password)
    if is_missing(parsed):
        return None
    engine = open_engine(parsed)
    try:
        with translated(), engine.begin() as db:
            return MigrationContext.configure(db).get_current_revision()
    finally:
        engine.dispose()


def newest_version() -> str:
    """Return the revision that this version of the agent works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    return config


def _take_turns(db: sa.Connection) -> None:
    """Let two migrations at once follow each other; SQLite's write lock does it by itself."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _name_installation(db: sa.Connection, uuid: UUID) -> None:
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    db.execute(dialect.insert(installation).values(id=1, uuid=uuid).on_conflict_do_nothing())
