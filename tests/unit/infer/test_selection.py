"""Each image bears on the axilla of its side, or is left out for a reason in words."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.instance import Instance, SpoolRef
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.role_rules import BUILT_IN
from agent.core.usable import ONE_BREAST, Window
from agent.infer.mammograms import by_projection
from agent.infer.selection import age_order, newest_studies_first
from agent.infer.selection import refusal as refused
from tests.state_stores import instance

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 20)
MODALITIES = ("clinical", "MG")
BOTH = (Side.L, Side.R)
EARLIEST = date(2026, 1, 1)
CLASSES = {"US": "1.2.840.10008.5.1.4.1.1.6.1", "MR": "1.2.840.10008.5.1.4.1.1.4"}


def stored(number: int = 1, **changes: Any) -> StoredInstance:
    """A left MLO, unless changed."""
    kind = {"sop_class_uid": CLASSES[changes["modality"]]} if "modality" in changes else {}
    header = replace(instance(f"1.2.{number}"), **{"acquired_on": DAY} | kind | changes)
    return StoredInstance(number, header, SpoolRef(1, 1, number), NOON + timedelta(seconds=number))


def refusal(header: Instance, sides: Collection[Side], window: Window, modalities: Collection[str]) -> str:
    """Ask with the verdict of the built-in table."""
    return refused(header, BUILT_IN.verdict(header), sides, window, modalities)


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


def test_a_mammogram_that_says_both_breasts_is_of_neither() -> None:
    """Only MR shows both in one image."""
    assert refusal(stored(laterality="B").instance, BOTH, Window(), MODALITIES)


@pytest.mark.parametrize("laterality", ["", "B"])
@pytest.mark.parametrize("sides", [(Side.L,), BOTH])
def test_an_mr_of_both_breasts_bears_on_each_side(laterality: str, sides: tuple[Side, ...]) -> None:
    """Whether it says so or says nothing."""
    assert refusal(stored(modality="MR", laterality=laterality).instance, sides, Window(), ("MR",)) == ""


@pytest.mark.parametrize("sides", [(Side.L,), BOTH])
def test_an_mr_of_one_breast_bears_on_none(sides: tuple[Side, ...]) -> None:
    """Only those of both, side by side, are used."""
    assert refusal(stored(modality="MR", laterality="L").instance, sides, Window(), ("MR",)) == ONE_BREAST


def test_an_mr_bears_on_nothing_where_nothing_is_asked_or_outside_the_window() -> None:
    """It is not above the other rules."""
    mr = stored(modality="MR", laterality="").instance
    assert refusal(mr, (), Window(), ("MR",))
    assert "before surgery" in refusal(mr, BOTH, Window(None, DAY), ("MR",))
    assert "right breast" not in refusal(mr, (Side.L,), Window(), ("MR",))
    assert "left breast" in refusal(replace(mr, laterality="L"), (Side.R,), Window(), ("MR",))


def test_an_ultrasound_without_a_side_is_left_out() -> None:
    """Nobody guesses of which breast it is."""
    said = refusal(stored(modality="US", laterality="").instance, BOTH, Window(), ("US",))
    assert said == "the image does not say of which breast it is"


def test_projections_come_in_a_fixed_order_and_the_newest_first() -> None:
    """CC before MLO; by the day of acquisition, then by arrival."""
    given_images = [
        stored(1, view_position="MLO", acquired_on=date(2026, 1, 1)),
        stored(2, view_position="MLO"),
        stored(3, view_position="MLO"),
        stored(4, view_position="CC"),
        stored(6, view_position="CC", acquired_on=date(2026, 1, 2)),
    ]
    assert [[s.id for s in group] for group in by_projection(given_images, BUILT_IN.verdict)] == [[4, 6], [3, 2, 1]]


def test_an_image_with_the_implant_displaced_goes_before_newer_ones() -> None:
    """It is of the same projection, and shows more of the breast."""
    given_images = [stored(1, view_position="MLOID"), stored(2, view_position="MLO"), stored(3, view_position="CC")]
    assert [[s.id for s in group] for group in by_projection(given_images, BUILT_IN.verdict)] == [[3], [1, 2]]


def test_what_the_table_refuses_or_leaves_out_is_not_used() -> None:
    """With the rule that says so; a modality that the model does not read is said first."""
    ml = stored(view_position="ML").instance
    assert refusal(ml, BOTH, Window(), MODALITIES).endswith("[MG-23]")
    assert refusal(ml, BOTH, Window(), ("US",)) == "the model does not use MG"


def test_the_study_with_the_newest_image_comes_first() -> None:
    """Within a study images keep the order in which they came."""
    old, new = {"study_instance_uid": "1.1"}, {"study_instance_uid": "1.2"}
    given_images = [
        stored(1, **new, acquired_on=date(2026, 1, 2)),
        stored(2, **old, acquired_on=date(2026, 1, 3)),
        stored(3, **new, acquired_on=date(2026, 1, 4)),
    ]
    assert [[s.id for s in study] for study in newest_studies_first(given_images)] == [[1, 3], [2]]
    assert newest_studies_first([]) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.dates(date(2026, 1, 1), date(2026, 1, 4))), max_size=8))
def test_every_image_is_in_one_study(images: list[tuple[int, date]]) -> None:
    """None vanishes; the newest days do not grow from study to study."""
    given_images = [
        stored(n, study_instance_uid=f"1.{study}", acquired_on=day) for n, (study, day) in enumerate(images)
    ]
    studies = newest_studies_first(given_images)
    assert sorted(one.id for study in studies for one in study) == list(range(len(images)))
    days = [max(age_order(one)[0] for one in study) for study in studies]
    assert days == sorted(days, reverse=True)
