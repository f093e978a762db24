"""The worker with the real report room: what it hands over is what the composer takes."""

from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from structlog.testing import capture_logs

from agent.core.case import CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.patient import PatientKey
from agent.core.result import Kind, ResultObject
from agent.dicom import codes
from agent.infer.engine import Engine
from agent.report import tree
from agent.report.compose import Composer, DeviceIdentity
from tests.builders import mammogram, uid
from tests.builders_us_mr import LESIONS, dynamic, enhanced
from tests.infer_scene import BOTH_SIDES, KNOWN, T0, Scene, findings, four_views, load_engine
from tests.peers import ROOT

DEVICE = DeviceIdentity("2.25.9", "SENTINODE", "Sentinode", "Sentinode", "1", "0.1.0")


def objects(scene: Scene) -> list[ResultObject]:
    """What was saved for the first case."""
    with scene.store.unit() as unit:
        return list(unit.result_objects(1))


@pytest.mark.parametrize("asked_of_real_patient", [False, True])
def test_a_result_becomes_objects_and_a_refusal_has_no_number(scene: Scene, asked_of_real_patient: bool) -> None:
    """SRs of both axillae with captures, or the words alone."""
    if asked_of_real_patient:
        scene.patient = PatientKey("HOSPITAL", "1")
    images = [mammogram(side, view, patient=scene.patient) for side in "LR" for view in ("CC", "MLO")]
    case = scene.ready(images, findings(axillae=BOTH_SIDES))
    replace(scene.worker(), compose=Composer(DEVICE)).step()
    assert scene.case(case).state is CaseState.DELIVERING, scene.case(case).reason
    kinds = [o.kind for o in objects(scene)]
    if asked_of_real_patient:
        assert kinds == [Kind.TEXT_SR, Kind.SECONDARY_CAPTURE]
        assert b"%" not in objects(scene)[0].encoded
    else:
        assert kinds == [Kind.SR] * 4 + [Kind.TEXT_SR] + [Kind.SECONDARY_CAPTURE] * 5  # with the summary


@pytest.mark.parametrize(("question", "number"), [("nsln", "Non-SLN risk"), ("histology", "Metastasis on slide")])
def test_a_bundle_of_another_question_answers_it(tmp_path: Path, question: str, number: str) -> None:
    """From its case to objects that say what was asked."""
    scene = Scene(load_engine(tmp_path / "bundle", question=question))
    case = scene.ready(four_views(), findings(axillae=BOTH_SIDES))
    replace(scene.worker(), compose=Composer(DEVICE)).step()
    assert scene.case(case).state is CaseState.DELIVERING, scene.case(case).reason
    read = [dcmread(BytesIO(o.encoded)) for o in objects(scene)]
    short = "NSLN" if question == "nsln" else "Slide"
    assert all(ds.SeriesDescription.startswith(f"AI {short} risk v1 ") for ds in read)
    (value,) = tree.named(read[0], codes.QUESTIONS[question].probability)
    assert value.ConceptNameCodeSequence[0].CodeMeaning == number


def test_an_answer_from_facts_alone_goes_into_the_newest_study(scene: Scene) -> None:
    """Its images lend their header; there is no region, so no TID 1500."""
    old = mammogram("R", "CC", study="old", day=date(2025, 1, 1))
    scene.ready([old, mammogram("R", "CC", study="new")])
    replace(scene.worker(), compose=Composer(DEVICE)).step()
    made = objects(scene)
    assert [o.kind for o in made] == [Kind.TEXT_SR, Kind.SECONDARY_CAPTURE]
    assert {str(dcmread(BytesIO(o.encoded)).StudyInstanceUID) for o in made} == {uid("new")}


def test_an_enhanced_mr_becomes_captures_of_its_key_frames(wide: Scene) -> None:
    """One for each axilla, each of its own frame of the one object, beside the summary; the object is named once."""
    ds = enhanced(dynamic())
    case = wide.ready([ds], findings(axillae=BOTH_SIDES))
    replace(wide.worker(), compose=Composer(DEVICE)).step()
    assert wide.case(case).state is CaseState.DELIVERING, wide.case(case).reason
    captures = [dcmread(BytesIO(o.encoded)) for o in objects(wide) if o.kind is Kind.SECONDARY_CAPTURE]
    assert len(captures) == 3
    sources = [r for c in captures for r in c.get("SourceImageSequence", ())]
    named = [(r.ReferencedSOPInstanceUID, r.ReferencedFrameNumber) for r in sources]
    assert sorted(named) == sorted((ds.SOPInstanceUID, 5 + LESIONS[side][2]) for side in "LR")


