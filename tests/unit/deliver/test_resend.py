"""Sending again, because a person asks for it."""

from uuid import UUID

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.identities import Retirement
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.reads import IndexStudy
from agent.core.release import settle
from agent.deliver.resend import resend
from tests.delivery import DAY_S, T0, Delivery
from tests.fakes.pacs import FakePacs
from tests.reading import read


def test_done_case_is_sent_again_as_it_was() -> None:
    """The same bytes under the same UIDs."""
    d = Delivery()
    case = d.case()
    d.courier.tick()
    kept = dict(d.pacs.kept)
    d.pacs.kept.clear()
    assert resend(d.store, case.id, d.clock(), d.archives).state is CaseState.DELIVERING
    d.courier.tick()
    assert d.pacs.kept == kept
    assert d.pacs.requests == d.uids(case) * 2
    assert d.now(case).state is CaseState.DONE


def test_case_that_was_given_up_has_its_whole_time_again() -> None:
    """After a resend the destination may be down again for as long as it may for a new result."""
    d = Delivery(pacs=FakePacs(down=True), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    resend(d.store, case.id, d.clock(), d.archives)
    d.clock.pass_s(300)
    d.courier.tick()
    assert d.now(case).state is CaseState.DELIVERING
    d.pacs.down = False
    d.clock.pass_s(300)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_case_on_its_way_is_due_at_once() -> None:
    """While a case is DELIVERING a resend ends the backoff."""
    d = Delivery()
    case = d.case()
    d.pacs.status[d.uids(case)[0]] = 0xA700
    d.courier.tick()
    d.pacs.status.clear()
    assert resend(d.store, case.id, d.clock(), d.archives).state is CaseState.DELIVERING
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


def test_case_on_its_way_has_its_whole_time_again() -> None:
    """A resend while DELIVERING begins anew: no failure counts, and the destination is not given up the next moment."""
    d = Delivery(pacs=FakePacs(down=True), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(DAY_S - 1)
    resend(d.store, case.id, d.clock(), d.archives)
    assert [(i.attempts, i.queued_at, i.next_at) for i in d.items(case)] == [(0, d.clock(), d.clock())] * 4
    d.clock.pass_s(2)
    d.courier.tick()
    assert d.now(case).state is CaseState.DELIVERING
    assert d.items(case)[0].attempts == 0


@pytest.mark.parametrize("event", [CaseEvent.CONFLICT_FOUND, CaseEvent.WITHDRAWN])
def test_held_and_closed_cases_are_not_sent_again(event: CaseEvent) -> None:
    """Not before a person has decided; and never after it was withdrawn."""
    d = Delivery()
    case = d.case()
    with d.store.unit() as unit:
        unit.apply(case, event, d.clock())
    with pytest.raises(Permanent, match="its result is not sent again"):
        resend(d.store, case.id, d.clock(), d.archives)
    assert d.status(case) == [OutboxStatus.WAITING] * 4


def test_case_that_failed_without_a_result_has_nothing_to_send() -> None:
    """It does not go back to DELIVERING, where it would stay for ever."""
    d = Delivery()
    with d.store.unit() as unit:
        unit.apply(unit.open_case("aln", PatientKey("EXAMPLE", "P1"), T0, UUID(int=1)), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0, "worker")
        assert claimed is not None
        fresh = unit.apply(claimed, CaseEvent.GAVE_UP, T0)
    with pytest.raises(Permanent, match="has no result to send"):
        resend(d.store, fresh.id, d.clock(), d.archives)


def test_unknown_case_is_named() -> None:
    """The message says which."""
    with pytest.raises(Permanent, match="there is no case 4711"):
        resend(Delivery().store, 4711, Delivery().clock(), {"pacs"})


def test_nothing_is_sent_again_under_a_retired_id() -> None:
    """After a merge the stored bytes name a patient who is no more: the next version goes out instead."""
    d = Delivery()
    case = d.case()
    d.courier.tick()
    with d.store.unit() as unit:
        unit.retire(Retirement(T0, "M1", case.patient, PatientKey("EXAMPLE", "P9")))
    with pytest.raises(Permanent, match="another ID now"):
        resend(d.store, case.id, d.clock(), d.archives)


def test_nothing_is_sent_again_that_waits_for_a_report() -> None:
    """No command shows a second reader the result first; once the study was read, it does what it always does."""
    d = Delivery()
    case = d.case()
    study = d.items(case)[0].study_instance_uid
    with d.store.unit() as unit:
        unit.wait_for_read(case, IndexStudy(study, "", T0))
        unit.hold_back(case)
    assert d.courier.tick() == 0
    assert d.pacs.associations == []
    with pytest.raises(Permanent, match="waits for the radiologist's report"):
        resend(d.store, case.id, d.clock(), d.archives)
    with d.store.unit() as unit:
        unit.note_read(read(study, patient=case.patient))
        settle(unit, [case.patient], T0)
    assert d.courier.tick() > 0
    assert resend(d.store, case.id, d.clock(), d.archives).id == case.id


def test_a_report_that_was_taken_back_stops_a_resend() -> None:
    """Of what was sent before, too."""
    d = Delivery()
    case = d.case()
    with d.store.unit() as unit:
        unit.wait_for_read(case, IndexStudy("1.2", "", T0))
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    with pytest.raises(Permanent, match="waits for the radiologist's report"):
        resend(d.store, case.id, d.clock(), d.archives)


def test_case_whose_place_a_later_version_took_is_not_sent_again() -> None:
    """Neither while the later one is answered nor when it is on its way: it would not name what is sent now."""
    d = Delivery(pacs=FakePacs(down=True), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    with d.store.unit() as unit:
        later = unit.open_version(unit.case(case.id), d.clock())
    resend(d.store, case.id, d.clock(), d.archives)
    with d.store.unit() as unit:
        unit.apply(later, CaseEvent.COMPLETE, d.clock())
    with pytest.raises(Permanent, match=f"version 2 took its place: see case {later.id}"):
        resend(d.store, case.id, d.clock(), d.archives)


def test_a_destination_that_was_renamed_is_told_with_those_that_there_are() -> None:
    """It would be queued for nobody, and wait until it is given up."""
    d = Delivery()
    case = d.case()
    d.courier.tick()
    with pytest.raises(Permanent, match=r"it was for pacs, and the configuration names archive, vna\."):
        resend(d.store, case.id, d.clock(), ("vna", "archive"))
    assert d.now(case).state is CaseState.DONE


def test_one_of_two_that_is_gone_keeps_nothing_from_the_other() -> None:
    """Its own objects wait as any for a name that is not configured."""
    d = Delivery(archives={"vna": FakePacs()})
    case = d.case(destinations=("pacs", "vna"))
    d.courier.tick()
    d.pacs.kept.clear()
    resend(d.store, case.id, d.clock(), {"pacs"})
    d.courier.tick()
    assert sorted(d.pacs.kept) == sorted(d.uids(case))
