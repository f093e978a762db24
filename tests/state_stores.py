"""Stores of every sort, fresh for each test, and values to put into them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
import sqlalchemy as sa

from agent.core.case import Case, CaseEvent
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, Store, Unit
from agent.core.result import Kind, ResultObject
from agent.state import SqlStore
from agent.state.migration import migrate
from agent.state.tables import metadata
from tests.fakes.store import INSTALLATION, FakeStore
from tests.postgres import PostgresServer, postgres

__all__ = ["migrated_sqlite", "postgres", "sql_store", "store"]

T0: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
PATIENT: Final = PatientKey("EXAMPLE", "4711")
CASE_UUID: Final = UUID("0b5e0a8e-6d5f-4c0e-9c53-0f4c7a1f7e01")
QUESTION: Final = "aln"
WAITING: Final = [OutboxStatus.WAITING]
_EMPTIED: Final = "sentinode"  # the database that every test finds empty


def instance(uid: str = "1.2.3", patient: PatientKey = PATIENT) -> Instance:
    """Return the header of a mammogram."""
    return Instance(
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid="1.2",
        series_instance_uid="1.2.1",
        patient=patient,
        modality="MG",
        laterality="L",
        view_position="MLO",
        presentation_intent="FOR PRESENTATION",
        acquired_on=date(2026, 11, 20),
        rows=2294,
        columns=1914,
        sha256="ab" * 32,
    )


def arrival(
    uid: str = "1.2.3", offset: int = 0, at: datetime = T0, association_id: str = "run/1", end: End = End.COLLECTED
) -> Arrival:
    """Return the end of one record of segment 1."""
    return Arrival(SpoolRef(1, 1, offset), at, association_id, uid, end, "")


def result_object(uid: str, kind: Kind = Kind.SR, axilla: str = "L", index: int = 0) -> ResultObject:
    """Return an encoded object whose bytes name it."""
    return ResultObject(
        kind=kind,
        role=f"{kind}:{axilla}",
        axilla=axilla,
        index=index,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
        sop_instance_uid=uid,
        study_instance_uid="1.2",
        series_instance_uid="1.2.9",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        encoded=f"DICM {uid}".encode() + b"\x00\xff",
        needs=("2.25.3",),
    )


OBJECTS: Final = (
    result_object("2.25.1", Kind.SR),
    result_object("2.25.2", Kind.TEXT_SR, ""),
    result_object("2.25.3", Kind.SECONDARY_CAPTURE, "L", 1),
)


def opened(unit: Unit, n: int = 0) -> Case:
    """Open the n-th case, each of a patient of its own."""
    return unit.open_case(QUESTION, PatientKey("EXAMPLE", f"{4711 + n}"), T0, UUID(int=CASE_UUID.int + n))


def ready(unit: Unit, n: int = 0, at: datetime = T0) -> Case:
    """Open the n-th case and prove it complete."""
    return unit.apply(opened(unit, n), CaseEvent.COMPLETE, at)


def running(unit: Unit, n: int = 0) -> Case:
    """Claim the n-th case, which must be the only one that is ready."""
    ready(unit, n)
    case = unit.claim(T0, T0 + MINUTE, "worker-1")
    assert case is not None
    return case


def delivering(unit: Unit, n: int = 0) -> Case:
    """Save three objects for the n-th case, all of them for the PACS."""
    objects = [result_object(f"{one.sop_instance_uid}.{n}", one.kind, one.axilla, one.index) for one in OBJECTS]
    return unit.save_result(running(unit, n), T0, {"n": n}, {"pacs": objects})


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("state") / "sentinode.db"
    migrate(f"sqlite:///{path}", new_uuid=lambda: INSTALLATION)
    return path


def _sqlite_url(request: pytest.FixtureRequest) -> str:
    migrated: Path = request.getfixturevalue("migrated_sqlite")
    tmp_path: Path = request.getfixturevalue("tmp_path")
    copy = shutil.copy(migrated, tmp_path / "sentinode.db")
    return f"sqlite:///{copy}"


def _postgresql_url(request: pytest.FixtureRequest) -> str:
    server: PostgresServer = request.getfixturevalue("postgres")
    if not server.has_database(_EMPTIED):
        server.execute(f"CREATE DATABASE {_EMPTIED}")
        migrate(server.url(_EMPTIED), new_uuid=lambda: INSTALLATION)
    emptied = [str(sa.delete(t)) for t in reversed(metadata.sorted_tables) if t.name != "installation"]
    server.execute("; ".join(emptied), _EMPTIED)  # ten times as quick as a new database
    return server.url(_EMPTIED)


_URLS: Final[dict[str, Callable[[pytest.FixtureRequest], str]]] = {
    "sqlite": _sqlite_url,
    "postgresql": _postgresql_url,
}


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A fresh store of each sort."""
    with ExitStack() as opened_here:
        if request.param == "fake":
            yield FakeStore()
        else:
            yield opened_here.enter_context(closing(SqlStore(_URLS[request.param](request))))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh, migrated database of each sort."""
    return _URLS[request.param](request)


@pytest.fixture
def sql_store(url: str) -> Iterator[SqlStore]:
    """A fresh store on each sort of database."""
    with closing(SqlStore(url)) as opened_store:
        yield opened_store


def roles(items: Sequence[OutboxItem]) -> list[str]:
    """Return what the items hold, in their order."""
    return [item.role for item in items]
