"""An installation that only delivers: its outbox is filled by us, and its two destinations are late."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from pydicom import dcmread, dcmwrite
from pydicom.uid import ComprehensiveSRStorage

from agent.core.case import CaseEvent, CaseState
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind, ResultObject
from tests.fakes.objects import SOP_CLASSES, part10
from tests.faults.deliver.peer import LatePeer
from tests.faults.installation import CONFIRM, Installation, asked, patient

SIDE_PX = 256  # of a picture: a kill may strike in the middle of one
LEASE = timedelta(minutes=5)
CAPTURES = 2
_UNDERWAY = (OutboxStatus.WAITING, OutboxStatus.SENT)


class Site(Installation):
    """The sender, and a `committing` and a `listing` peer. `program` is the module that serves."""

    def __init__(self, folder: Path, seed: int, database_url: str = "", program: str = "") -> None:
        self._seed = seed
        self.program = program or "tests.faults.deliver.sender"
        self._numbers = count(1)
        super().__init__(folder, database_url)

    def _archives(self) -> Mapping[str, Any]:
        return {name: LatePeer(name.upper(), self._seed + n) for n, name in enumerate(CONFIRM)}

    def fill(self, cases: int) -> None:
        """Put results into the outbox until so many are on their way."""
        with self.store.unit() as unit:
            underway = {i.case_id for name in CONFIRM for i in unit.outbox(name, _UNDERWAY, _later(), 1000)}
        for _ in range(cases - len(underway)):
            self.answer()

    def answer(self) -> None:
        """Do what a worker does for a case: save its result, which is due at once."""
        number, at = self.next_patient(), datetime.now(UTC)
        who = patient(number, bilateral=number % 3 == 2)
        objects = self._objects(who, number)
        answers = [{"side": side, "probability": 0.5} for side in sorted(asked(who))]
        with self.store.unit() as unit:
            case = unit.open_case("aln", who, at, UUID(int=number + 1))
            unit.apply(case, CaseEvent.COMPLETE, at)
            claimed = unit.claim(at, at + LEASE, "tests")
            assert claimed is not None
            assert claimed.id == case.id
            saved = unit.save_result(claimed, at, {"answers": answers}, dict.fromkeys(CONFIRM, objects))
            assert saved.state is CaseState.DELIVERING

    def _objects(self, who: PatientKey, number: int) -> list[ResultObject]:
        """Return an SR a side, each of which needs its first picture, a text SR, and the pictures."""
        study, made = f"2.25.7{number:06}", []
        for side in sorted(asked(who)):
            pictures = [self._object(Kind.SECONDARY_CAPTURE, who, study, side, n + 1) for n in range(CAPTURES)]
            report = self._object(Kind.SR, who, study, side, 1, (pictures[0].sop_instance_uid,))
            made += [pictures[0], report, self._in_reserve(report, who, side)]
            made += pictures[1:]
        return [*made, self._object(Kind.TEXT_SR, who, study, "", 1)]

    def _in_reserve(self, report: ResultObject, who: PatientKey, side: str) -> ResultObject:
        other = self._object(Kind.SR, who, report.study_instance_uid, side, 1, report.needs, ComprehensiveSRStorage)
        return replace(other, role=f"{report.role}:comprehensive", instead_of=report.sop_instance_uid)

    def _object(
        self,
        kind: Kind,
        who: PatientKey,
        study: str,
        side: str,
        index: int,
        needs: tuple[str, ...] = (),
        sop_class: str = "",
    ) -> ResultObject:
        number = next(self._numbers)
        uid, series = f"2.25.3{number:08}", f"2.25.2{number:08}"
        roles = {Kind.SR: f"sr:{side}", Kind.TEXT_SR: "text_sr", Kind.SECONDARY_CAPTURE: f"{kind}:{side}:{index}"}
        ds = dcmread(BytesIO(part10(sop_class or SOP_CLASSES[kind], uid, study=study, series=series)))
        ds.PatientID, ds.IssuerOfPatientID = who.patient_id, who.issuer
        if kind is Kind.SECONDARY_CAPTURE:
            ds.Rows = ds.Columns = SIDE_PX
            ds.PixelData = number.to_bytes(8, "little") * (SIDE_PX * SIDE_PX // 8)
        stream = BytesIO()
        dcmwrite(stream, ds, enforce_file_format=True)
        return ResultObject(
            kind=kind,
            role=roles[kind],
            axilla=side,
            index=index,
            sop_class_uid=sop_class or SOP_CLASSES[kind],
            sop_instance_uid=uid,
            study_instance_uid=study,
            series_instance_uid=series,
            transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
            encoded=stream.getvalue(),
            needs=needs,
        )


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)
