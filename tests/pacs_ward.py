"""A ward that asks a PACS, on a virtual clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from agent.assemble.complete import Assembler
from agent.assemble.inquire import Asking, Inquirer, routed
from agent.assemble.judging import QuestionScope
from agent.assemble.retrieve import LookFor, Retriever, Searcher
from agent.assemble.settings import AssembleSettings
from agent.core.case import ANSWERED, Case
from agent.core.evidence import Patience
from agent.core.instance import Arrival, End, Instance, SpoolRef
from agent.core.pacs import Listed, Retrieval
from agent.core.patient import PatientKey
from tests.clock import Clock
from tests.fakes.clinical import FakeClinical
from tests.fakes.pacs import FakeQuery, Held
from tests.fakes.store import FakeStore

ALICE, BERTA = PatientKey("PHANTOM", "P-1"), PatientKey("PHANTOM", "P-2")
MG, US, MR = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.4"
RAW, SR, TOMO = f"{MG}.1", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.13.1.3"
CLASSES = {"MG": MG, "US": US, "MR": MR}
QUIET, HOUR, EPISODE = timedelta(minutes=1), timedelta(hours=1), timedelta(days=120)
CANCER: dict[str, object] = {"diagnosis": "invasive", "side": "L", "sex": "F", "birth_date": "1970-01-01"}
SCOPE = QuestionScope("aln", frozenset({"clinical", "MG", "US", "MR"}))
BOTH = Asking(counts=True, missing_modalities=True)
_STEP = timedelta(seconds=30)


@dataclass
class PacsWard:
    """A store, a clinical database, a PACS, and everything that asks them."""

    patience: Patience = field(default_factory=lambda: Patience(QUIET, counts_wait=HOUR, poll=QUIET))
    asking: Asking = BOTH

    def __post_init__(self) -> None:
        self.clock, self.store, self.clinical, self.pacs = Clock(), FakeStore(), FakeClinical(), FakeQuery()
        self._number, self.sent = count(1), 0
        self.pacs.on_retrieve = self._receive
        now, scopes = self.clock, routed([SCOPE])
        settings = AssembleSettings(self.patience, EPISODE, timedelta(minutes=15), scopes=(SCOPE,), asking=self.asking)
        self.assembler = Assembler(
            self.store,
            self.clinical,
            settings,
            now=now,
            random=lambda: 0.5,
            new_case_uuid=lambda: UUID(int=1000 + next(self._number)),
        )
        self.inquirer = Inquirer(self.store, self.pacs, scopes, quiet=QUIET, poll=self.patience.poll, now=now)
        look_for = LookFor(scopes, self.patience.expected, EPISODE, self.patience.poll)
        self.searcher = Searcher(self.store, self.pacs, look_for, now=now, random=lambda: 0.5)
        self.retriever = Retriever(self.store, self.pacs, now=now, random=lambda: 0.5)
        self.clinical.know(ALICE, "2026-11-01", **CANCER)

    def hold(
        self,
        study: str = "1.5",
        modality: str = "MG",
        *,
        patient: PatientKey = ALICE,
        series: str = "",
        sop_class: str = "",
        days_ago: int = 1,
    ) -> Held:
        """Put an image into the PACS, and nowhere else."""
        listed = Listed(
            series or f"{study}.{modality}", modality, sop_class or CLASSES[modality], f"1.9.{next(self._number)}"
        )
        one = Held(patient, study, self.clock().date() - timedelta(days=days_ago), listed)
        self.pacs.held.append(one)
        return one

    def send(self, *held: Held, view: str = "CC", laterality: str = "L") -> None:
        """Let images arrive, as the indexer would take them in."""
        for one in held:
            self._arrive(one, view, laterality)

    def _receive(self, one: Held) -> None:
        self._arrive(one, "CC", "L")

    def _arrive(self, one: Held, view: str, laterality: str) -> None:
        n, listed, now = next(self._number), one.listed, self.clock()
        self.sent += 1
        used = listed.modality in CLASSES and listed.sop_class_uid == CLASSES[listed.modality]
        end = End.COLLECTED if used else End.NOT_RELEVANT
        arrival = Arrival(SpoolRef(1, 1, n), now, "run/1", listed.sop_instance_uid, end, "", one.patient)
        side = "" if listed.modality == "MR" else laterality  # MR shows both breasts
        said = (side, view, "FOR PRESENTATION", one.study_date)
        place = (one.study_instance_uid, listed.series_instance_uid)
        instance = Instance(
            listed.sop_instance_uid, listed.sop_class_uid, "1.2", *place, one.patient, listed.modality, *said
        )
        with self.store.unit() as unit:
            known = unit.find_instance(listed.sop_instance_uid)
            if not used or known:
                unit.arrived(arrival)
                if known:
                    unit.place(known, arrival.ref)
                return
            case = unit.newest_case("aln", one.patient)
            if case is None:
                case = unit.open_case("aln", one.patient, now, UUID(int=n))
            elif case.state in ANSWERED:
                case = unit.open_version(case, now)
            unit.add_instance(case, instance, arrival, now + QUIET)

    def tick(self) -> None:
        """Run every tick once."""
        self.assembler.tick()
        self.inquirer.tick()
        self.searcher.tick()
        self.retriever.tick()

    def pass_time(self, span: timedelta) -> None:
        """Let time pass in steps of half a minute, with every tick in each; a ready case is taken by a worker."""
        until = self.clock() + span
        while self.clock() < until:
            self.clock.advance(_STEP)
            self.tick()
            with self.store.unit() as unit:
                unit.claim(self.clock(), self.clock() + 100 * EPISODE, "worker")

    def case(self, patient: PatientKey = ALICE) -> Case:
        """The newest version of the patient's case."""
        with self.store.unit() as unit:
            found = unit.newest_case("aln", patient)
        assert found is not None
        return found

    def findings(self) -> Mapping[str, Any]:
        """What is kept of the last decision."""
        with self.store.unit() as unit:
            newest = unit.newest_case("aln", ALICE)
            return unit.findings(newest.id) if newest else {}

    def retrievals(self) -> list[Retrieval]:
        """What was requested for it."""
        case = self.case()
        with self.store.unit() as unit:
            return list(unit.retrievals(case.id))

    def evidence(self) -> list[str]:
        """Its sentences on evidence."""
        return list(self.findings()["evidence"])
