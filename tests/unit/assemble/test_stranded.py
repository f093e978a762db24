"""A result whose images turned out to be another patient's, where destinations take rejections."""

from pathlib import Path

import pytest

from agent.assemble.seen import stand
from agent.assemble.versions import NOT_REJECTED, REJECTED
from agent.core.adt import PatientNews
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import ConflictKind, Ruling
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.withdrawal import is_withdrawal
from tests.fakes.instances import RECEIVED, mammogram, uid
from tests.indexing import House
from tests.state_stores import result_object

HERS = {"PatientID": "P-2", "StudyInstanceUID": uid("hers")}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two archives take rejections."""
    return House(tmp_path, rejecting=("pacs", "vna"))


def take(house: House, *objects: object) -> None:
    """Receive objects and index them."""
    house.send(*objects)  # type: ignore[arg-type]
    house.indexer.tick()


def told(house: House, survivor: str) -> None:
    """Hear that P-1 is another patient now."""
    of = PatientKey("PHANTOM", survivor), PatientKey("PHANTOM", "P-1")
    house.tell(PatientNews("M1", "A40", RECEIVED, *of))
    house.indexer.tick()


def answered(house: House, case: Case, object_uid: str) -> Case:
    """Let a READY version be answered, and its one object arrive."""
    with house.store.unit() as unit:
        claimed = unit.claim(house.clock(), house.clock(), "worker")
        assert claimed is not None and claimed.id == case.id
        saved = unit.save_result(claimed, house.clock(), {}, {"pacs": [result_object(object_uid)]})
        unit.settle(unit.outbox_of(saved.id)[0], OutboxStatus.CONFIRMED, house.clock())
        return unit.apply(saved, CaseEvent.ALL_CONFIRMED, house.clock())


def stranded(house: House) -> Case:
    """Send an image, let it be answered, learn that it is another patient's; return what a person is asked about."""
    take(house, mammogram("1"))
    answered(house, house.move(CaseEvent.COMPLETE), "2.25.1")
    take(house, mammogram("1", **HERS))
    house.rule(Ruling.ACCEPT, house.heads()["P-1"])
    return house.heads()["P-1"]


def test_what_is_said_names_who_takes_rejections(house: House) -> None:
    """The person learns what her word does, and what is left to her."""
    held = stranded(house)
    with house.store.unit() as unit:
        (conflict,) = unit.conflicts(held.id)
    assert conflict.kind is ConflictKind.STRANDED
    assert "Key Objects reject it at pacs, vna." in held.reason
    assert "Whoever else has it: have it rejected there." in held.reason


def test_accepted_the_version_goes_on_to_reject(house: House) -> None:
    """It has no image, asks nothing, and is READY for a worker at once; the other patient's case is her own."""
    ready = house.rule(Ruling.ACCEPT, stranded(house))
    assert (ready.version, ready.state, ready.reason) == (2, CaseState.READY, REJECTED)
    assert house.uids(ready) == []
    with house.store.unit() as unit:
        assert is_withdrawal(unit.findings(ready.id))
        assert unit.history(ready.id)[-2].reason == "someone decided: accept"
    assert house.heads()["P-2"].state is CaseState.COLLECTING


def test_what_follows_of_patients_is_no_news_of_it(house: House) -> None:
    """Whoever settles who is who once more leaves it with the workers."""
    ready = house.rule(Ruling.ACCEPT, stranded(house))
    with house.store.unit() as unit:
        house.indexer.patients.settle(unit, [ready.patient])
    assert house.heads()["P-1"] == ready


def test_without_a_destination_that_rejects_the_case_ends(tmp_path: Path) -> None:
    """The person rejects by hand, and the reason does not claim anything else."""
    closed = (house := House(tmp_path)).rule(Ruling.ACCEPT, stranded(house))
    assert (closed.state, closed.reason) == (CaseState.CLOSED, NOT_REJECTED)


def test_an_image_that_comes_before_the_worker_makes_it_an_ordinary_version(house: House) -> None:
    """It is answered with that image, and rejects as any later version does; if that goes, too, it only rejects."""
    ready = house.rule(Ruling.ACCEPT, stranded(house))
    take(house, mammogram("2"))
    assert house.heads()["P-1"].id == ready.id
    assert (house.heads()["P-1"].state, house.uids(ready)) == (CaseState.COLLECTING, [uid("2")])
    take(house, mammogram("2", **HERS))
    house.rule(Ruling.ACCEPT, house.heads()["P-1"])
    assert (house.heads()["P-1"].state, house.uids(ready)) == (CaseState.READY, [])


def test_an_image_that_comes_after_it_has_no_answer_before_it(house: House) -> None:
    """What was answered once is withdrawn: no cancer, then, is no news of an answer that stands."""
    answered(house, house.rule(Ruling.ACCEPT, stranded(house)), "2.25.2")
    take(house, mammogram("3"))
    third = house.heads()["P-1"]
    with house.store.unit() as unit:
        standing = stand(unit, third)
    assert (third.version, standing.answered) == (3, {})


def test_a_merge_before_the_worker_goes_on_under_the_new_id(house: House) -> None:
    """The archives' patient has another ID by then: nothing is forgotten."""
    ready = house.rule(Ruling.ACCEPT, stranded(house))
    told(house, "P-9")
    now = house.heads()["P-9"]
    assert (now.id, now.state) == (ready.id, CaseState.READY)
    with house.store.unit() as unit:
        assert is_withdrawal(unit.findings(now.id))


def test_a_merge_while_it_is_delivered_asks_once_more(house: House) -> None:
    """What was on its way under the retired ID stops."""
    house.rule(Ruling.ACCEPT, stranded(house))
    with house.store.unit() as unit:
        claimed = unit.claim(house.clock(), house.clock(), "worker")
        assert claimed is not None
        unit.save_result(claimed, house.clock(), {}, {"pacs": [result_object("2.25.2")]})
    told(house, "P-9")
    now = house.heads()["P-9"]
    assert (now.version, now.state) == (3, CaseState.HELD)
    assert house.rule(Ruling.ACCEPT, now).state is CaseState.READY


def test_a_merge_after_it_was_proven_asks_nobody(house: House) -> None:
    """Everything is rejected: the patient's new ID takes nothing over."""
    answered(house, house.rule(Ruling.ACCEPT, stranded(house)), "2.25.2")
    told(house, "P-9")
    assert list(house.heads()) == ["P-2"]
    take(house, mammogram("4", PatientID="P-9"))
    assert house.heads()["P-9"].version == 1


def test_a_merge_of_a_case_that_ended_is_looked_at_as_ever(tmp_path: Path) -> None:
    """Where nobody rejects, the person who accepted it is not asked about it again."""
    (house := House(tmp_path)).rule(Ruling.ACCEPT, stranded(house))
    told(house, "P-9")
    assert (house.heads()["P-9"].version, house.heads()["P-9"].state) == (3, CaseState.COLLECTING)


def test_a_merge_into_a_patient_with_a_case_ends_it(house: House) -> None:
    """Her case goes on as it is; what is in the archive is left to a person, as the pages say."""
    ready = house.rule(Ruling.ACCEPT, stranded(house))
    take(house, mammogram("9", PatientID="P-9", StudyInstanceUID=uid("nine")))
    told(house, "P-9")
    with house.store.unit() as unit:
        assert unit.case(ready.id).state is CaseState.CLOSED
    assert house.uids(house.heads()["P-9"]) == [uid("9")]
