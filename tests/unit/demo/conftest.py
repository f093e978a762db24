"""One patient of the demo, her case and her results, made without a PACS and without an agent."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from agent.core.prediction import Estimate
from agent.core.result import Kind, Result, ResultObject
from agent.infer.statement import summarise
from agent.operate.status import to_json
from agent.report.compose import Composer
from demo.expected import Expected, estimate
from demo.outcome import PACS, Arrived, Outcome, Version
from demo.patients import DemoPatient
from demo.stories import Story
from models import phantom
from tests import builders
from tests.unit.report.conftest import DEVICE

IMAGES = [dcmread(BytesIO(builders.part10(builders.mammogram("L", view)))) for view in ("CC", "MLO")]
OLD = "demo-old-archive"
SOURCES = [builders.source_image(ds) for ds in IMAGES]

Make = Callable[..., Outcome]


def _composing_once() -> Callable[[Result], Sequence[ResultObject]]:
    """Compose each result only once: most tests begin with the same one."""
    made: dict[bytes, Sequence[ResultObject]] = {}

    def compose(result: Result) -> Sequence[ResultObject]:
        content = pickle.dumps(result)
        if content not in made:
            made[content] = tuple(Composer(DEVICE, kinds=Kind)(result, SOURCES))
        return made[content]

    return compose


compose = _composing_once()


def a_patient(expected: Expected, images: Sequence[Dataset] = IMAGES, **story: object) -> DemoPatient:
    """Return a patient whose images are those of tests/builders.py."""
    told = Story("A title", "A text.", builders.NAME, "MG", expected)
    who = phantom.patient(1, builders.PATIENT.patient_id, name=builders.NAME, diagnosed_on=date(2026, 1, 1))
    return DemoPatient(1, replace(told, **story), who, None, images, [], [])


def a_version(folder: Path, result: Result, state: str = "done", reason: str = "") -> Version:
    """Return a version as it stands when every object was confirmed."""
    objects = compose(result) if result.answers else ()
    arrived = [_arrived(one, result.version, folder) for one in objects if not one.instead_of]
    old = [_arrived(one, result.version, folder / OLD) for one in objects if one.instead_of or one.kind is Kind.TEXT_SR]
    case = {
        "version": result.version,
        "state": state,
        "reason": reason,
        "ready_at": "2026-01-06T09:30:00+00:00",
        "sr_stored_at": "2026-01-06T09:30:01.500000+00:00" if objects else None,
        "case_uuid": str(result.case_uuid),
        "issuer": result.patient.issuer,
        "patient_id": result.patient.patient_id,
        "summary": to_json(summarise(result, "cpu", {})) if result.answers else {},
    }
    received = ("2026-01-06T09:29:43+00:00", "2026-01-06T09:29:42+00:00")
    instances = [
        {"sop_instance_uid": str(ds.SOPInstanceUID), "left_out": None, "received_at": at}
        for ds, at in zip(IMAGES, received, strict=True)
    ]
    stored_at = case["sr_stored_at"]
    said = [(PACS, one, "spare" if one.instead_of else "confirmed") for one in objects]
    said += [
        (OLD, one, "confirmed" if one.instead_of or one.kind is Kind.TEXT_SR else "refused")
        for one in objects
        if one.kind in (Kind.SR, Kind.TEXT_SR)
    ]
    deliveries = [
        {
            "role": one.role,
            "sop_instance_uid": one.sop_instance_uid,
            "destination": destination,
            "status": status,
            "stored_at": stored_at if status == "confirmed" else None,
        }
        for destination, one, status in said
    ]
    return Version(case, [], instances, deliveries, arrived, {OLD: old})


def _arrived(one: ResultObject, version: int, folder: Path) -> Arrived:
    folder.mkdir(exist_ok=True)
    path = folder / f"v{version}-{one.role.replace(':', '-').strip('-')}.dcm"
    path.write_bytes(one.encoded)
    return Arrived(one.role, one.sop_instance_uid, _read(one.encoded), path)


@cache
def _read(encoded: bytes) -> Dataset:
    """Read an object only once, for pydicom takes long to make sense of its elements; a test changes a copy."""
    return dcmread(BytesIO(encoded))


def a_result(version: int = 1, **more: object) -> Result:
    """Return a result on the patient's mammograms; a later version names the objects of the one before."""
    made = builders.result(images=SOURCES, version=version, **more)
    if version == 1:
        return made
    before = compose(builders.result(images=SOURCES, version=version - 1))
    documents = {one.role: one.reference for one in before if one.kind in (Kind.SR, Kind.TEXT_SR)}
    held_by = {one.sop_instance_uid: frozenset[str]() if one.instead_of else frozenset({PACS}) for one in before}
    return replace(made, predecessors=documents, superseded=tuple(one.reference for one in before), held_by=held_by)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an outcome in which everything is as it must be, or as a test wants it."""

    def made(
        results: Sequence[Result] = (), expected: Expected | None = None, state: str = "done", reason: str = ""
    ) -> Outcome:
        results = results or [a_result()]
        used = ["clinical MG" if any(isinstance(a, Estimate) for a in r.answers) else "" for r in results]
        patient = a_patient(expected or estimate(*used))
        versions = [a_version(tmp_path, result, state, reason) for result in results]
        return Outcome(patient, versions, dict.fromkeys(patient.sent, ("collected", "")), [])

    return made


@pytest.fixture
def outcome(make: Make) -> Outcome:
    """One version, one estimate."""
    return make()
