"""Results wait for the radiologist's report, and go once it is there, whatever came first."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from types import MappingProxyType
from uuid import UUID

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.reads import Read
from agent.core.release import NOT_READ, settle, unread, wait_for_report
from agent.core.result import Result
from tests.builders import result
from tests.fakes.store import FakeStore, FakeUnit
from tests.reading import read
from tests.state_stores import MINUTE, OBJECTS, PATIENT, QUESTION, T0, arrival, instance, result_object

HELD, WAITING = OutboxStatus.AWAITING_REPORT, OutboxStatus.WAITING
OTHER = PatientKey("EXAMPLE", "OTHER")


def said_of(case: Case) -> Result:
    """The result of a version, as far as waiting looks at it."""
    return replace(result(), made_at=T0, predecessors=MappingProxyType({}))


def saved(unit: FakeUnit, accession: str = "", version_of: Case | None = None) -> tuple[Case, bool]:
    """Answer a case with one image, keep it until it was read; return it and whether it waits."""
    case = unit.open_version(version_of, T0) if version_of else unit.open_case(QUESTION, PATIENT, T0, UUID(int=1))
    image = replace(instance(), accession_number=accession)
    case = unit.add_instance(case, image, arrival(), T0)
    unit.apply(case, CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    objects = [replace(one, sop_instance_uid=f"{one.sop_instance_uid}.{case.version}") for one in OBJECTS]
    case = unit.save_result(claimed, T0, {}, {"pacs": objects})
    return case, wait_for_report(unit, case, said_of(case), objects)


def standing(unit: FakeUnit, case: Case) -> set[OutboxStatus]:
    """Where the items of a version stand."""
    return {item.status for item in unit.outbox_of(case.id)}


def test_nothing_is_due_before_the_study_was_read() -> None:
    """Then everything is, at once, as if it had been queued then."""
    with FakeStore().unit() as unit:
        case, waits = saved(unit)
        assert waits
        assert unread(unit, case)
        assert standing(unit, case) == {HELD}
        assert not unit.outbox("pacs", list(OutboxStatus)[:2], T0 + MINUTE, 10)
        assert not settle(unit, [PATIENT], T0 + MINUTE)
        unit.note_read(read())
        later = T0 + timedelta(days=9)
        assert [one.id for one in settle(unit, [PATIENT], later)] == [case.id]
        assert {(i.status, i.queued_at) for i in unit.outbox("pacs", [WAITING], later, 10)} == {(WAITING, later)}
        assert not settle(unit, [PATIENT], later)
        assert not unread(unit, case)


@pytest.mark.parametrize(
    ("said", "accession", "waits"),
    [
        (read(), "", False),
        (read("9.9"), "", True),
        (read("", "A1"), "A1", False),
        (read("", "A2"), "A1", True),
        (read(patient=OTHER), "", True),
        (read("", "A1", patient=OTHER), "A1", True),
        (read(is_final=False), "", True),
    ],
)
def test_a_report_may_be_there_before_the_result(said: Read, accession: str, waits: bool) -> None:
    """It counts by the study or its accession number, if it is the same patient's, and final."""
    with FakeStore().unit() as unit:
        unit.note_read(said)
        case, is_waiting = saved(unit, accession)
        assert is_waiting is waits
        assert standing(unit, case) == ({HELD} if waits else {WAITING})


