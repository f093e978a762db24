"""Images only assign to an axilla: where all of them are of the other breast, a person must look."""

from datetime import date
from typing import Any

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Decision, Ruling
from agent.core.evidence import Patience
from tests.ward import ALICE, CANCER, HOUR, QUIET, REFRESH, Ward

OTHER = "The clinical database names the left breast, every examination of one breast the right."


@pytest.fixture
def ward() -> Ward:
    """Give a ward that waits for nothing but quiet, and a left-sided cancer."""
    ward = Ward(Patience(QUIET))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    return ward


def _conflicts(ward: Ward) -> tuple[Conflict, ...]:
    case = ward.case()
    with ward.store.unit() as unit:
        return tuple(unit.conflicts(case.id))


def _decide(ward: Ward, ruling: Ruling) -> None:
    (conflict,) = _conflicts(ward)
    case = ward.case()
    with ward.store.unit() as unit:
        unit.decide(Decision(conflict.id, ruling, "", "someone", ward.clock()))
        unit.apply(case, CaseEvent.RESOLVED, ward.clock(), due_at=ward.clock())
    ward.assembler.tick()


def test_images_of_the_other_breast_alone_hold_the_case(ward: Ward) -> None:
    """Nothing is sent until a person, an image or a fact says which side it is."""
    ward.image(laterality="R")
    ward.pass_time()
    assert (ward.case().state, ward.case().reason) == (CaseState.HELD, OTHER)
    (conflict,) = _conflicts(ward)
    assert (conflict.kind, conflict.subjects[0]) == (ConflictKind.LATERALITY, "L")
    ward.pass_time(REFRESH)
    assert (ward.case().state, ward.case().due_at) == (CaseState.HELD, ward.clock() + REFRESH)


@pytest.mark.parametrize(
    "images",
    [
        [{"laterality": "R"}, {"laterality": "L"}],
        [{"laterality": "R"}, {"laterality": "L", "intent": "FOR PROCESSING"}],
        [{"laterality": "R"}, {"laterality": "L", "acquired_on": None}],
        [{"laterality": "R", "modality": "US"}, {"laterality": "L", "study": "1.3"}],
        [{"laterality": "R", "study": "1.3"}, {"laterality": "L", "modality": "US", "acquired_on": None}],
        [
            {"laterality": "R"},
            {"laterality": "R", "modality": "MR", "study": "1.3"},
            {"laterality": "L", "study": "1.4"},
        ],
        [{"laterality": "R"}, {"laterality": "L"}, {"laterality": "", "modality": "US"}],
        [{"laterality": "R"}, {"laterality": "B"}],
        [{"laterality": "R", "modality": "US"}, {"laterality": "L", "modality": "US"}],
        [{"modality": "MR", "laterality": ""}],
        [{"laterality": "R", "modality": "MR"}, {"laterality": "", "modality": "MR"}],
        [{"laterality": "R"}, {"laterality": "L", "study": "1.3"}],
        [{"laterality": ""}],
        [{"laterality": "R", "acquired_on": date(2024, 1, 1)}],
        [{"laterality": "R", "acquired_on": None}],
        [{"laterality": "R", "modality": "SM"}],
        [],
    ],
)
def test_what_contradicts_nothing(ward: Ward, images: list[dict[str, Any]]) -> None:
    """An image of the side that is asked about, or none that names a side within the episode."""
    for image in images or [{"laterality": "L"}]:
        ward.image(**image)
    ward.pass_time()
    assert ward.case().state is CaseState.READY


ULTRASOUND: list[dict[str, Any]] = [{"laterality": "R", "modality": "US"}] * 4


