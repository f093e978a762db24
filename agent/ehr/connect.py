"""Connections to the hospital's database that only read, and what its errors mean."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import NullPool

from agent.core.errors import Permanent, Transient
from agent.ehr.servers import SERVERS, Server

_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""SQLite's primary result codes that may be gone the next time."""

_STEPS: Final = 10_000  # SQLite looks at the clock after so many of its instructions


def read_only_engine(url: str, timeout_s: float, password: str | None) -> Engine:
    """Return an engine whose transactions are never committed and, where the database can, cannot write.

    Nothing is connected yet.

    Raises
    ------
    Permanent
        If the URL is of no database that is known, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise Permanent("ehr.url is not a database URL") from None
    if password is not None:
        parsed = parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return create_engine(parsed, creator=_sqlite(parsed, timeout_s), poolclass=NullPool, hide_parameters=True)
    if parsed.drivername in SERVERS:
        return _server(parsed, SERVERS[parsed.drivername], timeout_s)
    raise Permanent(f"ehr.url: sqlite:///<file>, {', '.join(f'{name}://…' for name in SERVERS)} is needed")


@contextmanager
def reading(engine: Engine, timeout_s: float, place: str) -> Iterator[Connection]:
    """Connect for one question, translating what goes wrong. No message quotes the database: it may quote values.

    Raises
    ------
    Transient
        If the database is away, locked or too slow.
    Permanent
        If the query is wrong. The message names `place`, the query's file.
    """
    try:
        with engine.connect() as connection:
            if server := SERVERS.get(engine.url.drivername):
                for statement in server.first(timeout_s):
                    connection.exec_driver_sql(statement)
            yield connection
    except exc.DBAPIError as error:
        name = type(error.orig).__name__
        if _is_away(error):
            raise Transient(f"the clinical database cannot be asked ({name})") from None
        raise Permanent(f"{place}: the clinical database refuses the query ({name})") from None
    except (exc.SQLAlchemyError, sqlite3.Warning) as error:
        raise Permanent(f"{place}: not one query that returns rows ({type(error).__name__})") from None


def _server(url: URL, server: Server, timeout_s: float) -> Engine:
    waits = dict(server.connect_args(timeout_s))
    try:
        engine = create_engine(url, connect_args=waits, poolclass=NullPool, hide_parameters=True)
    except ModuleNotFoundError:
        message = (
            f"ehr.url: {url.drivername} needs the package {server.driver}; install it: pip install {server.driver}"
        )
        raise Permanent(message) from None

    def limit(connection: Any, _record: object) -> None:
        server.limit(connection, timeout_s)

    event.listen(engine, "connect", limit)
    return engine


def _sqlite(url: URL, timeout_s: float) -> Callable[[], sqlite3.Connection]:
    uri = f"file:{quote(str(Path(url.database or '').absolute()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=timeout_s)
        connection.execute("PRAGMA query_only = ON")
        deadline = time.monotonic() + timeout_s
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        return connection

    return connect


def _is_away(error: exc.DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _AWAY
    return isinstance(error, exc.OperationalError | exc.InterfaceError)
