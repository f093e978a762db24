"""What the items of a version say about its case, and settings of a destination."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.case import CaseEvent
from agent.core.ports import OutboxItem, OutboxStatus
from agent.core.result import Kind
from agent.deliver.settings import Confirm, DestinationSettings
from agent.deliver.verdict import NOT_OFFERED, verdict
from tests.delivery import T0

ITEM = OutboxItem(
    1, 1, "pacs", OutboxStatus.CONFIRMED, 0, T0, T0, Kind.SR, "sr:L", "1.2", "1.2.3", "1", "2", "1.2.840.10008.1.2.1"
)
ITEMS = st.builds(
    lambda destination, status, error: replace(ITEM, destination=destination, status=status, error=error),
    st.sampled_from(["pacs", "vna"]),
    st.sampled_from(OutboxStatus),
    st.sampled_from([NOT_OFFERED, "C-STORE status 0xC000"]),
)


@given(st.lists(ITEMS, max_size=6))
def test_verdict_is_given_when_nothing_is_on_its_way_and_only_then(items: list[OutboxItem]) -> None:
    """Waiting, held back and sent items put it off; confirmed ones alone end well; one that has nothing, badly."""
    judged = verdict(items)
    under_way = (OutboxStatus.WAITING, OutboxStatus.SENT, OutboxStatus.AWAITING_REPORT)
    open_ones = [i for i in items if i.status in under_way]
    assert (judged is None) == (not items or bool(open_ones))
    if judged is None:
        return
    needed = [i for i in items if i.status is not OutboxStatus.SPARE]
    by_destination = {d: [i for i in needed if i.destination == d] for d in {i.destination for i in needed}}
    all_reached = all(any(i.status is OutboxStatus.CONFIRMED for i in some) for some in by_destination.values())
    only_classes = all(i.error == NOT_OFFERED for i in items if i.status is OutboxStatus.REFUSED)
    well = all_reached and only_classes
    assert judged.event is (CaseEvent.ALL_CONFIRMED if well else CaseEvent.GAVE_UP)
    assert bool(judged.reason) == any(i.status is OutboxStatus.REFUSED for i in items)


def test_reason_names_what_failed_and_not_what_is_tolerated() -> None:
    """A refusal by class beside a real one is not blamed."""
    items = [
        ITEM,
        replace(ITEM, role="text_sr", status=OutboxStatus.REFUSED, error=NOT_OFFERED),
        replace(ITEM, role="secondary_capture:L:1", status=OutboxStatus.REFUSED, error="C-STORE status 0xC000"),
    ]
    judged = verdict(items)
    assert judged == (CaseEvent.GAVE_UP, "pacs secondary_capture:L:1: C-STORE status 0xC000")


def test_settings_take_the_three_proofs_by_name() -> None:
    """The words of the configuration."""
    for name in ("commitment", "read_back", "none"):
        assert DestinationSettings(name, 1, 2, 3).confirm == Confirm(name)


@pytest.mark.parametrize("wrong", [("maybe", 1, 2, 3), ("none", 2, 1, 3), ("none", 0, 1, 3), ("none", 1, 2, 0)])
def test_settings_that_contradict_each_other_are_refused(wrong: tuple[str, float, float, float]) -> None:
    """A mistake shows at start, not at the first failure."""
    with pytest.raises(ValueError, match=r"Confirm|must hold"):
        DestinationSettings(*wrong)


@pytest.mark.parametrize(("others", "event"), [(True, CaseEvent.ALL_CONFIRMED), (False, CaseEvent.GAVE_UP)])
def test_a_rejection_that_is_refused_is_recorded_where_the_results_are_in(others: bool, event: CaseEvent) -> None:
    """It says nothing of the results; alone it is none."""
    rejection = replace(ITEM, kind=Kind.REJECTION, role="rejection", status=OutboxStatus.REFUSED, error="0xA773")
    judged = verdict([rejection, replace(ITEM, status=OutboxStatus.CONFIRMED)] if others else [rejection])
    assert judged is not None
    assert (judged.event, judged.reason) == (event, "pacs rejection: 0xA773")
