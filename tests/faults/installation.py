"""One agent with two archives, its EHR and its senders, on SQLite or PostgreSQL; and what can be seen of it."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from agent.bootstrap.resolving import resolve_case
from agent.config import load_config
from agent.core.case import Case, CaseState
from agent.core.conflict import Ruling
from agent.core.errors import StaleCase
from agent.core.instance import SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, RecordKind
from agent.deliver.confirming import ASKED
from agent.deliver.settings import DestinationSettings
from agent.spool import SpoolReader
from agent.state import SqlStore
from agent.state.cases import case_of
from agent.state.store import SqlUnit
from agent.state.tables import cases, outbox
from demo import ehr
from tests.faults.evidence import Bytes, Evidence, Made, Message, Version, Witness
from tests.faults.senders import Ledger
from tests.faults.tree import Tree
from tests.faults.witness import WitnessArchive, made_of
from tests.harness import free_port, wait_until
from tests.peers import ROOT

ENDED = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED, CaseState.DORMANT, CaseState.HELD})
FINAL = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CLOSED})
COMMITMENT_WITHIN = timedelta(seconds=DestinationSettings("commitment", 1, 1, 1).commitment_within_s)
CONFIRM = {"committing": "commitment", "listing": "read_back"}
PATIENTS = 1000
_PARTIAL = ("*.partial", "*.part", "*.tmp", "*.new")


class Installation:
    """Everything that one series of kills needs.

    The database is SQLite in the folder unless a URL is given.
    """

    program = "agent"
    """The module that serves."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder, self.ledger = folder, Ledger()
        self.order, self.trace = folder / "order", folder / "trace"
        self.archives = self._archives()
        self.hl7_port = free_port()
        self.agent = Tree(folder, 0, self._changes(database_url))
        for archive in self.archives.values():
            archive.peers["SENTINODE"] = ("127.0.0.1", self.agent.port)
        self.agent.migrate()
        self.store = SqlStore(database_url or f"sqlite:///{folder}/state.db")
        for archive in self.archives.values():
            archive.is_retired = self._is_retired
        self._orders = 0
        self._patients = count()
        self._spooled: dict[SpoolRef, Bytes] = {}
        self._spooled_messages: set[str] = set()
        self._cursor: dict[int, SpoolRef] = {}
        self._ended: dict[int, Version] = {}
        self._made: dict[int, tuple[Made, ...]] = {}
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

    def _archives(self) -> Mapping[str, Any]:
        return {name: WitnessArchive(name.upper(), self.folder / name) for name in CONFIRM}

    def _changes(self, database_url: str) -> dict[str, Any]:
        retry = {"first_s": 0.1, "max_s": 0.5, "give_up_after": "1h"}
        destinations = [
            {"name": name, "ae_title": archive.ae_title, "host": "127.0.0.1", "port": archive.port}
            | {"confirm": CONFIRM[name], "retry": retry}
            for name, archive in self.archives.items()
        ]
        changes: dict[str, Any] = {"destinations": destinations, "cases": {"quiet_s": 0.3}}
        changes["hl7"] = {"port": self.hl7_port}
        return changes | ({"database": {"url": database_url}} if database_url else {})

    def start(self) -> None:
        """Start serving, obedient to orders to die."""
        self.agent.start(self.program, SENTINODE_TEST_KILL_ORDER=str(self.order), SENTINODE_TEST_TRACE=str(self.trace))

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

    def accept(self, case_id: int) -> None:
        """Say as a person would that what came later is right; a case that moves meanwhile is looked at again."""
        wait_until(lambda: self._is_accepted(case_id), 20, "not accepted")

    def _is_accepted(self, case_id: int) -> bool:
        config = load_config(ROOT / "config.yaml", [self.agent.overrides]).config
        try:
            _, left = resolve_case(config, case_id, Ruling.ACCEPT, by="tests", conflict="", about="", every=True)
        except StaleCase:
            return False
        return not left

    def let_time_pass(self) -> None:
        """Do as if the quarter of an hour were over after which an archive is asked anew for a commitment."""
        asked_about = sa.select(outbox.c.case_id).where(outbox.c.error == ASKED).distinct().order_by(outbox.c.case_id)
        with self._reading() as db:
            unit = SqlUnit(db)
            overdue = [one for one in db.scalars(asked_about) if any(map(_is_unanswered, unit.outbox_of(one)))]
        for case_id in overdue:
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
        """Whether nothing is left to do; asked often, so no result is read for it."""
        self.let_time_pass()
        with self._reading() as db:
            taken_in = SqlUnit(db).cursor()
            states = set(db.scalars(sa.select(cases.c.state).distinct()))
        left = next(SpoolReader(self.folder / "spool").after(taken_in), None)
        return left is None and states <= ENDED

    def forget(self) -> None:
        """Read everything again with the next look, also what cannot have changed."""
        self._spooled, self._cursor, self._ended, self._made = {}, {}, {}, {}
        self._spooled_messages = set()
        for archive in self.archives.values():
            archive.forget()

    def look(self) -> Evidence:
        """Collect the evidence: while the agent runs, first what must be found in what is read later."""
        acknowledged, messages = self.ledger.acknowledged(), self.ledger.messages()
        leaks = {name: tuple(archive.leaks) for name, archive in self.archives.items()}
        requests = {name: tuple(archive.requests) for name, archive in self.archives.items()}
        with self._reading() as db:
            arrivals, versions = SqlUnit(db).arrivals(), list(self._versions(db))
            survivors = dict(_survivors(SqlUnit(db), messages))
        witnesses = {
            name: Witness(requests=requests[name], kept=archive.kept(), leaks=leaks[name])
            for name, archive in self.archives.items()
        }
        return Evidence(
            now=_now(),
            acknowledged=acknowledged,
            spooled=self._read_spool(),
            messages=messages,
            spooled_messages=frozenset(self._spooled_messages),
            survivors=survivors,
            arrivals=arrivals,
            quarantined=frozenset(path.stem for path in (self.folder / "quarantine").glob("*.json")),
            versions=versions,
            archives=witnesses,
            partial_ages=self._partial_ages(),
        )

    def _is_retired(self, patient: PatientKey) -> bool:
        """Whether a merge was committed that retired a key, while an archive is being sent something."""
        with self.store.reading() as db:
            return SqlUnit(db).canonical(patient) != patient

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
            elif record.kind is RecordKind.HL7:
                self._spooled_messages.add(record.meta["control_id"])
        return dict(self._spooled)

    def _versions(self, db: sa.Connection) -> Iterator[Version]:
        for row in db.execute(sa.select(cases).order_by(cases.c.id)).all():
            case = case_of(row)
            known = self._ended.get(case.id)
            version = known if known is not None and known.case == case else self._version(SqlUnit(db), case)
            version = replace(version, absorbed_by=row.absorbed_by)
            if case.state in FINAL:
                self._ended[case.id] = version
            yield version

    def _version(self, unit: SqlUnit, case: Case) -> Version:
        summary = unit.summary(case.id)
        answers = summary.get("answers", [])
        return Version(
            case=case,
            asked=asked(case.patient),
            used=frozenset(summary.get("modalities_used", [])),
            members=frozenset(stored.instance.sop_instance_uid for stored in unit.instances(case.id)),
            made=self._made_of(unit, case),
            estimated=frozenset(answer["side"] for answer in answers if "probability" in answer),
            outbox=tuple(unit.outbox_of(case.id)),
            closed_at=unit.history(case.id)[-1].at if case.state is CaseState.CLOSED else None,
        )

    def _made_of(self, unit: SqlUnit, case: Case) -> tuple[Made, ...]:
        """What is saved stays as it is, and is many megabytes: it is read once, unless it is to be forgotten."""
        made = self._made.get(case.id) or tuple(map(made_of, unit.result_objects(case.id)))
        self._made[case.id] = made
        return made

    def _partial_ages(self) -> Mapping[str, timedelta]:
        now, ages = time.time(), {}
        for folder in ("spool", "quarantine"):
            for path in (found for pattern in _PARTIAL for found in (self.folder / folder).rglob(pattern)):
                with suppress(FileNotFoundError):  # finished meanwhile
                    ages[path.name] = timedelta(seconds=now - path.stat().st_mtime)
        return ages


def _survivors(unit: SqlUnit, messages: Iterable[Message]) -> Iterator[tuple[PatientKey, PatientKey]]:
    """Yield each key that is retired now, with the one that stands for it."""
    for retired in {message.retired for message in messages if message.retired}:
        if (surviving := unit.canonical(retired)) != retired:
            yield retired, surviving


def _is_unanswered(item: OutboxItem) -> bool:
    """Whether an archive was asked to commit a while ago and has not answered."""
    waited = _now() - (item.next_at - COMMITMENT_WITHIN)
    return (
        item.error == ASKED and item.status is OutboxStatus.SENT and timedelta(seconds=2) < waited < COMMITMENT_WITHIN
    )


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
