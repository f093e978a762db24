"""A version that has lost its images: the worker rejects what was sent of it, and says nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.ports import OutboxStatus, Store
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.core.withdrawal import REASON, withdrawal
from agent.deliver.verdict import conclude
from agent.dicom import codes
from agent.infer.answer import Answerer
from agent.infer.engine import Engine
from agent.infer.recompute import read_kept, recompute
from agent.infer.stranded import NOBODY_REJECTS
from agent.report import tree
from agent.report.compose import Composer, DeviceIdentity
from agent.report.rejection import WITHDRAWN, WITHDRAWN_OF_ANOTHER
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.builders import PATIENT
from tests.fakes.store import FakeStore
from tests.infer_scene import PACS, T0, Scene, findings, four_views

COMPOSER = Composer(
    DeviceIdentity("2.25.9", "SENTINODE", "Sentinode", "Sentinode", "1", "0.1.0"), kinds=frozenset(Kind)
)


def compose(result: Result, sources: Sequence[SourceImage], note: Any) -> Sequence[ResultObject]:
    """Choose as the worker's process does."""
    return COMPOSER.rejecting(result, sources) if result.withdrawn else COMPOSER(result, sources, note)


@pytest.fixture(params=["fake", "sqlite"])
def either(request: pytest.FixtureRequest, tmp_path: Path, tiny_engine: Engine) -> Iterator[Scene]:
    """A worker on a store of each sort."""
    if request.param == "fake":
        yield Scene(tiny_engine, store=FakeStore())
    else:
        migrate(f"sqlite:///{tmp_path}/state.db")
        with closing(SqlStore(f"sqlite:///{tmp_path}/state.db")) as store:
            yield Scene(tiny_engine, store=store)  # type: ignore[arg-type]


def worker(scene: Scene, destinations: Mapping[str, frozenset[Kind]] = PACS, **settings: Any) -> Answerer:
    """A worker that makes real objects."""
    return replace(scene.worker(**settings), compose=compose, destinations=destinations)


def settle(store: Store, case: Case, status: OutboxStatus = OutboxStatus.CONFIRMED, error: str = "") -> None:
    """Let everything that is to be sent of a version be settled alike."""
    with store.unit() as unit:
        for item in unit.outbox_of(case.id):
            if item.status is OutboxStatus.WAITING:
                unit.about_to_send([item], T0)
                unit.settle(item, status, T0, error=error)
        conclude(unit, case.id, T0)


def stranded(scene: Scene, *, are_hers: bool = True) -> tuple[Case, Case]:
    """Answer a version, deliver it, and take its images away; return it, and the version that is to reject."""
    first = scene.ready(four_views()[1:2])
    worker(scene).step()
    settle(scene.store, first)
    with scene.store.unit() as unit:
        assert unit.case(first.id).state is CaseState.DONE
        head = unit.open_version(unit.case(first.id), T0)
        for one in unit.instances(head.id):
            unit.unlink(head, one)
            if are_hers:
                said = (one.instance.patient, one.instance.demographics)
                unit.note_identity(*said, T0)
                known = unit.identity(*said)
                assert known is not None
                unit.rule_identity(replace(known, moved_to=replace(PATIENT, patient_id="another")))
        unit.save_findings(head, withdrawal(T0))
        return first, unit.apply(head, CaseEvent.COMPLETE, T0)


def sent_of(scene: Scene, case: Case) -> set[str]:
    """What a destination has of a version."""
    with scene.store.unit() as unit:
        return {reference.sop_instance_uid for reference in unit.references(case.id).values()}


def made_of(scene: Scene, case: Case) -> list[Dataset]:
    """The objects that were saved for a version."""
    with scene.store.unit() as unit:
        return [dcmread(BytesIO(one.encoded)) for one in unit.result_objects(case.id)]


def named(ds: Dataset) -> set[str]:
    """What a rejection names."""
    items = [i for i in ds.ContentSequence if "ReferencedSOPSequence" in i]
    return {str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in items}


@pytest.mark.parametrize("are_hers", [True, False])
def test_everything_that_was_sent_is_rejected_and_nothing_else_is_said(either: Scene, *, are_hers: bool) -> None:
    """One Key Object, in the study and of the patient of what it rejects, titled with the reason."""
    first, second = stranded(either, are_hers=are_hers)
    worker(either).step()
    assert either.case(second).state is CaseState.DELIVERING, either.case(second).reason
    (rejection,) = made_of(either, second)
    before = made_of(either, first)[0]
    assert named(rejection) == sent_of(either, first)
    title, says = (
        (codes.REJECTED_FOR_SAFETY, WITHDRAWN_OF_ANOTHER) if are_hers else (codes.REJECTED_FOR_QUALITY, WITHDRAWN)
    )
    assert tree.is_named(rejection, title)
    (text,) = tree.named(rejection, codes.KEY_OBJECT_DESCRIPTION)
    assert str(text.TextValue).startswith(says.format(version=2))
    same = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "AccessionNumber")
    assert [rejection.get(name) for name in same] == [before.get(name) for name in same]
    summary = either.summary(second)
    assert summary["answers"] == [{"side": None, "reason": REASON}]
    assert set(summary["rejected"]) == sent_of(either, first)


