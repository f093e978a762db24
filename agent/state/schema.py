"""Which schema a database has, and which one this version works with. Needs no Alembic, so it costs a start little."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from agent.state.database import is_missing, open_engine, parse_url, translated

STEPS: Final = Path(__file__).resolve().parents[2] / "sql" / "migrations"  # in a wheel sql lies beside agent, too
_REVISION: Final = sa.table("alembic_version", sa.column("version_num", sa.String))


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
            if not sa.inspect(db).has_table(_REVISION.name):
                return None
            return db.execute(sa.select(_REVISION.c.version_num)).scalar_one_or_none()
    finally:
        engine.dispose()


def newest_version() -> str:
    """Return the revision that this version of the agent works with: the name of the last step begins with it."""
    return max(step.stem.partition("_")[0] for step in (STEPS / "versions").glob("*.py"))
