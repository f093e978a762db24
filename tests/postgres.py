"""A PostgreSQL server of the tests' own: in a temporary folder, on loopback, gone afterwards."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

_DEBIAN: Final = Path("/usr/lib/postgresql")
_SETTINGS: Final = "-c listen_addresses=127.0.0.1 -c max_connections=60"
_FORGETFUL: Final = "-c fsync=off -c synchronous_commit=off"


class PostgresMissing(RuntimeError):
    """There are no programs of a PostgreSQL server on this machine."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL's server (initdb, pg_ctl) is not installed; on Debian: apt-get install postgresql")


@dataclass(frozen=True)
class PostgresServer:
    """A running server."""

    port: int
    names: Iterator[int]

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test{next(self.names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def has_database(self, name: str) -> bool:
        """Whether there is a database of this name."""
        with psycopg.connect(self._dsn()) as db:
            return bool(db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchall())

    def execute(self, statements: str, name: str = "postgres") -> None:
        """Run statements in a database, as superuser."""
        with psycopg.connect(self._dsn(name), autocommit=True) as db:
            db.execute(statements.encode())

    def _dsn(self, name: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={name}"


def _programs() -> Path:
    """Return the folder of the newest server's programs. Raises PostgresMissing."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise PostgresMissing
    return Path(on_path).parent


def skip_if_missing() -> None:
    """Skip the test, saying what to install, where there is no server."""
    try:
        _programs()
    except PostgresMissing as missing:
        pytest.skip(str(missing))


def _as_user() -> str:
    """Return whom the server runs as: it refuses to be root."""
    return "nobody" if os.geteuid() == 0 else getpass.getuser()


def _run(command: Sequence[str | Path], folder: Path) -> None:
    with (folder / "setup.log").open("ab") as log:
        subprocess.run(command, check=True, user=_as_user(), cwd=folder, stdout=log, stderr=log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Make a server, run it, and remove it; not `durable`, it is quicker. Raises PostgresMissing."""
    programs, folder, port = _programs(), Path(tempfile.mkdtemp(prefix="sentinode-pg-")), _free_port()
    shutil.chown(folder, _as_user())
    data = folder / "data"
    try:
        _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-p {port} -k {folder} {_SETTINGS} {'' if durable else _FORGETFUL}"
        try:
            _run([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "server.log", "-w", "start"], folder)
            yield PostgresServer(port, count(1))
        finally:
            if (data / "postmaster.pid").exists():  # also where the start was interrupted
                _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_RUNNING: Final = pytest.StashKey[PostgresServer]()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    """A PostgreSQL server for the session: one, in however many folders' conftest.py this fixture is named."""
    if _RUNNING in pytestconfig.stash:
        yield pytestconfig.stash[_RUNNING]
        return
    skip_if_missing()
    with running_postgres() as server:
        pytestconfig.stash[_RUNNING] = server
        yield server
        del pytestconfig.stash[_RUNNING]
