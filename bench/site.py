"""One installation to measure: a spool, a database and a hospital's, with the agent's own indexer and assembler."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Final
from uuid import uuid4

from agent.assemble.complete import Assembler
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.settings import AssembleSettings
from agent.core.evidence import Patience
from agent.core.ports import RecordKind
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.ehr.source import EhrSource
from agent.record.quarantine import Quarantine
from agent.spool import Disk, SpoolReader, SpoolWriter
from agent.state import SqlStore
from agent.state.migration import migrate
from bench.objects import ISSUER, Image, encoded, meta, patient_id

SQL: Final = Path(__file__).parents[1] / "sql" / "ehr"
START: Final = datetime(2026, 1, 6, 9, 0, tzinfo=UTC)
QUIET: Final = timedelta(seconds=60)
EPISODE: Final = timedelta(days=120)
SCOPE: Final = QuestionScope("aln", frozenset({"clinical", "MG", "US", "MR"}))
SPOOL_BYTES: Final = 1 << 40


class Clock:
    """The time at a site, which passes only when it is told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        """Say what time it is."""
        return self.time

    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.time += span


@dataclass
class Site:
    """An installation in a folder of its own, with its own time.

    Parameters
    ----------
    folder
        Of the spool and of the hospital's database; not there yet.
    url
        Of the agent's database; it is migrated here.
    refresh
        How often the clinical database is asked again.
    """

    folder: Path
    url: str
    refresh: timedelta

    def __post_init__(self) -> None:
        self.clock, self.associations = Clock(), count(1)
        self.folder.mkdir(parents=True)
        migrate(self.url)
        self.store = SqlStore(self.url)
        self.spool = SpoolWriter(
            self.folder / "spool",
            limit_bytes=SPOOL_BYTES,
            refuse_below_free_bytes=0,
            now=self.clock,
            disk=Disk(fdatasync=lambda _: None, dsync=0),  # filling it is not what is measured
        )
        self.hospital = self.folder / "hospital.db"
        with closing(sqlite3.connect(self.hospital)) as db:
            db.executescript((SQL / "demo_schema.sql").read_text(encoding="utf-8"))
        self.indexer = self._indexer()
        self.assembler = self._assembler()

    def _indexer(self) -> Indexer:
        return Indexer(
            SpoolReader(self.folder / "spool"),
            self.store,
            [SCOPE],
            IndexSettings(QUIET, EPISODE),
            reading=Reading(partial(read_header, site_issuer=None), to_part10, same_pixels),
            quarantine=Quarantine(self.folder / "quarantine", 1 << 30),
            on_event_report=lambda _unit, _record: None,
            now=self.clock,
            new_case_uuid=uuid4,
        )

    def _assembler(self) -> Assembler:
        patience = Patience(QUIET, ("MG",), {"MG": timedelta(hours=4)})
        return Assembler(
            self.store,
            EhrSource(f"sqlite:///{self.hospital}", SQL / "clinical_facts.sql", 5.0),
            AssembleSettings(patience, EPISODE, self.refresh, scopes=(SCOPE,)),
            now=self.clock,
            random=Random(2).random,  # noqa: S311 - no secrets
            new_case_uuid=uuid4,
        )

    def receive(self, images: Iterable[Image]) -> None:
        """Spool images as one association."""
        name = f"bench/{next(self.associations)}"
        channel = self.spool.channel()
        channel.append(RecordKind.ASSOCIATION_OPENED, {"association_id": name, "calling_ae_title": "BENCH"}, b"")
        for image in images:
            channel.append(RecordKind.INSTANCE, meta(image, name), encoded(image))
        channel.append(RecordKind.ASSOCIATION_CLOSED, {"association_id": name}, b"")
        channel.close()

    def diagnose(self, patients: Iterable[int], diagnosis: str) -> None:
        """Let the hospital know of patients."""
        day = START.date().isoformat()
        rows = [(patient_id(n), ISSUER, day, diagnosis, day, "L", day) for n in patients]
        columns = "patient_id, issuer_of_patient_id, recorded_date, diagnosis, diagnosis_date, side, side_date"
        with closing(sqlite3.connect(self.hospital)) as db, db:
            db.executemany(f"INSERT INTO clinical_facts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608 - names are ours

    def close(self) -> None:
        """Give spool and database up."""
        self.spool.close()
        self.store.close()
