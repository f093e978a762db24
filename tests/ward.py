"""A ward: a store, a clinical database, and an assembler between them, on a clock that tests turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from agent.assemble.complete import Assembler
from agent.assemble.judging import QuestionScope
from agent.assemble.settings import AssembleSettings
from agent.core.case import ANSWERED, Case, CaseEvent, CaseState
from agent.core.evidence import Patience
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from tests.clock import Clock
from tests.fakes.clinical import FakeClinical
from tests.fakes.store import FakeStore
from tests.state_stores import result_object

ALICE, BERTA = PatientKey("PHANTOM", "P-1"), PatientKey("PHANTOM", "P-2")
QUIET, HOUR = timedelta(minutes=1), timedelta(hours=1)
REFRESH, EPISODE = timedelta(minutes=15), timedelta(days=120)
CANCER: dict[str, object] = {"diagnosis": "invasive", "side": "L", "sex": "F", "birth_date": "1970-01-01"}


@dataclass
class Ward:
    """A store, a clinical database and an assembler over them."""

    patience: Patience = field(default_factory=lambda: Patience(QUIET, ("MG",), {"MG": 4 * HOUR}))
    chance: float = 0.5  # in the middle: no jitter
    scopes: tuple[QuestionScope, ...] = (QuestionScope("aln", frozenset({"MG"}), facts=frozenset({"grade"})),)

    def __post_init__(self) -> None:
        self.clock, self.store, self.clinical = Clock(), FakeStore(), FakeClinical()
        self._number, self._identities = count(1), count(1000)
        settings = AssembleSettings(self.patience, EPISODE, REFRESH, scopes=self.scopes)
        self.assembler = Assembler(
            self.store,
            self.clinical,
            settings,
            now=self.clock,
            random=lambda: self.chance,
            new_case_uuid=lambda: UUID(int=next(self._identities)),
        )

    def image(
        self,
        patient: PatientKey = ALICE,
        *,
        modality: str = "MG",
        acquired_on: date | None = date(2026, 11, 19),
        laterality: str = "L",
        intent: str = "FOR PRESENTATION",
        association_id: str = "run/1",
        sop_class_uid: str = "1.2",
        frames: int = 1,
        study: str = "1.2",
        question: str = "aln",
    ) -> Case:
        """Let an image of a patient arrive, as the indexer would take it in."""
        n = next(self._number)
        said = (patient, modality, laterality, "CC", intent, acquired_on)
        instance = Instance(f"1.2.{n}", sop_class_uid, "1.2", study, "1.2", *said, frames=frames)
        arrival = Arrival(SpoolRef(1, 1, n), self.clock(), association_id, f"1.2.{n}", End.COLLECTED, "collected")
        with self.store.unit() as unit:
            case = unit.newest_case(question, patient)
            if case is None:
                case = unit.open_case(question, patient, self.clock(), UUID(int=n))
            elif case.state in ANSWERED or case.state is CaseState.CLOSED:
                case = unit.open_version(case, self.clock())
            return unit.add_instance(case, instance, arrival, self.clock() + QUIET)

    def know(self, **changes: object) -> None:
        """Let the clinical database say something of Alice's cancer."""
        self.clinical.know(ALICE, "2026-11-01", **{**CANCER, "grade": 2, **changes})

    def pass_time(self, span: timedelta = QUIET) -> None:
        """Let time pass, and the assembler look."""
        self.clock.advance(span)
        self.assembler.tick()

    def answer(self) -> Case:
        """Let a worker answer what is ready, and every destination take it."""
        with self.store.unit() as unit:
            case = unit.claim(self.clock(), self.clock() + HOUR, "worker")
            assert case is not None
            objects = [result_object(f"2.25.{case.id}")]
            case = unit.save_result(case, self.clock(), {}, {"pacs": objects})
            for item in unit.outbox_of(case.id):
                unit.settle(item, OutboxStatus.CONFIRMED, self.clock())
            return unit.apply(case, CaseEvent.ALL_CONFIRMED, self.clock())

    def answered(self, **more: object) -> Case:
        """Let a left-sided cancer be known, imaged and answered."""
        self.clinical.know(ALICE, "2026-11-01", **{**CANCER, "grade": 2, **more})
        self.image()
        self.pass_time()
        return self.answer()

    def cases(self) -> list[tuple[str, int, CaseState]]:
        """Question, version and state of every case, in the order in which they were opened."""
        return [(case.question, case.version, case.state) for case in self.store.tables.cases.values()]

    def uids(self, case: Case) -> list[str]:
        """What a version holds."""
        with self.store.unit() as unit:
            return [stored.instance.sop_instance_uid for stored in unit.instances(case.id)]

    def case(self, patient: PatientKey = ALICE, question: str = "aln") -> Case:
        """The patient's case as it stands."""
        with self.store.unit() as unit:
            found = unit.newest_case(question, patient)
        assert found is not None
        return found

    def findings(self, case: Case | None = None) -> Mapping[str, Any]:
        """What is kept of the last decision."""
        case = case or self.case()
        with self.store.unit() as unit:
            return unit.findings(case.id)

    def events(self) -> list[CaseEvent]:
        """The life of the case."""
        case = self.case()
        with self.store.unit() as unit:
            return [change.event for change in unit.history(case.id)]
