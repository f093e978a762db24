"""An indexer between a spool and a store, for the tests of indexing."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

from pydicom.dataset import Dataset

from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.resolve import Request, Resolver
from agent.core.adt import PatientNews, news_to_json
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Ruling
from agent.core.instance import Arrival, End
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind, StoredInstance, Unit
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.record.quarantine import Quarantine
from tests.clock import Clock
from tests.fakes.instances import encode, meta_of
from tests.fakes.spool import FakeSpool
from tests.fakes.store import FakeStore

QUIET, EPISODE = timedelta(seconds=60), timedelta(days=120)


ALICE = PatientKey("PHANTOM", "P-1")


@dataclass
class House:
    """A spool, a store and an indexer between them."""

    folder: Path
    scopes: tuple[QuestionScope, ...] = (QuestionScope("aln", frozenset({"clinical", "MG"})),)
    clock: Clock = field(default_factory=Clock)
    events: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)  # what the next event reports run into
    rejecting: tuple[str, ...] = ()  # destinations that take rejections

    def __post_init__(self) -> None:
        self.spool, self.store = FakeSpool(self.clock), FakeStore()
        identities = count(1)
        self.indexer = Indexer(
            self.spool,
            self.store,
            self.scopes,
            IndexSettings(QUIET, EPISODE, self.rejecting),
            reading=Reading(partial(read_header, site_issuer=None), to_part10, same_pixels),
            quarantine=Quarantine(self.folder, 1 << 30),
            on_event_report=self._event,
            now=self.clock,
            new_case_uuid=lambda: UUID(int=next(identities)),
        )

        self.resolver = Resolver(self.store, self.indexer.patients)

    def _event(self, unit: Unit, record: Record) -> None:
        if self.trouble:
            raise self.trouble.pop()
        self.events.append(record.meta["event_type_id"])

    def send(self, *objects: Dataset, association_id: str = "run/1") -> None:
        """Spool objects, one association."""
        for ds in objects:
            self.spool.add(RecordKind.INSTANCE, meta_of(ds, association_id=association_id), encode(ds))

    def send_as(self, transfer_syntax_uid: str, ds: Dataset) -> None:
        """Spool an object in a transfer syntax."""
        self.spool.add(RecordKind.INSTANCE, meta_of(ds, transfer_syntax_uid), encode(ds, transfer_syntax_uid))

    def tell(self, *news: PatientNews) -> None:
        """Spool an HL7 message, as the receiver read it."""
        self.spool.add(RecordKind.HL7, {"news": news_to_json(news)})

    def rule(
        self, ruling: Ruling, case: Case | None = None, about: str = "", conflict: str = "", *, every: bool = False
    ) -> Case:
        """Decide as a person does about a case, by default the newest."""
        asked = case or self.cases()[-1]
        return self.resolver.resolve(Request(asked.id, ruling, "someone", conflict, about, every))

    def heads(self) -> dict[str, Case]:
        """The newest live version of each patient, by Patient ID; a split-off one has SPLIT before it."""
        found = {}
        with self.store.unit() as unit:
            for patient in sorted({case.patient for case in self.cases()}):
                for case in unit.heads(patient):
                    name = (
                        f"{patient.issuer[:5]} {patient.patient_id}"
                        if "SPLIT" in patient.issuer
                        else patient.patient_id
                    )
                    if case.state is not CaseState.CLOSED:
                        found[name] = case
        return found

    def arrivals(self) -> list[Arrival]:
        """Every arrival, in order of the spool."""
        with self.store.unit() as unit:
            return list(unit.arrivals())

    def ends(self) -> list[End]:
        """What became of each arrival."""
        return [arrival.end for arrival in self.arrivals()]

    def cases(self) -> list[Case]:
        """Every version of every case."""
        return list(self.store.tables.cases.values())

    def move(self, *events: CaseEvent) -> Case:
        """Let the newest version live on."""
        case = self.cases()[-1]
        with self.store.unit() as unit:
            for event in events:
                lease = self.clock() if event is CaseEvent.CLAIMED else None
                case = unit.apply(case, event, self.clock(), due_at=lease)
        return case

    def stored(self, case: Case) -> list[StoredInstance]:
        """What a version holds, with the places of its bytes."""
        with self.store.unit() as unit:
            return list(unit.instances(case.id))

    def uids(self, case: Case) -> list[str]:
        """What a version holds."""
        with self.store.unit() as unit:
            return [stored.instance.sop_instance_uid for stored in unit.instances(case.id)]


def answered(house: House) -> None:
    """Let the newest version be answered and delivered."""
    life = (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED)
    house.move(*life)


def held_for(house: House, patient_id: str) -> list[Conflict]:
    """What a patient's case is held for, if it is."""
    case = house.heads()[patient_id]
    with house.store.unit() as unit:
        return list(unit.conflicts(case.id)) if case.state is CaseState.HELD else []


def kinds(house: House, patient_id: str) -> list[ConflictKind]:
    """Of what kinds that is."""
    return [conflict.kind for conflict in held_for(house, patient_id)]
