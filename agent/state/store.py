"""The store: units of work on an SQLite file or a PostgreSQL database."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import sqlalchemy as sa

from agent.core.errors import Permanent
from agent.state.database import READ_ONLY, open_engine, parse_url, translated
from agent.state.earlier import Earlier
from agent.state.holds import Holds
from agent.state.outbox import Outbox
from agent.state.reads import Reads
from agent.state.residents import Residents
from agent.state.results import Results
from agent.state.schema import newest_version, schema_version
from agent.state.studies import Studies
from agent.state.tables import installation
from agent.state.variants import Variants


class SqlUnit(Holds, Variants, Earlier, Results, Outbox, Reads, Studies, Residents):
    """One transaction. Everything done with it commits together or not at all."""

    def installation(self) -> UUID:
        """Identity of this installation, made once by the first migration."""
        return UUID(str(self._db.execute(sa.select(installation.c.uuid)).scalar_one()))


class SqlStore:
    """The agent's state in a database. Several processes may each have one at a time, and threads may share one.

    Raises
    ------
    Permanent
        If the URL cannot be used, or the schema is not the one of this version.
    Transient
        If the database cannot be reached.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        found, wanted = schema_version(url, password), newest_version()
        if found != wanted:
            raise Permanent(
                f"the database has schema {found or 'none'}, this version has {wanted}: run: sentinode migrate"
            )
        self._engine = open_engine(parse_url(url, password))

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        """Begin a transaction; commit at its end, roll back on an error. Raises Transient if the database is away."""
        with translated(), self._engine.begin() as db:
            unit = SqlUnit(db)
            yield unit
            unit.flush()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Look at everything as it is now, without holding up any writer: for `agent.state.overview`."""
        with translated(), self._engine.connect() as db:
            db.execution_options(**READ_ONLY)
            with db.begin():
                yield db

    @contextmanager
    def looking(self) -> Iterator[SqlUnit]:
        """Look at everything as it is now with what a unit offers; the database itself refuses to write."""
        with self.reading() as db:
            if db.dialect.name != "sqlite":
                yield SqlUnit(db)
                return
            db.exec_driver_sql("PRAGMA query_only=ON")
            try:
                yield SqlUnit(db)
            finally:
                db.exec_driver_sql("PRAGMA query_only=OFF")

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()
