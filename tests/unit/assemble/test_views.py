"""Which mammographic views are still expected."""

from dataclasses import replace
from datetime import date

import pytest

from agent.assemble.views import missing_views
from agent.core.instance import Instance
from agent.core.prediction import Side
from agent.core.usable import Window
from tests.state_stores import instance

WINDOW = Window(date(2026, 8, 1), date(2026, 12, 1))
VIEWS = ("CC", "MLO")


def image(side: str = "L", view: str = "CC", **changes: object) -> Instance:
    """Return a mammogram."""
    return replace(instance(), laterality=side, view_position=view, **changes)


@pytest.mark.parametrize(
    ("images", "sides", "missing"),
    [
        ([], [Side.L], ()),
        ([image()], [Side.L], ("left MLO",)),
        ([image(), image(view="MLO")], [Side.L], ()),
        ([image(), image(view="MLO")], [Side.L, Side.R], ("right CC", "right MLO")),
        ([image("R", "MLO")], [Side.L], ("left CC", "left MLO")),
        ([image(), image(view="MLO", acquired_on=date(2026, 1, 1))], [Side.L], ("left MLO",)),
        ([image(), image(view="MLO", presentation_intent="FOR PROCESSING")], [Side.L], ("left MLO",)),
        ([image(acquired_on=date(2026, 1, 1))], [Side.L], ()),
        ([image(modality="US")], [Side.L], ()),
        ([image()], [], ()),
    ],
)
def test_views_of_the_sides_asked_about_are_expected(
    images: list[Instance], sides: list[Side], missing: tuple[str, ...]
) -> None:
    """Once there is a mammogram of this episode; only usable ones count."""
    assert missing_views(images, sides, WINDOW, VIEWS) == missing


def test_a_site_that_expects_no_views_misses_none() -> None:
    """It is configured."""
    assert missing_views([image()], [Side.L], WINDOW, ()) == ()
