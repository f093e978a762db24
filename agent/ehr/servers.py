"""What each database server is told before it is asked: that nothing is written, and how long it may take."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Server:
    """How one driver is told. Seconds go in."""

    driver: str  # the package to install
    connect_args: Callable[[float], Mapping[str, Any]]  # bound on connecting
    limit: Callable[[Any, float], None]  # set a new connection's bound on a query
    first: Callable[[float], tuple[str, ...]]  # the first statements of each transaction


def _unlimited(_connection: Any, _timeout_s: float) -> None:
    """PostgreSQL's bound is set in each transaction."""


def _odbc_limit(connection: Any, timeout_s: float) -> None:
    connection.timeout = math.ceil(timeout_s)  # whole seconds, of SQL_ATTR_QUERY_TIMEOUT


def _oracle_limit(connection: Any, timeout_s: float) -> None:
    connection.call_timeout = math.ceil(timeout_s * 1000)


SERVERS: Final[Mapping[str, Server]] = MappingProxyType(
    {
        "postgresql+psycopg": Server(
            "psycopg",
            lambda timeout_s: {"connect_timeout": math.ceil(timeout_s)},
            _unlimited,
            lambda timeout_s: (
                "SET TRANSACTION READ ONLY",
                f"SET LOCAL statement_timeout = {math.ceil(timeout_s * 1000)}",
            ),
        ),
        "mssql+pyodbc": Server(
            "pyodbc",
            lambda timeout_s: {"timeout": math.ceil(timeout_s)},
            _odbc_limit,
            lambda _: (),  # SQL Server has no read-only transaction: the account must be one that only reads
        ),
        "oracle+oracledb": Server(
            "oracledb",
            lambda timeout_s: {"tcp_connect_timeout": timeout_s},
            _oracle_limit,
            lambda _: ("SET TRANSACTION READ ONLY",),
        ),
    }
)
"""By SQLAlchemy's name of the driver. PostgreSQL runs in the tests; the others compile there."""
