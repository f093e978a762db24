"""Bringing a database to the schema of this version, by the steps in sql/migrations."""

from collections.abc import Callable
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql, sqlite

from agent.core.errors import Permanent
from agent.state.database import create_folder, open_engine, parse_url, translated
from agent.state.schema import STEPS, newest_version
from agent.state.tables import installation

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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    return config


def _take_turns(db: sa.Connection) -> None:
    """Let two migrations at once follow each other; SQLite's write lock does it by itself."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _name_installation(db: sa.Connection, uuid: UUID) -> None:
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    db.execute(dialect.insert(installation).values(id=1, uuid=uuid).on_conflict_do_nothing())
