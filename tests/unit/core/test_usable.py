"""Whether an image's side, day and kind let it bear on the question."""

from dataclasses import replace
from typing import Any

import pytest

from agent.core.prediction import Side
from agent.core.usable import ONE_BREAST, Window, unusable
from tests.state_stores import instance


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"presentation_intent": "FOR PROCESSING"}, "FOR PROCESSING: only images for presentation are used"),
        ({"laterality": "R"}, "the right breast, which is not asked about"),
        ({"modality": "MR", "laterality": "L"}, ONE_BREAST),
        ({"modality": "MR", "laterality": "B", "frames": 200}, ""),
    ],
)
def test_each_image_that_cannot_be_used_says_why(changes: dict[str, Any], reason: str) -> None:
    """Empty: it can. An MR of both breasts may have many frames."""
    assert unusable(replace(instance(), **changes), (Side.L,), Window()) == reason
