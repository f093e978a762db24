"""Whether an image can bear on the question, by its header alone."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from agent.core.prediction import Side
from agent.core.usable import ONE_BREAST, Window, unusable
from tests.state_stores import instance

FIRST, LAST, SURGERY = date(2026, 7, 4), date(2027, 3, 1), date(2026, 12, 1)
EPISODE = Window(FIRST, None, LAST)
LONG_AFTER = "taken long after the diagnosis: not of this episode"
LONG_BEFORE = "taken long before the diagnosis: not of this episode"
LATE = "not taken before surgery or treatment began"
UNDATED = "the image does not say when it was taken"


@pytest.mark.parametrize(
    ("day", "window", "reason"),
    [
        (FIRST, EPISODE, ""),
        (LAST, EPISODE, ""),
        (date(2026, 7, 3), EPISODE, LONG_BEFORE),
        (date(2027, 3, 2), EPISODE, LONG_AFTER),
        (None, EPISODE, UNDATED),
        (None, Window(), UNDATED),
        (SURGERY, Window(FIRST, SURGERY, LAST), LATE),
        (date(2026, 11, 30), Window(FIRST, SURGERY, LAST), ""),
        (date(1990, 1, 1), Window(), ""),
    ],
)
def test_days_that_count(day: date | None, window: Window, reason: str) -> None:
    """Those of the episode, before treatment; an undated image never does."""
    assert unusable(replace(instance(), acquired_on=day), [Side.L], window) == reason
    assert window.holds(day) is (reason == "")


def test_an_image_that_a_person_left_out() -> None:
    """Whatever else speaks for it."""
    assert unusable(replace(instance(), barred="another patient's"), [Side.L], EPISODE) == "another patient's"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"presentation_intent": "FOR PROCESSING"}, "FOR PROCESSING: only images for presentation are used"),
        ({"laterality": ""}, "the image does not say of which breast it is"),
        ({"laterality": "R"}, "the right breast, which is not asked about"),
        ({"modality": "MR", "laterality": "L"}, ONE_BREAST),
        ({"modality": "MR", "laterality": "B", "frames": 200}, ""),
    ],
)
def test_each_image_that_cannot_be_used_says_why(changes: dict[str, Any], reason: str) -> None:
    """Empty: it can. An MR of both breasts may have many frames."""
    assert unusable(replace(instance(), **changes), (Side.L,), Window()) == reason
