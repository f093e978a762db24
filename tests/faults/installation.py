"""One agent with two archives, its EHR and its senders, on SQLite or PostgreSQL; and what can be seen of it."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from pydicom import dcmread

from agent.core.case import Case, CaseState
from agent.core.instance import SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, RecordKind
from agent.core.result import Kind as ObjectKind
from agent.core.result import ResultObject
from agent.deliver.confirming import ASKED
from agent.deliver.settings import DestinationSettings
from agent.dimse.part10 import split
from agent.spool import SpoolReader
from agent.state import SqlStore
from agent.state.cases import case_of
from agent.state.store import SqlUnit
from agent.state.tables import cases
from demo import ehr
from demo.archive import Archive
from tests.faults.invariants import Bytes, Evidence, Made, Version, Witness
from tests.faults.senders import Ledger
from tests.faults.tree import Tree
from tests.harness import wait_until

ENDED = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED, CaseState.DORMANT, CaseState.HELD})
FINAL = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED})
COMMITMENT_WITHIN = timedelta(seconds=DestinationSettings("commitment", 1, 1, 1).commitment_within_s)
CONFIRM = {"committing": "commitment", "listing": "read_back"}
PATIENTS = 1000
_PARTIAL = ("*.partial", "*.part", "*.tmp", "*.new")


class WitnessArchive(Archive):
    """An archive that remembers the digest of every C-STORE request."""

    def __init__(self, ae_title: str, folder: Path) -> None:
        self.requests: list[Bytes] = []
        self._read: dict[Path, Bytes] = {}
        super().__init__(ae_title, folder)

    def _on_store(self, event: Any) -> int:
        uid, dataset = str(event.request.AffectedSOPInstanceUID), event.encoded_dataset(include_meta=False)
        self.requests.append(Bytes(uid, hashlib.sha256(dataset).hexdigest()))
        return super()._on_store(event)

    def kept(self) -> frozenset[Bytes]:
        """What lies in its folder."""
        paths = set(self.folder.glob("*.dcm"))
        self._read = {path: self._read.get(path) or _bytes(path.read_bytes()) for path in paths}
        return frozenset(self._read.values())

    def forget(self) -> None:
        """Read every file again with the next look."""
        self._read.clear()


class Installation:
    """Everything that one series of kills needs.

    The database is SQLite in the folder unless a URL is given.
    """

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder, self.ledger = folder, Ledger()
        self.order, self.trace = folder / "order", folder / "trace"
        self.archives = {name: WitnessArchive(name.upper(), folder / name) for name in CONFIRM}
        self.agent = Tree(folder, 0, self._changes(database_url))
        for archive in self.archives.values():
            archive.peers["SENTINODE"] = ("127.0.0.1", self.agent.port)
        self.agent.migrate()
        self.store = SqlStore(database_url or f"sqlite:///{folder}/state.db")
        self._orders = 0
        self._patients = count()
        self._spooled: dict[SpoolRef, Bytes] = {}
        self._cursor: dict[int, SpoolRef] = {}
        self._ended: dict[int, Version] = {}
        ehr.create(self.agent.ehr_path)
        known = [patient(number, bilateral=both) for number in range(PATIENTS) for both in (False, True)]
        ehr.load(self.agent.ehr_path, [_ehr_row(who) for who in known])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.agent.kill()
        for archive in self.archives.values():
            archive.stop()
        self.store.close()

    def _changes(self, database_url: str) -> dict[str, Any]:
        retry = {"first_s": 0.1, "max_s": 0.5, "give_up_after": "1h"}
        destinations = [
            {"name": name, "ae_title": archive.ae_title, "host": "127.0.0.1", "port": archive.port}
            | {"confirm": CONFIRM[name], "retry": retry}
            for name, archive in self.archives.items()
        ]
        changes: dict[str, Any] = {"destinations": destinations, "cases": {"quiet_s": 0.3}}
        return changes | ({"database": {"url": database_url}} if database_url else {})

    def start(self) -> None:
        """Start serving, obedient to orders to die."""
        self.agent.start(SENTINODE_TEST_KILL_ORDER=str(self.order), SENTINODE_TEST_TRACE=str(self.trace))

    def up(self) -> None:
        """Start serving unless it serves, and wait until it listens."""
        if not self.agent.is_running:
            self.start()
        self.agent.wait_listening()

    def next_patient(self) -> int:
        """Return the number of a patient who was not sent yet."""
        return next(self._patients)

    def order_kill(self, boundary: str, hit: int, whom: str) -> None:
        """Order a death at a crossing of a boundary, counted from now: of that process "alone" or the "tree"."""
        self._orders += 1
        draft = self.order.with_suffix(".draft")
        draft.write_text(f"{boundary} {hit} {whom} {self._orders}", encoding="ascii")
        draft.replace(self.order)

    def let_time_pass(self) -> None:
        """Do as if the quarter of an hour were over after which an archive is asked anew for a commitment."""
        with self._reading() as db:
            overdue = {item.case_id for v in self._versions(db) for item in v.outbox if _is_unanswered(item)}
        for case_id in sorted(overdue):
            with self.store.unit() as unit:
                unit.lock(case_id)
                for item in filter(_is_unanswered, unit.outbox_of(case_id)):
                    unit.settle(item, item.status, _now(), next_at=_now(), error=item.error)

    def wait_ended(self, seconds: float = 60) -> bool:
        """Wait until everything acknowledged was taken in and every version has ended; return whether that came."""
        try:
            wait_until(self.has_ended, seconds, "not ended")
        except AssertionError:
            return False
        return True

    def has_ended(self) -> bool:
        """Whether nothing is left to do."""
        self.let_time_pass()
        spooled = set(self._read_spool())
        with self._reading() as db:
            arrived = {arrival.ref for arrival in SqlUnit(db).arrivals()}
            states = {version.case.state for version in self._versions(db)}
        return spooled <= arrived and states <= ENDED

    def forget(self) -> None:
        """Read everything again with the next look, also what cannot have changed."""
        self._spooled, self._cursor, self._ended = {}, {}, {}
        for archive in self.archives.values():
            archive.forget()

    def look(self) -> Evidence:
        """Collect the evidence: while the agent runs, first what must be found in what is read later."""
        acknowledged = self.ledger.acknowledged()
        requests = {name: tuple(archive.requests) for name, archive in self.archives.items()}
        with self._reading() as db:
            arrivals, versions = SqlUnit(db).arrivals(), list(self._versions(db))
        kept = {name: archive.kept() for name, archive in self.archives.items()}
        return Evidence(
            now=_now(),
            acknowledged=acknowledged,
            spooled=self._read_spool(),
            arrivals=arrivals,
            quarantined=frozenset(path.stem for path in (self.folder / "quarantine").glob("*.json")),
            versions=versions,
            archives={name: Witness(requests=requests[name], kept=kept[name]) for name in self.archives},
            partial_ages=self._partial_ages(),
        )

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """Look at one moment: PostgreSQL would show each query what was committed until then."""
        with self.store.reading() as db:
            if db.dialect.name == "postgresql":
                db.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield db

    def _read_spool(self) -> Mapping[SpoolRef, Bytes]:
        for record in SpoolReader(self.folder / "spool").after(self._cursor):
            self._cursor[record.ref.segment] = record.ref
            if record.kind is RecordKind.INSTANCE:
                digest = hashlib.sha256(record.payload).hexdigest()
                self._spooled[record.ref] = Bytes(record.meta["sop_instance_uid"], digest)
        return dict(self._spooled)

    def _versions(self, db: sa.Connection) -> Iterator[Version]:
        for case in [case_of(row) for row in db.execute(sa.select(cases).order_by(cases.c.id))]:
            known = self._ended.get(case.id)
            version = known if known is not None and known.case == case else _version(SqlUnit(db), case)
            if case.state in FINAL:
                self._ended[case.id] = version
            yield version

    def _partial_ages(self) -> Mapping[str, timedelta]:
        now, ages = time.time(), {}
        for folder in ("spool", "quarantine"):
            for path in (found for pattern in _PARTIAL for found in (self.folder / folder).rglob(pattern)):
                with suppress(FileNotFoundError):  # finished meanwhile
                    ages[path.name] = timedelta(seconds=now - path.stat().st_mtime)
        return ages


def _version(unit: SqlUnit, case: Case) -> Version:
    summary = unit.summary(case.id)
    answers = summary.get("answers", [])
    return Version(
        case=case,
        asked=asked(case.patient),
        used=frozenset(summary.get("modalities_used", [])),
        members=frozenset(stored.instance.sop_instance_uid for stored in unit.instances(case.id)),
        made=tuple(map(_made, unit.result_objects(case.id))),
        estimated=frozenset(answer["side"] for answer in answers if "probability" in answer),
        outbox=tuple(unit.outbox_of(case.id)),
    )


def _made(one: ResultObject) -> Made:
    return Made(one.role, _bytes(one.encoded), _predecessor(one))


def _predecessor(one: ResultObject) -> str:
    """Read from the object itself which one it supersedes (PS3.3 C.17.2); empty if none."""
    if one.kind is ObjectKind.SECONDARY_CAPTURE:
        return ""
    header = dcmread(BytesIO(one.encoded), specific_tags=["PredecessorDocumentsSequence"])
    studies = header.get("PredecessorDocumentsSequence", [])
    references = [
        ref for study in studies for series in study.ReferencedSeriesSequence for ref in series.ReferencedSOPSequence
    ]
    return " ".join(str(ref.ReferencedSOPInstanceUID) for ref in references)


def _is_unanswered(item: OutboxItem) -> bool:
    """Whether an archive was asked to commit a while ago and has not answered."""
    waited = _now() - (item.next_at - COMMITMENT_WITHIN)
    return (
        item.error == ASKED and item.status is OutboxStatus.SENT and timedelta(seconds=2) < waited < COMMITMENT_WITHIN
    )


def _bytes(encoded: bytes) -> Bytes:
    part = split(encoded)
    return Bytes(part.sop_instance_uid, hashlib.sha256(part.dataset).hexdigest())


def _now() -> datetime:
    return datetime.now(UTC)


def patient(number: int, *, bilateral: bool = False) -> PatientKey:
    """One of the patients whom the EHR knows, with cancer of the left breast or of both."""
    return PatientKey("PHANTOM", f"{'B' if bilateral else 'L'}-{number:04d}")


def asked(who: PatientKey) -> frozenset[str]:
    """The sides that the EHR asks about."""
    return frozenset("LR" if who.patient_id.startswith("B") else "L")


def _ehr_row(who: PatientKey) -> dict[str, object]:
    known = date.today() - timedelta(days=10)
    row = {"patient_id": who.patient_id, "issuer_of_patient_id": who.issuer, "recorded_date": known}
    about = {"diagnosis": "invasive", "diagnosis_date": known, "birth_date": date(1970, 1, 1), "sex": "F"}
    return row | about | {"side": "B" if len(asked(who)) > 1 else "L"}
