"""A version that was worked out again says the same, or what differs."""

from typing import Any

import pytest

from agent.operate.comparison import Comparison, Difference, compare, sentences
from agent.operate.lineage import Change
from tests.lineages import lineage

ANSWER = {
    "side": "L",
    "probability": 0.1 + 0.2,
    "low": 0.1,
    "high": 0.9,
    "category": "LOW",
    "contributions": {"MG": 1.5},
}
NONE = {"side": "R", "reason": "surgery"}


def made(*digests: str) -> list[dict[str, str]]:
    """Objects with these digests."""
    return [{"role": f"sr:{n}", "sha256": digest} for n, digest in enumerate(digests)]


def compared(answers: list[dict[str, Any]] | None = None, now: dict[str, Any] | None = None) -> Comparison:
    """Compare an answer of the left axilla and none of the right with others."""
    saved = lineage() | {"objects": made("a" * 64, "b" * 64)}
    again = {"answers": [ANSWER, NONE] if answers is None else answers}, saved | (now or {})
    return compare(7, 2, ({"answers": [ANSWER, NONE]}, saved), again)


def test_the_same_is_said_to_be_the_same() -> None:
    """Numbers and bytes."""
    seen = compared()
    assert seen.same
    assert sentences(seen) == ["case 7, version 2: the same numbers", "the same bytes of all 2 objects"]


def test_what_is_not_as_it_was_is_said_also_where_it_had_no_effect() -> None:
    """Another code, the same answer."""
    seen = compared(now={"code": lineage()["code"] | {"version": "2.0"}})
    assert seen.same
    assert sentences(seen)[2:] == ["not as it was then, and without effect:", "  code: version: 1.0 → 2.0"]


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        ({"probability": 0.3}, Difference("L probability", 0.1 + 0.2, 0.3)),
        ({"low": 0.05}, Difference("L low", 0.1, 0.05)),
        ({"high": 0.95}, Difference("L high", 0.9, 0.95)),
        ({"category": "HIGH"}, Difference("L category", "LOW", "HIGH")),
        ({"contributions": {"MG": 1.25}}, Difference("L contribution of MG", 1.5, 1.25)),
        ({"contributions": {"MG": 1.5, "US": 0.5}}, Difference("L contribution of US", None, 0.5)),
    ],
)
def test_the_last_bit_of_a_number_counts(answer: dict[str, Any], difference: Difference) -> None:
    """0.1 + 0.2 is not 0.3."""
    seen = compared([ANSWER | answer, NONE])
    assert seen.numbers == (difference,)
    assert not seen.same
    assert sentences(seen)[0] == "case 7, version 2: other values"


def test_a_reason_in_place_of_a_number_is_told() -> None:
    """Each value that is gone, and the reason that came; an axilla that is gone too."""
    seen = compared([{"side": "L", "reason": "too late"}])
    assert {(one.about, one.now) for one in seen.numbers} == {
        *((f"L {name}", None) for name in ("probability", "low", "high", "category", "contribution of MG")),
        ("L reason", "too late"),
        ("R reason", None),
    }
    assert "  R reason: surgery → none" in sentences(seen)


def test_of_a_patient_whose_side_is_unknown_no_side_is_named() -> None:
    """The reason alone."""
    saved = lineage()
    one, other = ({"answers": [{"side": None, "reason": reason}]} for reason in ("a", "b"))
    assert compare(1, 1, (one, saved), (other, saved)).numbers == (Difference("reason", "a", "b"),)


def test_other_bytes_of_an_object_are_told_beside_the_same_numbers() -> None:
    """Changed, gone and new ones."""
    seen = compared(now={"objects": made("a" * 64, "c" * 64, "d" * 64)})
    assert (seen.numbers, seen.same, seen.compared) == ((), False, 3)
    assert sentences(seen) == [
        "case 7, version 2: the same numbers",
        "2 of 3 objects differ",
        "  object sr:1: sha256 bbbbbbbbbbbb → sha256 cccccccccccc",
        "  object sr:2: none → sha256 dddddddddddd",
        "everything that is kept of its lineage is as it was: another machine?",
    ]


def test_a_version_without_objects_has_none_to_compare() -> None:
    """Where the site wants no report without a number."""
    saved = lineage()
    seen = compare(1, 1, ({"answers": [NONE]}, saved), ({"answers": [NONE]}, saved))
    assert sentences(seen) == ["case 1, version 1: the same numbers"]


def test_other_objects_of_the_version_before_are_told() -> None:
    """They are named in the report."""
    seen = compared(now={"supersedes": {"case": 1, "version": 1, "objects": ["1.2"]}})
    assert seen.lineage == (Change("predecessor", "the version before has other objects"),)
