"""What the images of a patient take away: taken after surgery, outside the episode, or of somebody else."""

from datetime import date

import pytest

from agent.core.clinical import ClinicalFacts, Fact
from agent.core.demographics import Demographics
from agent.core.eligibility import AxillaQuestion, Eligibility, assess, bound_by_identity, bound_by_images
from agent.core.prediction import Side
from tests.unit.core.eligibility_facts import TODAY, assessed, clinical

SURGERY = date(2026, 11, 10)
LATE = "All images were taken on or after surgery."
NONE = "No image is known to be of this episode and older than surgery."


@pytest.mark.parametrize(
    ("acquired", "reason"),
    [
        ([date(2026, 11, 10), date(2026, 11, 11)], LATE),
        ([date(2026, 11, 10), None, date(2024, 1, 1)], LATE),
        ([None], NONE),
        ([], NONE),
        ([date(2026, 7, 3)], NONE),
        ([date(2027, 7, 3)], NONE),
        ([date(2026, 7, 4)], ""),
        ([date(2026, 11, 11), date(2026, 11, 9)], ""),
    ],
)
def test_images_after_surgery_alone_give_no_estimate(acquired: list[date | None], reason: str) -> None:
    """One image of the episode that is known to be older than surgery is enough."""
    found = bound_by_images(assessed(clinical(surgery_date=SURGERY)), acquired)
    assert found.asked and found.axillae == (AxillaQuestion(Side.L, reason),) and found.reason == ""


def test_without_an_episode_any_image_of_before_surgery_counts() -> None:
    """No day is too early then."""
    found = bound_by_images(assess("aln", clinical(surgery_date=SURGERY), TODAY), [date(2020, 1, 1)])
    assert found.open_sides == (Side.L,)


def test_what_was_said_of_an_axilla_stands() -> None:
    """That its nodes are known to be positive weighs more than when the images were taken."""
    found = bound_by_images(assessed(clinical(surgery_date=SURGERY, node_biopsy="positive")), [SURGERY])
    assert found.axillae[0].reason == "A node biopsy has already proven metastasis."


def test_images_after_surgery_of_an_unknown_side() -> None:
    """Without an axilla the reason stands for the patient."""
    found = bound_by_images(assessed(clinical(side=None, surgery_date=SURGERY)), [SURGERY])
    assert (found.axillae, found.reason) == ((), LATE)


def test_without_treatment_no_image_is_late() -> None:
    """No cutoff, no bound."""
    found = assessed(clinical())
    assert bound_by_images(found, [None]) is found


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Demographics("Doe^Jane", date(1970, 1, 1), "F"), ""),
        (Demographics("Doe^Jane"), ""),
        (Demographics("", date(1971, 1, 1), "F"), "the birth dates differ"),
        (Demographics("", date(1970, 1, 1), "M"), "the sexes differ"),
    ],
)
def test_images_of_somebody_else_get_no_estimate(image: Demographics, reason: str) -> None:
    """What the clinical database and the images say of the person must agree, or facts and images may be of two."""
    known = {"birth_date": Fact(date(1970, 1, 1), date(2026, 1, 1)), "sex": Fact("F", date(2026, 1, 1))}
    found = bound_by_identity(Eligibility(True, "", (AxillaQuestion(Side.L),)), ClinicalFacts(known), [image])
    assert (reason in found.axillae[0].reason) and bool(found.axillae[0].reason) is bool(reason)
    sideless = bound_by_identity(Eligibility(True, ""), ClinicalFacts(known), [image])
    assert bool(sideless.reason) is bool(reason)
    assert bound_by_identity(Eligibility(True, ""), None, [image]) == Eligibility(True, "")