def test_it_is_done_only_when_the_rejection_is_proven(either: Scene) -> None:
    """That the archive took it is not enough."""
    _, second = stranded(either)
    worker(either).step()
    settle(either.store, second, OutboxStatus.SENT)
    assert either.case(second).state is CaseState.DELIVERING
    with either.store.unit() as unit:
        (item,) = unit.outbox_of(second.id)
        unit.settle(item, OutboxStatus.CONFIRMED, T0)
        conclude(unit, second.id, T0)
    assert either.case(second).state is CaseState.DONE


def test_a_refused_rejection_is_a_failure(scene: Scene) -> None:
    """An archive that takes no Key Objects still shows the result: a person has to know."""
    _, second = stranded(scene)
    worker(scene).step()
    settle(scene.store, second, OutboxStatus.REFUSED, "SOP class or transfer syntax not accepted")
    assert scene.case(second).state is CaseState.FAILED
    assert "rejection" in scene.case(second).reason


def test_a_worker_that_dies_leaves_the_same_rejection_to_the_next(scene: Scene) -> None:
    """Nothing was saved; worked out again, it has the same UID and the same bytes."""
    _, second = stranded(scene)
    dying = replace(worker(scene), compose=dies)
    with pytest.raises(KeyboardInterrupt):
        dying.step()
    assert scene.case(second).state is CaseState.RUNNING
    again = worker(scene)
    again.release_own()
    again.step()
    with scene.store.unit() as unit:
        (saved,) = unit.result_objects(second.id)
        kept = read_kept(unit, second.id)
    now = recompute(kept, again)
    assert now.lineage["objects"][0]["sop_instance_uid"] == saved.sop_instance_uid
    assert {**kept.lineage, "objects": []} == {**now.lineage, "objects": []}
    assert now.lineage["objects"][0]["sha256"] == kept.lineage["objects"][0]["sha256"]


def dies(result: Result, sources: Sequence[SourceImage], note: Any) -> Sequence[ResultObject]:
    """End as a process does that is killed."""
    raise KeyboardInterrupt


def test_only_who_was_given_the_results_gets_the_rejection(scene: Scene) -> None:
    """An archive that was added since has nothing to reject, and one that takes no rejections gets none."""
    _, second = stranded(scene)
    worker(scene, {**PACS, "new": frozenset(Kind), "viewer": frozenset({Kind.SR})}).step()
    with scene.store.unit() as unit:
        assert [item.destination for item in unit.outbox_of(second.id)] == ["pacs"]


def test_where_nobody_takes_it_any_more_it_fails_and_says_what_to_do(scene: Scene) -> None:
    """The configuration changed after the person's word: the version is never DONE with nothing rejected."""
    _, second = stranded(scene)
    worker(scene, {"pacs": frozenset({Kind.SR})}).step()
    assert (scene.case(second).state, scene.case(second).reason) == (CaseState.FAILED, NOBODY_REJECTS)
    assert made_of(scene, second) == []


def test_what_is_rejected_already_is_not_rejected_again(scene: Scene) -> None:
    """A second such version finds nothing that is left, and is over."""
    _, second = stranded(scene)
    worker(scene).step()
    settle(scene.store, second)
    with scene.store.unit() as unit:
        third = unit.open_version(unit.case(second.id), T0)
        unit.save_findings(third, withdrawal(T0))
        unit.apply(third, CaseEvent.COMPLETE, T0)
    worker(scene).step()
    assert (scene.case(third).state, scene.case(third).reason) == (CaseState.DONE, "nothing to send")


def test_it_waits_for_no_report(scene: Scene) -> None:
    """Where results wait for the radiologist, what takes one back does not."""
    _, second = stranded(scene)
    worker(scene, wait_for_report=True).step()
    with scene.store.unit() as unit:
        assert [item.status for item in unit.outbox_of(second.id)] == [OutboxStatus.WAITING]


def test_a_bundle_that_no_longer_admits_the_patient_rejects_all_the_same(scene: Scene) -> None:
    """A demonstration never answers for a real patient; to take back is no answer."""
    _, second = stranded(scene)
    (bundle,) = worker(scene).engines
    replace(worker(scene), engines=[replace(bundle, demo_issuers=frozenset())]).step()
    assert scene.case(second).state is CaseState.DELIVERING
    assert scene.summary(second)["answers"][0]["reason"] == REASON


def test_the_version_after_it_is_an_ordinary_one(either: Scene) -> None:
    """New images of the patient are answered; it rejects neither what is rejected nor the rejection."""
    _, second = stranded(either, are_hers=False)
    worker(either).step()
    settle(either.store, second)
    with either.store.unit() as unit:
        third = unit.open_version(unit.case(second.id), T0)
    third = either.add(third, four_views("s2")[1:2])
    with either.store.unit() as unit:
        unit.save_findings(third, findings())
        unit.apply(third, CaseEvent.COMPLETE, T0)
    worker(either).step()
    with either.store.unit() as unit:
        assert unit.case(third.id).state is CaseState.DELIVERING, unit.case(third.id).reason
        assert Kind.REJECTION not in {one.kind for one in unit.result_objects(third.id)}
        assert unit.summary(third.id)["rejected"] == []
