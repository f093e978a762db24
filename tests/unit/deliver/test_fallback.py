"""An object in reserve: sent only where the one it stands for is of a class that the destination does not take."""

from dataclasses import replace

import pytest

from agent.core.case import Case, CaseState
from agent.core.dimse_status import C_STORE, spell
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.deliver.resend import resend
from agent.deliver.verdict import NOT_OFFERED
from tests.delivery import DAY_S, Delivery, delivering
from tests.fakes.objects import COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE, part10, result_object
from tests.fakes.pacs import FakePacs

WAITING, SENT, SPARE = OutboxStatus.WAITING, OutboxStatus.SENT, OutboxStatus.SPARE
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
NO_3D = frozenset({COMPREHENSIVE_3D_SR})


def case_of(d: Delivery, *destinations: str) -> Case:
    """Put an SR, the one in reserve for it, a text SR and a capture on their way."""
    preferred, text, capture = (
        result_object(kind, 100 + n) for n, kind in enumerate([Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE])
    )
    reserve = replace(
        result_object(Kind.SR, 150),
        role="sr:L:comprehensive",
        sop_class_uid=COMPREHENSIVE_SR,
        instead_of=preferred.sop_instance_uid,
        encoded=part10(COMPREHENSIVE_SR, "2.25.300150", series="2.25.200150"),
    )
    objects = (preferred, reserve, text, capture)
    return delivering(d.store, dict.fromkeys(destinations or ("pacs",), objects), at=d.clock())


def settle_all(d: Delivery) -> None:
    """Let the courier work until it has nothing to do."""
    while d.courier.tick():
        pass


def test_it_stays_where_the_preferred_one_is_taken() -> None:
    """Never sent, and the case done without it."""
    d = Delivery(confirm="none")
    case = case_of(d)
    settle_all(d)
    assert d.status(case) == [CONFIRMED, SPARE, CONFIRMED, CONFIRMED]
    assert (d.now(case).state, d.now(case).reason) == (CaseState.DONE, "")
    assert len(d.pacs.requests) == 3


@pytest.mark.parametrize(
    "pacs",
    [
        FakePacs(refuse_sop_classes=NO_3D),
        FakePacs(status={COMPREHENSIVE_3D_SR: 0x0122}),
        FakePacs(status={COMPREHENSIVE_3D_SR: 0x0118}),
    ],
    ids=["no context", "0x0122", "0x0118"],
)
def test_it_goes_where_the_class_is_not_taken(pacs: FakePacs) -> None:
    """The reason says what was refused, and what is there instead."""
    d = Delivery(pacs=pacs)
    case = case_of(d)
    settle_all(d)
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.items(case)[0].error == NOT_OFFERED
    assert d.items(case)[0].attempts == len([uid for uid in d.pacs.requests if uid == d.uids(case)[0]])
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: {NOT_OFFERED}, Comprehensive SR sent instead"


def test_the_case_is_not_done_before_it_arrived() -> None:
    """Refusal and reserve are one transaction: no moment without anything on its way."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=NO_3D))
    case = case_of(d)
    d.courier.tick()
    assert d.status(case) == [REFUSED, WAITING, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.DELIVERING


def test_each_destination_gets_what_it_takes() -> None:
    """One has the preferred object, the other the one in reserve."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=NO_3D), archives={"vna": FakePacs()})
    case = case_of(d, "pacs", "vna")
    settle_all(d)
    assert d.status(case, "pacs") == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.status(case, "vna") == [CONFIRMED, SPARE, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.DONE


@pytest.mark.parametrize("status", [0xA900, 0xC000])
def test_it_goes_where_the_class_is_accepted_and_the_object_refused(status: int) -> None:
    """A destination that takes the context of the preferred object and then not the object itself has the other."""
    d = Delivery(confirm="none", pacs=FakePacs(status={COMPREHENSIVE_3D_SR: status}))
    case = case_of(d)
    d.courier.tick()
    d.clock.pass_s(10)
    settle_all(d)
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: C-STORE status {spell(C_STORE, status)}, Comprehensive SR sent instead"


def test_reserve_has_its_whole_time() -> None:
    """It is queued when it is wanted, however long the preferred one was tried."""
    d = Delivery(confirm="none", pacs=FakePacs(status={COMPREHENSIVE_3D_SR: 0xA700}))
    case = case_of(d)
    d.courier.tick()
    d.clock.pass_s(5 * DAY_S)
    d.pacs.status[COMPREHENSIVE_3D_SR] = 0x0122
    d.courier.tick()
    assert (d.status(case)[1], d.items(case)[1].queued_at) == (WAITING, d.clock())


def test_a_refusal_with_a_refused_reserve_is_for_a_person() -> None:
    """Neither can be understood."""
    d = Delivery(confirm="none", pacs=FakePacs(status={COMPREHENSIVE_3D_SR: 0xC000, COMPREHENSIVE_SR: 0xC000}))
    case = case_of(d)
    settle_all(d)
    assert d.now(case).state is CaseState.FAILED
    assert "sr:100: C-STORE status 0xC000, error: cannot understand" in d.now(case).reason


def test_reserve_that_is_not_taken_either_is_recorded() -> None:
    """The rest is in; nobody claims that something was sent instead."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=NO_3D | {COMPREHENSIVE_SR}))
    case = case_of(d)
    settle_all(d)
    assert d.status(case) == [REFUSED, REFUSED, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: {NOT_OFFERED}; pacs sr:L:comprehensive: {NOT_OFFERED}"


def test_destination_that_takes_nothing_has_not_refused_the_preferred_one() -> None:
    """It may be being set up: the reserve stays where it is, and everything else waits."""
    classes = NO_3D | {COMPREHENSIVE_SR, ENHANCED_SR, SECONDARY_CAPTURE}
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=classes))
    case = case_of(d)
    settle_all(d)
    assert d.status(case) == [WAITING, SPARE, WAITING, WAITING]
    assert d.now(case).state is CaseState.DELIVERING


def test_sending_again_begins_as_at_first() -> None:
    """A destination that learnt the class meanwhile gets the preferred object."""
    d = Delivery(confirm="none", pacs=FakePacs(refuse_sop_classes=NO_3D))
    case = case_of(d)
    settle_all(d)
    d.pacs.refuse_sop_classes = frozenset()
    resend(d.store, case.id, d.clock(), d.archives)
    assert d.status(case) == [WAITING, SPARE, WAITING, WAITING]
    settle_all(d)
    assert d.status(case) == [CONFIRMED, SPARE, CONFIRMED, CONFIRMED]
    assert d.now(case).state is CaseState.DONE


def test_a_destination_that_is_down_is_no_reason_for_the_reserve() -> None:
    """It is not asked for while nobody knows what the destination takes, and given up with the rest."""
    d = Delivery(confirm="none", pacs=FakePacs(down=True), changes={"give_up_after_s": 3600})
    case = case_of(d)
    for _ in range(70):
        d.courier.tick()
        d.clock.pass_s(60)
    assert d.status(case) == [REFUSED, SPARE, REFUSED, REFUSED]
    assert d.now(case).state is CaseState.FAILED
