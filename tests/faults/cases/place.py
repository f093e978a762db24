"""An agent without its processes: the real indexer, assembler and resolver, with tiny stand-ins around them."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Final
from uuid import UUID

from agent.assemble.complete import Assembler
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.resolve import Resolver
from agent.assemble.settings import AssembleSettings
from agent.core.adt import PatientNews, news_to_json
from agent.core.case import Case
from agent.core.clinical import ClinicalFacts
from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind, Store, StoredInstance, Unit
from agent.core.prediction import Side
from agent.core.role_rules import BUILT_IN
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.infer.question import Asked, read_findings
from agent.infer.selection import refusal
from tests.clock import Clock
from tests.fakes.clinical import FakeClinical
from tests.fakes.spool import FakeSpool
from tests.faults.cases.truth import Message, Photo, Row, Story

QUIET, EPISODE, REFRESH = timedelta(seconds=60), timedelta(days=120), timedelta(minutes=15)
LEASE: Final = timedelta(hours=1)
MODALITIES: Final = frozenset({"MG", "US", "MR"})
READS: Final = frozenset({"grade", "er", "clinical_t"})
"""Facts that the bundle reads."""


class Hospital(FakeClinical):
    """The clinical database, which remembers what it held when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[PatientKey, datetime], Row] = {}

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Answer, and note what there was to know."""
        found = super().facts(patient, as_of)
        rows = [row for row in self.rows if PatientKey(str(row[_ISSUER]), str(row["patient_id"])) == patient]
        self.held[patient, as_of] = deepcopy(rows[0]) if rows else {}
        return found


_ISSUER: Final = "issuer_of_patient_id"


class NoQuarantine:
    """Takes what nobody looks at here."""

    def keep(
        self, part10: Iterable[bytes], sha256: str, reason: str, *, size: int, received_at: datetime, sop_class_uid: str
    ) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Answered:
    """What the answer of one version rests on."""

    case: Case
    asked: Asked
    asked_at: datetime
    used: tuple[StoredInstance, ...]
    used_for: tuple[Side, ...]


@dataclass
class Place:
    """A spool, a store, a clinical database and everything between them, on a clock that only moves when told."""

    store: Store
    story: Story
    clock: Clock = field(default_factory=Clock)
    spooled: list[Photo | PatientNews] = field(default_factory=list)
    taken_in: int = 0  # how many of `spooled` the indexer saw
    at_work: Answered | None = None

    def __post_init__(self) -> None:
        self.spool, self.hospital = FakeSpool(self.clock), Hospital()
        identities = count(1)
        scope = QuestionScope("aln", MODALITIES, facts=READS)
        known = {(photo.payload, photo.meta["transfer_syntax_uid"]): photo.header for photo in self.story.photos}
        self.indexer = Indexer(
            self.spool,
            self.store,
            (scope,),
            IndexSettings(QUIET, EPISODE),
            reading=Reading(lambda r: known[r.payload, r.meta["transfer_syntax_uid"]], to_part10, same_pixels),
            quarantine=NoQuarantine(),
            on_event_report=_nothing,
            now=self.clock,
            new_case_uuid=lambda: UUID(int=next(identities)),
        )
        patience = Patience(QUIET, ("MG",), {"MG": timedelta(hours=4)})
        self.assembler = Assembler(
            self.store,
            self.hospital,
            AssembleSettings(patience, EPISODE, REFRESH, scopes=(scope,)),
            now=self.clock,
            random=lambda: 0.5,
            new_case_uuid=lambda: UUID(int=next(identities)),
        )
        self.resolver = Resolver(self.store, self.indexer.patients)

    def give(self, message: Message) -> None:
        """Let a message come."""
        if isinstance(message, tuple):
            person = self.story.person[message[0]]
            for key in person.keys:
                row = {name: value for name, value in person.rows[message[1]].items() if name != "recorded_date"}
                self.hospital.know(key, str(person.rows[message[1]]["recorded_date"]), **row)
            return
        if isinstance(message, Photo):
            self.spool.add(RecordKind.INSTANCE, message.meta, message.payload)
        else:
            self.spool.add(RecordKind.HL7, {"news": news_to_json([message])})
        self.spooled.append(message)

    def index(self) -> None:
        """Let the indexer take in everything."""
        self.indexer.tick()
        self.taken_in = len(self.spooled)

    def claim(self) -> None:
        """Let the worker take a case, and look at what there is."""
        if self.at_work is not None:
            return
        with self.store.unit() as unit:
            case = unit.claim(self.clock(), self.clock() + LEASE, "worker")
            if case is not None:
                self.at_work = looked_at(unit, case)

    @property
    def applied(self) -> list[Photo | PatientNews]:
        """What the indexer has seen."""
        return self.spooled[: self.taken_in]


def looked_at(unit: Unit, case: Case) -> Answered:
    """Decide as a worker does what an answer rests on."""
    findings = unit.findings(case.id)
    asked = read_findings(findings)
    sides = asked.open_sides
    stored = unit.instances(case.id) if sides else ()
    used = tuple(
        one
        for one in stored
        if not refusal(one.instance, BUILT_IN.verdict(one.instance), sides, asked.window, MODALITIES)
    )
    return Answered(case, asked, datetime.fromisoformat(str(findings["asked_at"])), used, sides)


def _nothing(_unit: Unit, _record: Record) -> None:
    """There are no event reports here."""
