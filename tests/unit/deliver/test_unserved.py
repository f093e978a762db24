"""Objects for a destination that is not configured any more."""

from agent.core.case import CaseState
from agent.core.ports import OutboxStatus
from agent.deliver.unserved import UNKNOWN, Unserved
from tests.delivery import DAY_S, Delivery, settings

WAITING, CONFIRMED, REFUSED = OutboxStatus.WAITING, OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


def unserved(d: Delivery, *configured: str) -> Unserved:
    """Return what looks after the rest."""
    return Unserved(d.store, configured, settings(give_up_after_s=DAY_S).retry, d.clock)


def test_they_are_named_and_kept_and_given_up_in_the_end() -> None:
    """Each says why; the name restored in time, they would go; after the whole time the case fails with the reason."""
    d = Delivery()
    case = d.case(destinations=("pacs", "old"))
    d.courier.tick()
    assert unserved(d, "pacs").tick() == 0
    assert d.status(case, "old") == [WAITING] * 4
    assert {i.error for i in d.items(case, "old")} == {UNKNOWN}
    assert d.now(case).state is CaseState.DELIVERING
    d.clock.pass_s(DAY_S)
    assert unserved(d, "pacs").tick() == 4
    assert d.status(case, "old") == [REFUSED] * 4
    assert d.now(case).state is CaseState.FAILED
    assert UNKNOWN in d.now(case).reason


def test_what_is_configured_is_left_alone() -> None:
    """Whatever it waits for."""
    d = Delivery()
    case = d.case()
    d.clock.pass_s(2 * DAY_S)
    assert unserved(d, "pacs").tick() == 0
    assert [(i.status, i.error) for i in d.items(case)] == [(WAITING, "")] * 4


def test_they_are_named_when_the_agent_starts(capsys) -> None:  # type: ignore[no-untyped-def]
    """The destination and how many objects; no line where all are configured."""
    d = Delivery()
    d.case()
    unserved(d, "pacs").report()
    assert capsys.readouterr().out == ""
    unserved(d, "other").report()
    said = capsys.readouterr().out
    assert "destination_not_configured" in said
    assert "pacs" in said