def test_images_that_disagree_about_their_number_have_none() -> None:
    """Then only a report that names the study releases."""
    with FakeStore().unit() as unit:
        unit.note_read(read("", "A1"))
        case = unit.open_case(QUESTION, PATIENT, T0, UUID(int=1))
        for n, number in enumerate(("A1", "A2")):
            case = unit.add_instance(
                case, replace(instance(f"1.{n}"), accession_number=number), arrival(f"1.{n}", n), T0
            )
        unit.apply(case, CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker")
        assert claimed is not None
        case = unit.save_result(claimed, T0, {}, {"pacs": OBJECTS})
        assert wait_for_report(unit, case, said_of(case), OBJECTS)
        index = unit.index_study(case.id)
        assert index is not None
        assert (index.study_instance_uid, index.accession_number) == ("1.2", "")


def test_the_index_study_is_the_one_of_the_text_report() -> None:
    """Captures may lie in other studies, and a destination may not get the text."""
    with FakeStore().unit() as unit:
        case, _ = saved(unit)
        objects = [replace(one, study_instance_uid=f"study {one.kind}") for one in reversed(OBJECTS)]
        assert wait_for_report(unit, case, said_of(case), objects)
        index = unit.index_study(case.id)
        assert index is not None
        assert index.study_instance_uid == "study text_sr"


@pytest.mark.parametrize("order", list(permutations(["merge", "read", "settle"])))
def test_a_merge_makes_a_report_the_patients(order: tuple[str, ...]) -> None:
    """A report under a key that is retired later counts, once both are known."""
    with FakeStore().unit() as unit:
        case, _ = saved(unit)
        steps = {
            "merge": lambda: unit.retire(Retirement(T0, "M1", OTHER, PATIENT)),
            "read": lambda: unit.note_read(read(patient=OTHER)),
            "settle": lambda: settle(unit, [OTHER, PATIENT], T0),
        }
        for step in order:
            steps[step]()
        settle(unit, [OTHER], T0)
        assert standing(unit, case) == {WAITING}


def test_a_report_that_is_taken_back_stops_what_has_not_left() -> None:
    """What a destination may have seen goes on, whole."""
    with FakeStore().unit() as unit:
        case, _ = saved(unit)
        unit.note_read(read())
        settle(unit, [PATIENT], T0)
        unit.note_read(read(minutes=1, is_final=False))
        assert not settle(unit, [PATIENT], T0)
        assert standing(unit, case) == {HELD}
        unit.note_read(read(minutes=2))
        settle(unit, [PATIENT], T0)
        unit.about_to_send(unit.outbox_of(case.id)[:1], T0)
        unit.note_read(read(minutes=3, is_final=False))
        settle(unit, [PATIENT], T0)
        assert standing(unit, case) == {WAITING}


def test_a_version_that_nobody_saw_gives_way_to_the_next() -> None:
    """A second reader sees one result, not two; and it supersedes nothing."""
    with FakeStore().unit() as unit:
        first, _ = saved(unit)
        assert unit.superseded(replace(first, version=2)) is None
        second, waits = saved(unit, version_of=first)
        assert waits
        assert (unit.case(first.id).state, unit.case(first.id).reason) == (CaseState.CLOSED, NOT_READ)
        unit.note_read(read())
        assert [one.id for one in settle(unit, [PATIENT], T0)] == [second.id]
        assert standing(unit, first) == {HELD}


def test_a_version_that_is_leaving_does_not_give_way() -> None:
    """Its report was taken back, but a destination may have seen it: it is the predecessor."""
    with FakeStore().unit() as unit:
        first, _ = saved(unit)
        unit.note_read(read())
        settle(unit, [PATIENT], T0)
        unit.about_to_send(unit.outbox_of(first.id), T0)
        unit.note_read(read(minutes=1, is_final=False))
        saved(unit, version_of=first)
        assert unit.case(first.id).state is CaseState.DELIVERING


def test_what_never_waited_is_left_alone() -> None:
    """A site that does not wait has no such rows."""
    with FakeStore().unit() as unit:
        case = unit.open_case(QUESTION, PATIENT, T0, UUID(int=1))
        unit.apply(case, CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0 + MINUTE, "worker")
        assert claimed is not None
        case = unit.save_result(claimed, T0, {}, {"pacs": [result_object("2.25.1")]})
        assert not settle(unit, [PATIENT], T0)
        assert not unread(unit, case)
        assert standing(unit, case) == {WAITING}