@pytest.mark.parametrize(
    "images",
    [
        [*ULTRASOUND, {"laterality": "L", "study": "1.3"}, {"laterality": "R", "study": "1.3"}],
        [*ULTRASOUND, {"laterality": "L"}, {"laterality": "R"}],
        [{"laterality": "R"}, {"modality": "MR", "laterality": ""}],
        [{"laterality": "R", "modality": "MR"}, {"laterality": "B", "modality": "MR", "study": "1.3"}],
        [*ULTRASOUND, {"laterality": "L", "acquired_on": date(2024, 1, 1), "study": "1.3"}],
        [*ULTRASOUND, {"laterality": "", "modality": "US"}],
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_an_examination_of_both_breasts_hides_no_contradiction(
    ward: Ward, images: list[dict[str, Any]], order: int
) -> None:
    """Screening shows both; whoever looked closer looked at the other one only. Their order does not matter."""
    for image in images[::order]:
        ward.image(**image)
    ward.pass_time()
    assert (ward.case().state, ward.case().reason) == (CaseState.HELD, OTHER)


def test_more_of_both_breasts_is_no_other_contradiction(ward: Ward) -> None:
    """What a person decided on is what speaks."""
    ward.image(laterality="R", modality="US")
    ward.pass_time()
    before = _conflicts(ward)
    ward.image(laterality="R")
    ward.image(laterality="L")
    ward.pass_time()
    assert ward.case().state is CaseState.HELD and _conflicts(ward) == before


def test_both_sides_diseased_contradict_nothing(ward: Ward) -> None:
    """An image of either breast is of one that is asked about."""
    ward.clinical.know(ALICE, "2026-11-01", **{**CANCER, "side": "B"})
    ward.image(laterality="R")
    ward.pass_time()
    assert ward.case().state is CaseState.READY


def test_a_later_image_ends_the_contradiction(ward: Ward) -> None:
    """The case goes on by itself."""
    ward.image(laterality="R")
    ward.pass_time()
    ward.image(laterality="L")
    ward.pass_time()
    assert ward.case().state is CaseState.READY
    assert ward.events()[-3:] == [CaseEvent.INSTANCE_STORED, CaseEvent.RESOLVED, CaseEvent.COMPLETE]


@pytest.mark.parametrize("change", [{"side": "R"}, {"side": "B"}, {"diagnosis": "benign"}, {"side": None}])
def test_a_later_fact_ends_the_contradiction(ward: Ward, change: dict[str, object]) -> None:
    """The clinical database was mended."""
    ward.image(laterality="R")
    ward.pass_time()
    ward.clinical.know(ALICE, "2026-11-01", **{**CANCER, **change})
    ward.pass_time(REFRESH)
    assert ward.case().state is (CaseState.DORMANT if "diagnosis" in change else CaseState.READY)


def test_more_images_of_the_other_breast_are_another_contradiction(ward: Ward) -> None:
    """Whoever decides must have seen all of them."""
    ward.image(laterality="R")
    ward.pass_time()
    before = _conflicts(ward)
    ward.image(laterality="R")
    ward.pass_time()
    assert ward.case().state is CaseState.HELD and _conflicts(ward) != before


def test_an_outage_does_not_free_a_held_case(ward: Ward) -> None:
    """It keeps what it is held for."""
    ward.image(laterality="R")
    ward.pass_time()
    ward.clinical.away = True
    ward.pass_time(REFRESH)
    assert (ward.case().state, ward.case().reason) == (CaseState.HELD, OTHER)


def test_a_person_accepts(ward: Ward) -> None:
    """The case goes on, and no image of the other breast is used."""
    ward.image(laterality="R")
    ward.pass_time()
    _decide(ward, Ruling.ACCEPT)
    assert ward.case().state is CaseState.READY


def test_a_person_drops(ward: Ward) -> None:
    """The case is closed."""
    ward.image(laterality="R")
    ward.pass_time()
    _decide(ward, Ruling.DROP)
    assert (ward.case().state, ward.case().reason) == (CaseState.CLOSED, "a person dropped it")


def test_what_else_a_person_must_decide_is_not_let_go(ward: Ward) -> None:
    """Another contradiction holds the case whatever its sides say."""
    ward.image(laterality="R")
    case = ward.case()
    other = Conflict(ConflictKind.DEMOGRAPHICS, ("a", "b"), "Two birth dates.")
    with ward.store.unit() as unit:
        unit.postpone(unit.hold(case, [other], ward.clock()), ward.clock(), other.sentence)
    ward.image(laterality="L")
    ward.pass_time(HOUR)
    assert (ward.case().state, ward.case().reason) == (CaseState.HELD, "Two birth dates.")


def test_an_answer_is_not_held_for_an_image_that_changes_nothing(ward: Ward) -> None:
    """The image of the other breast comes after the answer, and bears on nothing."""
    ward.answered()
    ward.image(laterality="R")
    ward.pass_time()
    assert ward.case().state is CaseState.CLOSED
