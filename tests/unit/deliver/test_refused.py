"""What a PACS refuses, and what that means for the case."""

from dataclasses import replace

import pytest

from agent.core.case import CaseState
from agent.core.dimse_status import C_STORE, spell
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.deliver.verdict import NOT_OFFERED
from tests.delivery import DAY_S, Delivery, delivering
from tests.fakes.objects import COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, result_object
from tests.fakes.pacs import FakePacs

SC = Kind.SECONDARY_CAPTURE
WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0124])
def test_refused_object_fails_the_case_when_the_rest_is_in(status: int) -> None:
    """One refusal for a reason of its own is for a person, with the status; the others are sent all the same."""
    d = Delivery(confirm="none")
    case = d.case()
    d.pacs.status[d.uids(case)[1]] = status
    d.courier.tick()
    assert d.status(case) == [CONFIRMED, REFUSED, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.FAILED
    assert d.now(case).reason == f"pacs text_sr:101: C-STORE status {spell(C_STORE, status)}"


@pytest.mark.parametrize(
    "pacs",
    [FakePacs(refuse_sop_classes=frozenset({COMPREHENSIVE_3D_SR})), FakePacs(status={COMPREHENSIVE_3D_SR: 0x0122})],
)
def test_class_that_is_not_offered_is_recorded_and_the_case_done(pacs: FakePacs) -> None:
    """A PACS without Comprehensive 3D SR gets the rest; the row says what it did not take."""
    d = Delivery(confirm="none", pacs=pacs)
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.items(case)[0].error == NOT_OFFERED
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: {NOT_OFFERED}"


def test_destination_that_takes_nothing_yet_is_tried_until_it_does() -> None:
    """A PACS that is being set up refuses every class: nothing is given up, and the outbox says why it waits."""
    classes = frozenset({COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.88.22"})
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=classes))
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [WAITING] * 4
    assert "none of the presentation contexts" in d.items(case)[0].error
    assert d.now(case).state is CaseState.DELIVERING
    d.pacs.refuse_sop_classes = frozenset()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_destination_that_never_takes_anything_fails_the_case() -> None:
    """After the time to give up."""
    classes = frozenset({COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, "1.2.840.10008.5.1.4.1.1.88.22"})
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=classes))
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(7 * DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    assert "none of the presentation contexts" in d.now(case).reason


def test_object_that_is_no_part_10_file_is_refused_with_its_case() -> None:
    """Bytes that cannot be sent fail the case instead of blocking the outbox; other cases go."""
    d = Delivery(confirm="none")
    bad, good = d.case(1), d.case(2)
    original = d.pacs.store
    broken = d.uids(bad)[0].encode()
    d.pacs.store = lambda parts, **_: original([p[:50] if broken in p else p for p in parts])  # type: ignore[method-assign]
    d.courier.tick()
    assert d.now(bad).state is CaseState.FAILED
    assert "not a Part 10 file" in d.now(bad).reason
    assert d.now(good).state is CaseState.DONE


@pytest.mark.parametrize(("kind", "after"), [(Kind.REJECTION, REFUSED), (SC, WAITING)])
def test_a_rejection_of_what_is_not_there_is_not_tried_again(kind: Kind, after: OutboxStatus) -> None:
    """0xA773 is no lack of resources then; the case is done with the rest."""
    odd = replace(result_object(SC, 1), kind=kind)
    d = Delivery(confirm="none", pacs=FakePacs(status={odd.sop_instance_uid: 0xA773}))
    case = delivering(d.store, {"pacs": [odd, result_object(SC, 2)]})
    d.courier.tick()
    assert d.status(case) == [after, CONFIRMED]
    assert d.now(case).state is (CaseState.DONE if kind is Kind.REJECTION else CaseState.DELIVERING)
