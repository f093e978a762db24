"""Each image goes to the axilla of its side, or is left out for a reason in words."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.instance import SpoolRef
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.usable import Window
from agent.infer.selection import refusal, select
from tests.state_stores import instance

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 20)
MODALITIES = ("clinical", "MG")
BOTH = (Side.L, Side.R)
EARLIEST = date(2026, 1, 1)


def stored(number: int = 1, **changes: Any) -> StoredInstance:
    """A left MLO, unless changed."""
    header = replace(instance(f"1.2.{number}"), **{"acquired_on": DAY} | changes)
    return StoredInstance(number, header, SpoolRef(1, 1, number), NOON + timedelta(seconds=number))


@pytest.mark.parametrize(
    ("changes", "cutoff", "reason"),
    [
        ({}, None, ""),
        ({}, date(2026, 11, 21), ""),
        ({"presentation_intent": ""}, None, ""),
        ({"acquired_on": None}, None, "does not say when it was taken"),
        ({"acquired_on": date(2026, 1, 1)}, None, ""),
        ({"acquired_on": date(2025, 12, 31)}, None, "not of this episode"),
        ({"modality": "US"}, None, "the model does not use US"),
        ({"presentation_intent": "FOR PROCESSING"}, None, "FOR PROCESSING"),
        ({"laterality": "R"}, None, "the right breast"),
        ({"laterality": ""}, None, "does not say of which breast"),
        ({"laterality": "B"}, None, "does not say of which breast"),
        ({}, DAY, "before surgery or treatment"),
        ({}, date(2026, 11, 19), "before surgery or treatment"),
        ({"acquired_on": None}, DAY, "does not say when it was taken"),
    ],
)
def test_each_refusal_has_its_reason(changes: dict[str, Any], cutoff: date | None, reason: str) -> None:
    """An empty reason means that the image can be used."""
    said = refusal(stored(**changes).instance, (Side.L,), Window(EARLIEST, cutoff), MODALITIES)
    assert (reason in said) if reason else said == ""


def test_views_come_in_a_fixed_order_and_the_newest_first() -> None:
    """CC before MLO; by the day of acquisition, then by arrival."""
    given_images = [
        stored(1, view_position="MLO", acquired_on=date(2026, 1, 1)),
        stored(2, view_position="MLO"),
        stored(3, view_position="MLO"),
        stored(4, view_position="CC"),
        stored(5, view_position="CC", laterality="R"),
        stored(6, view_position="CC", acquired_on=date(2026, 1, 2)),
    ]
    chosen = select(given_images, BOTH, Window(), MODALITIES)
    assert [[s.id for s in view] for view in chosen.views[Side.L]] == [[4, 6], [3, 2, 1]]
    assert [[s.id for s in view] for view in chosen.views[Side.R]] == [[5]]
    assert chosen.left_out == ()


IMAGES = st.lists(
    st.fixed_dictionaries(
        {
            "laterality": st.sampled_from(["L", "R", "B", ""]),
            "view_position": st.sampled_from(["CC", "MLO", ""]),
            "modality": st.sampled_from(["MG", "US"]),
            "presentation_intent": st.sampled_from(["FOR PRESENTATION", "FOR PROCESSING", ""]),
            "acquired_on": st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 1, 9))),
        }
    ),
    max_size=8,
)
CUTOFFS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 1, 9)))


@given(IMAGES, st.sampled_from([(Side.L,), (Side.R,), BOTH, ()]), CUTOFFS)
def test_every_image_is_chosen_or_left_out_once(
    images: list[dict[str, Any]], sides: tuple[Side, ...], cutoff: date | None
) -> None:
    """None vanishes, none is used twice, and none is used on the wrong side or after the cutoff."""
    given_images = [stored(n, **changes) for n, changes in enumerate(images)]
    selection = select(given_images, sides, Window(None, cutoff), MODALITIES)
    chosen = [(side, s) for side, views in selection.views.items() for view in views for s in view]
    assert sorted([s.id for _, s in chosen] + [s.id for s, _ in selection.left_out]) == list(range(len(images)))
    assert all(reason for _, reason in selection.left_out)
    for side, one in chosen:
        assert one.instance.laterality == side
        assert cutoff is None or (one.instance.acquired_on is not None and one.instance.acquired_on < cutoff)
