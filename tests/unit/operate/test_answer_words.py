"""The list of cases reads an answer as the reports do."""

from datetime import UTC, datetime

import pytest

from agent.operate.status import answer_words
from agent.state.stories import CaseLine

OPENED = datetime(2026, 1, 6, 9, 30, tzinfo=UTC)


def line(*answers: dict[str, object]) -> CaseLine:
    """A case with these answers."""
    where = (1, "2.25.1", 1, "aln", "PHANTOM", "P-1", "done")
    return CaseLine(*where, OPENED, None, None, reason="why", instances=4, summary={"answers": answers})


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.731, 0.611, 0.821), "L 73.1 % (61.1 to 82.1 %) HIGH"),
        ((0.9999, 0.9995, 1.0), "L > 99.9 % (> 99.9 to > 99.9 %) HIGH"),
        ((0.0001, 0.0, 0.0006), "L < 0.1 % (< 0.1 to 0.1 %) HIGH"),
    ],
)
def test_an_estimate_is_written_as_in_the_report(numbers: tuple[float, float, float], said: str) -> None:
    """Never as certain."""
    probability, low, high = numbers
    answer = {"side": "L", "probability": probability, "low": low, "high": high, "category": "HIGH"}
    assert answer_words(line(answer)) == said


def test_no_estimate_is_said_with_its_reason() -> None:
    """And a case without an answer by why it is where it is."""
    assert answer_words(line({"side": None, "reason": "too late"})) == "no estimate: too late"
    assert answer_words(line()) == "why"
