"""What a new version supersedes: every earlier object that may lie somewhere and that nothing has rejected yet."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.core.case import Case, CaseEvent
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus, Unit
from agent.core.result import Kind
from agent.infer.superseding import NOTHING_LEFT, REJECTED, left_behind
from tests.fakes.store import FakeStore
from tests.state_stores import MINUTE, T0, arrival, delivering, instance, opened, result_object

TOLD = {"pacs"}


@pytest.fixture
def unit() -> Unit:
    """An empty state."""
    with FakeStore().unit() as unit:
        return unit  # type: ignore[no-any-return]


def second(unit: Unit, first: Case, status: OutboxStatus, uids: Sequence[str]) -> Case:
    """Answer version 2 with an SR and a rejection of `uids`, of which the archive says `status`."""
    unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    rejection = replace(result_object("2.25.51", Kind.REJECTION, "", 1), role="rejection::1")
    case = unit.save_result(claimed, T0, {REJECTED: list(uids)}, {"pacs": [result_object("2.25.50"), rejection]})
    for item in unit.outbox_of(case.id):
        if item.kind is Kind.REJECTION:
            unit.settle(item, status, T0)
    return case


def uids(unit: Unit, case: Case) -> list[str]:
    """Return what a version after this one supersedes."""
    return sorted(r.sop_instance_uid for r in left_behind(unit, unit.open_version(case, T0 + MINUTE), TOLD).objects)


def test_a_first_version_supersedes_nothing(unit: Unit) -> None:
    """There is nothing before it."""
    assert left_behind(unit, opened(unit), TOLD) == NOTHING_LEFT


def test_every_object_of_the_version_before_is_left(unit: Unit) -> None:
    """It was about the same patient and her own images."""
    first = delivering(unit)
    left = left_behind(unit, unit.open_version(first, T0 + MINUTE), TOLD)
    assert {r.sop_instance_uid for r in left.objects} == {"2.25.1.0", "2.25.2.0", "2.25.3.0"}
    assert not left.of_another


def test_what_was_rejected_before_is_left_no_more(unit: Unit) -> None:
    """Archives refuse to reject twice; what rejects is never rejected."""
    first = delivering(unit)
    case = second(unit, first, OutboxStatus.CONFIRMED, ["2.25.1.0", "2.25.2.0", "2.25.3.0"])
    assert uids(unit, case) == ["2.25.50"]


@pytest.mark.parametrize("status", [OutboxStatus.WAITING, OutboxStatus.REFUSED])
def test_what_was_to_be_rejected_and_was_not_is_left(unit: Unit, status: OutboxStatus) -> None:
    """Version 2 went on its way, and its rejections did not arrive: version 3 rejects both."""
    case = second(unit, delivering(unit), status, ["2.25.1.0", "2.25.2.0", "2.25.3.0"])
    assert uids(unit, case) == ["2.25.1.0", "2.25.2.0", "2.25.3.0", "2.25.50"]


def test_results_of_a_merged_patient_are_of_another(unit: Unit) -> None:
    """They name an ID that is retired; once they are rejected, the next version is not about them."""
    mine, theirs = delivering(unit), delivering(unit, 1)
    unit.retire(Retirement(T0, "1", theirs.patient, mine.patient))
    unit.absorb(theirs, mine.case_uuid)
    left = left_behind(unit, replace(mine, version=2), TOLD)
    assert {r.sop_instance_uid for r in left.objects} == {f"2.25.{n}.{case}" for n in (1, 2, 3) for case in (0, 1)}
    assert left.of_another
    rejected = [r.sop_instance_uid for r in left.objects]
    later = second(unit, mine, OutboxStatus.CONFIRMED, rejected)
    assert left_behind(unit, unit.open_version(later, T0 + MINUTE), TOLD).of_another is False


@pytest.mark.parametrize("how", ["moved", "barred"])
def test_a_version_with_another_patients_image_is_of_another(unit: Unit, how: str) -> None:
    """A person told the images apart after version 1 had used them all."""
    case = opened(unit)
    theirs = instance("1.2.4", PatientKey("EXAMPLE", "4711"))
    unit.add_instance(case, theirs, arrival("1.2.4"), T0)
    unit.apply(unit.case(case.id), CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    saved = unit.save_result(claimed, T0, {}, {"pacs": [result_object("2.25.60")]})
    assert not left_behind(unit, unit.open_version(saved, T0), TOLD).of_another
    if how == "barred":
        unit.bar(unit.instances(saved.id)[0], "another person")
    else:
        unit.note_identity(theirs.patient, theirs.demographics, T0)
        known = unit.identity(theirs.patient, theirs.demographics)
        assert known is not None
        unit.rule_identity(replace(known, moved_to=PatientKey("EXAMPLE", "other")))
    assert left_behind(unit, replace(unit.case(saved.id), version=2), TOLD).of_another


def two_places(unit: Unit) -> Case:
    """Send version 1 to an archive that refuses a capture, and one that does not get it."""
    case = opened(unit)
    unit.apply(case, CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    sr, capture = result_object("2.25.70"), result_object("2.25.71", Kind.SECONDARY_CAPTURE, "L", 1)
    text = replace(result_object("2.25.72", Kind.TEXT_SR, ""), role="text_sr")
    case = unit.save_result(claimed, T0, {}, {"pacs": [sr, capture], "vna": [sr, text], "other": [sr, text]})
    for item in unit.outbox_of(case.id):
        refused = (item.destination, item.kind) == ("pacs", Kind.SECONDARY_CAPTURE)
        unit.settle(item, OutboxStatus.REFUSED if refused else OutboxStatus.CONFIRMED, T0)
    return case


def test_it_is_known_who_has_what(unit: Unit) -> None:
    """Neither what was refused, nor what was never for a destination, nor who is not told of it."""
    case = two_places(unit)
    left = left_behind(unit, unit.open_version(case, T0 + MINUTE), {"pacs", "vna"})
    assert left.held_by == {"2.25.70": {"pacs", "vna"}, "2.25.72": {"vna"}}
    assert sorted(r.sop_instance_uid for r in left.objects) == ["2.25.70", "2.25.72"]


def test_where_nobody_is_told_it_is_left_all_the_same(unit: Unit) -> None:
    """A version that has nothing else to say must know."""
    case = two_places(unit)
    left = left_behind(unit, unit.open_version(case, T0 + MINUTE), ())
    assert left.held_by == {"2.25.70": frozenset(), "2.25.72": frozenset()}
    assert len(left.objects) == 2


def test_what_one_archive_rejected_is_left_at_another(unit: Unit) -> None:
    """The first acknowledged version 2's rejection, the second refused it: only there it is rejected again."""
    case = two_places(unit)
    unit.apply(unit.open_version(case, T0), CaseEvent.COMPLETE, T0)
    claimed = unit.claim(T0, T0 + MINUTE, "worker")
    assert claimed is not None
    rejection = replace(result_object("2.25.81", Kind.REJECTION, "", 1), role="rejection::1")
    to_both = {name: [result_object("2.25.80"), rejection] for name in ("pacs", "vna")}
    second = unit.save_result(claimed, T0, {REJECTED: ["2.25.70", "2.25.72"]}, to_both)
    for item in unit.outbox_of(second.id):
        refused = (item.destination, item.kind) == ("vna", Kind.REJECTION)
        unit.settle(item, OutboxStatus.REFUSED if refused else OutboxStatus.CONFIRMED, T0)
    left = left_behind(unit, unit.open_version(second, T0 + MINUTE), {"pacs", "vna"})
    assert left.held_by == {"2.25.70": {"vna"}, "2.25.72": {"vna"}, "2.25.80": {"pacs", "vna"}}
