"""A version that a later one overtook: nothing of it leaves any more."""

from datetime import timedelta

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.firewall import OVERTAKEN
from agent.core.ports import OutboxStatus
from agent.deliver.resend import resend
from tests.delivery import Delivery
from tests.fakes.objects import one_result
from tests.fakes.pacs import FakePacs


def next_version(d: Delivery, case: Case) -> Case:
    """Answer a case again."""
    now = d.now(case)
    with d.store.unit() as unit:
        unit.apply(unit.open_version(now, d.clock()), CaseEvent.COMPLETE, d.clock())
        claimed = unit.claim(d.clock(), d.clock() + timedelta(hours=1), "worker")
        assert claimed is not None
        return unit.save_result(claimed, d.clock(), {}, {"pacs": one_result(900), "vna": one_result(900)})


def two_destinations() -> tuple[Delivery, FakePacs]:
    """A PACS that takes everything and an archive that is down."""
    vna = FakePacs(down=True)
    return Delivery(archives={"vna": vna}), vna


def test_what_a_destination_missed_is_not_sent_after_the_next_version() -> None:
    """It was away while both were answered: it gets the later one alone."""
    d, vna = two_destinations()
    first = d.case(destinations=("pacs", "vna"))
    d.courier.tick()
    assert d.now(first).state is CaseState.DELIVERING
    second = next_version(d, first)
    d.courier.tick()
    assert d.status(second) == [OutboxStatus.CONFIRMED] * 4
    vna.down = False
    for _ in range(5):
        d.clock.pass_s(400)
        d.courier.tick()
    assert (d.now(first).state, d.now(first).reason) == (CaseState.CLOSED, OVERTAKEN)
    assert vna.requests == d.uids(second)
    assert d.now(second).state is CaseState.DONE


def test_an_earlier_version_goes_first_while_nobody_has_the_later() -> None:
    """Both arrive, in order."""
    d, vna = two_destinations()
    d.pacs.down = True
    first = d.case(destinations=("pacs", "vna"))
    second = next_version(d, first)
    d.courier.tick()
    d.pacs.down = vna.down = False
    for _ in range(5):
        d.clock.pass_s(400)
        d.courier.tick()
    assert d.pacs.requests == d.uids(first) + d.uids(second)


def test_a_superseded_version_is_not_sent_again() -> None:
    """The later one is."""
    d, _ = two_destinations()
    first = d.case()
    d.courier.tick()
    second = next_version(d, first)
    d.courier.tick()
    with pytest.raises(Permanent, match="a later version was sent"):
        resend(d.store, first.id, d.clock(), d.archives)
    assert resend(d.store, second.id, d.clock(), d.archives).id == second.id