def test_the_demonstration_bundle_answers(scene: Scene) -> None:
    """The committed one, with facts, with images, and with both: three different answers."""
    bundles: list[Path] = sorted((ROOT / "models" / "bundles").glob("aln-demo-*"))
    if not bundles:
        pytest.skip("no demonstration bundle is here")
    scene.engine = Engine.load(bundles[-1], "cpu")
    for number, (images, known) in enumerate(
        [(four_views("s0"), KNOWN), (four_views("s1"), ClinicalFacts()), ([mammogram("R", study="s2")], KNOWN)]
    ):
        case = scene.ready(images, findings(known), number=number)
        scene.worker().step()
        assert scene.case(case).state is CaseState.DELIVERING, scene.case(case).reason
    estimates = [result.estimates[0] for result, _ in scene.compose.given]
    assert len({e.probability for e in estimates}) == 3
    for estimate in estimates:
        assert estimate.low < estimate.probability < estimate.high


def test_a_later_version_rejects_what_the_earlier_one_sent(scene: Scene) -> None:
    """Last, and only what went out; the summary keeps it, so that no later version does it again."""
    compose = Composer(DEVICE, kinds=frozenset(Kind))
    case = scene.ready(four_views())
    worker = replace(scene.worker(), compose=compose)
    worker.step()
    with scene.store.unit() as unit:
        later = unit.open_version(unit.case(case.id), T0)
        unit.save_findings(later, findings())
        unit.apply(later, CaseEvent.COMPLETE, T0)
    worker.step()
    with scene.store.unit() as unit:
        newest = unit.newest_case("aln", scene.patient)
        assert newest is not None
        made, before = unit.result_objects(newest.id), unit.references(case.id)
        rejected = unit.summary(newest.id)["rejected"]
    assert newest.version == 2
    assert made[-1].kind is Kind.REJECTION
    assert sorted(rejected) == sorted(reference.sop_instance_uid for reference in before.values())
    assert {str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in named(made[-1])} == set(rejected)


def test_each_destination_rejects_only_what_it_has(scene: Scene) -> None:
    """One gets no captures: of version 1's it hears nothing when version 2 is sent."""
    case = scene.ready(four_views())
    kinds = {"pacs": frozenset(Kind), "vna": frozenset({Kind.SR, Kind.REJECTION})}
    worker = replace(scene.worker(), compose=Composer(DEVICE, kinds=frozenset(Kind)), destinations=kinds)
    worker.step()
    with scene.store.unit() as unit:
        later = unit.open_version(unit.case(case.id), T0)
        unit.save_findings(later, findings())
        unit.apply(later, CaseEvent.COMPLETE, T0)
    worker.step()
    with scene.store.unit() as unit:
        newest = unit.newest_case("aln", scene.patient)
        assert newest is not None
        sent = {o.sop_instance_uid: o for o in unit.result_objects(newest.id) if o.kind is Kind.REJECTION}
        to = [(i.destination, sent[i.sop_instance_uid]) for i in unit.outbox_of(newest.id) if i.kind is Kind.REJECTION]
        held = unit.held_by(case.id)
    for name in kinds:
        told = [i for where, one in to if where == name for i in named(one)]
        uids = [str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in told]
        assert sorted(uids) == sorted(uid for uid, names in held.items() if name in names)
    assert {uid for uid, names in held.items() if "vna" in names} < set(held)


def named(rejection: ResultObject) -> list[Dataset]:
    """Return the items of a rejection that name objects."""
    return [i for i in dcmread(BytesIO(rejection.encoded)).ContentSequence if "ReferencedSOPSequence" in i]


def test_kinds_that_could_not_be_made_are_kept_beside_the_answer(scene: Scene) -> None:
    """The case goes on, the log says so, and the summary keeps which and why."""
    case = scene.ready(four_views())
    scene.compose.left_out[Kind.PRESENTATION_STATE] = "breaks a rule"
    with capture_logs() as logs:
        scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING
    assert scene.summary(case)["not_made"] == {"presentation_state": "breaks a rule"}
    (line,) = [line for line in logs if line["event"] == "objects_not_made"]
    assert (line["case_id"], line["kind"], line["reason"]) == (case.id, "presentation_state", "breaks a rule")
