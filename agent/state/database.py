"""Opening SQLite and PostgreSQL so that a commit is durable, and saying their errors in our words."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc

from agent.core.errors import Permanent, Transient

_WAIT_S: Final = 10  # for a lock that another process holds
_POSTGRESQL_OPTIONS: Final = (
    f"-c timezone=UTC -c lock_timeout={_WAIT_S}s -c statement_timeout=60s "
    "-c idle_in_transaction_session_timeout=60s"  # a stopped worker must not hold its rows for ever
)


READ_ONLY: Final[dict[str, Any]] = {"sqlite_readonly": True, "postgresql_readonly": True}
"""Execution options of a connection that only looks."""


def parse_url(url: str, password: str | None = None) -> sa.URL:
    """Parse a database URL and put the password in.

    Raises
    ------
    Permanent
        If it is not a URL, or names neither an SQLite file nor PostgreSQL with psycopg.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise Permanent("the database URL cannot be read") from None
    if parsed.drivername == "postgresql+psycopg":
        return parsed if password is None else parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise Permanent("the database URL must begin with sqlite:///FILE or postgresql+psycopg://")


def open_engine(url: sa.URL) -> sa.Engine:
    """Return an engine whose transactions are writers from their first statement, and durable at their end.

    Raises
    ------
    Permanent
        If the driver is not installed.
    """
    try:
        if url.get_backend_name() == "sqlite":
            engine = sa.create_engine(url, hide_parameters=True)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        connecting = {"connect_timeout": _WAIT_S, "options": _POSTGRESQL_OPTIONS}
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=connecting)
    except ModuleNotFoundError as missing:
        raise Permanent(f"{missing.name} is not installed: pip install 'sentinode[cluster]'") from missing


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin late, and as a reader
    connection.execute(f"PRAGMA busy_timeout={_WAIT_S * 1000}")
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Switch a new file to WAL. SQLite does not wait for another process that is doing the same: so this does."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock at once: a reader that becomes a writer can be refused without being let wait."""
    only_looks = connection.get_execution_options().get("sqlite_readonly")
    connection.exec_driver_sql("BEGIN" if only_looks else "BEGIN IMMEDIATE")


def create_folder(url: sa.URL) -> None:
    """Make the folder of an SQLite file.

    Raises
    ------
    Transient
        If it cannot be made.
    """
    if url.get_backend_name() == "sqlite":
        try:
            _file(url).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Transient(f"the folder of the database cannot be made: {error.strerror}") from error


def is_missing(url: sa.URL) -> bool:
    """Whether this is an SQLite file that does not exist; connecting would create an empty one."""
    return url.get_backend_name() == "sqlite" and not _file(url).exists()


def _file(url: sa.URL) -> Path:
    return Path(str(url.database))


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into ours.

    The originals are cut off, since their details quote rows and with them patients.

    Raises
    ------
    Transient
        If the database is away, locked or full: the same may work later.
    Permanent
        If it refused what was asked.
    """
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError) as error:
        raise Transient(f"the database cannot be used now: {_first_line(error)}") from None
    except exc.TimeoutError:
        raise Transient("the database cannot be used now: every connection is in use") from None
    except exc.IntegrityError as error:
        raise Permanent(f"the database refused a row: {_first_line(error)}") from None
    except exc.DBAPIError as error:
        raise Permanent(f"the database refused a statement: {type(error.orig).__name__}") from None


def _first_line(error: exc.DBAPIError) -> str:
    """What went wrong; the lines after it may quote values."""
    return str(error.orig).partition("\n")[0]
