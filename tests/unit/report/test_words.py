"""Figures and sentences."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.errors import Permanent
from agent.core.prediction import Category, Estimate, NoEstimate, OperatingPoint, Side
from agent.report.figures import percent, predictive_values, written
from agent.report.words import Words, question_words
from tests import builders
from tests.peers import ROOT

WORDS = Words.of("aln")
SHARES = st.floats(0, 1)
ROOMS = ("core", "preprocess", "dicom", "assemble", "infer")  # what they say, `Words.stored` puts into words


def texts(path: Path) -> list[str]:
    """Every text of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


@given(SHARES)
def test_percent_is_never_zero_and_fits_its_line(share: float) -> None:
    """Viewers print no 0, and cut off what is longer than two digits, point, two digits."""
    assert 0 < percent(share) < 100
    assert len(f"{percent(share):.2f}") <= 5


@given(SHARES, SHARES)
def test_percent_keeps_the_order(one: float, other: float) -> None:
    """Interval and probability stay in order after rounding."""
    low, high = sorted((one, other))
    assert percent(low) <= percent(high)


@given(SHARES)
def test_words_round_the_number_of_the_sr(share: float) -> None:
    """What is read is what is encoded, to one decimal."""
    text = written(share)
    if text.startswith(("<", ">")):
        assert not 0.05 <= percent(share) < 99.95
    else:
        assert abs(float(text) - percent(share)) <= 0.0501


@given(st.one_of(SHARES, st.floats(0.999, 1), st.floats(0, 0.001)), SHARES)
@example(0.9995, 0.0005)
@example(0.99949999, 0.00049999)
@example(0.99999, 1.0)
def test_no_probability_is_read_as_certain(share: float, other: float) -> None:
    """Neither 0.0 nor 100.0 %, and neither end of an interval is."""
    low, high = sorted((share, other))
    ends = WORDS.interval(Estimate(Side.L, share, low, high, Category.LOW, {})).split(" to ")
    assert not {"0.0", "100.0"} & {written(share), *ends}


def test_extremes_are_bounds() -> None:
    """Neither certainty is claimed."""
    assert (written(0), written(1)) == ("< 0.1", "> 99.9")


def test_predictive_values_follow_bayes() -> None:
    """NPV and PPV of a hand-made table of 1,000: 190 of 200 found, 320 of 800 spared."""
    npv, ppv = predictive_values(OperatingPoint("low", 0.1, 0.95, 0.4), 0.2)
    assert npv == pytest.approx(320 / 330)
    assert ppv == pytest.approx(190 / 670)


def test_predictive_value_of_an_empty_group_is_zero() -> None:
    """A threshold that calls nobody positive has no PPV to divide by."""
    assert predictive_values(OperatingPoint("high", 0.9, 0.0, 1.0), 0.2)[1] == 0.0


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.04, "LOW, below the threshold of 10.0 %."),
        (0.3, "NOT LOW, between the thresholds of 10.0 % and 60.0 %."),
        (0.8, "HIGH, at or above the threshold of 60.0 %."),
    ],
)
def test_category_is_explained_by_its_threshold(probability: float, said: str) -> None:
    """Each category names the thresholds that made it."""
    assert WORDS.explained(builders.estimate(probability=probability), builders.POINTS) == f"LEFT axilla: {said}"


def test_the_worth_of_a_threshold_is_that_given_the_inputs() -> None:
    """Sensitivity and specificity of the inputs that are there, and not those of everything."""
    point = OperatingPoint("low", 0.1, 0.95, 0.48, {"clinical+MG": (0.97, 0.27)}).given(("MG", "clinical"))
    (text,) = WORDS.performance(builders.estimate(probability=0.04), (point,))
    said = "sensitivity 0.97 and specificity 0.27 on validation patients with clinical facts, mammography."
    assert text == f"LEFT axilla: the threshold of 10.0 % had {said}"


def test_each_threshold_says_what_it_achieved() -> None:
    """Both of them, whatever the category, with all inputs where nobody measured another set."""
    low, high = WORDS.performance(builders.estimate(probability=0.04), builders.POINTS)
    assert "10.0 % had sensitivity 0.95 and specificity 0.41" in low
    assert "60.0 % had sensitivity 0.38 and specificity 0.90" in high
    assert low.endswith("with all inputs.") and high.endswith("with all inputs.")


def test_not_low_without_a_high_threshold_names_the_one() -> None:
    """A bundle may have no second threshold."""
    text = WORDS.explained(builders.estimate(probability=0.3), builders.POINTS[:1])
    assert text == "LEFT axilla: NOT LOW, at or above the threshold of 10.0 %."


def test_category_without_threshold_says_so() -> None:
    """A bundle without the point that a category needs gives none."""
    said = WORDS.explained(builders.estimate(category=Category.NOT_LOW), ())
    assert said == "LEFT axilla: NOT LOW, no threshold is given."


def test_no_estimate_says_why() -> None:
    """The reason stands there; where the side is unknown, that too."""
    assert WORDS.answer(NoEstimate(None, "the side is unknown.")) == (
        "Side unknown: no estimate. Reason: the side is unknown."
    )
    assert WORDS.answer(NoEstimate(Side.R, "no facts")).startswith("RIGHT axilla: no estimate.")


@pytest.mark.parametrize(
    ("contribution", "whole", "said"),
    [
        (0.5, 1.2, "AI influence: estimate raised"),
        (-0.5, -0.1, "AI influence: estimate lowered"),
        (-0.5, 1.2, "AI influence"),  # as size on this image is evidence of other inputs, too
        (0.5, -1.2, "AI influence"),
        (0.09, 1.2, "AI influence"),
        (-0.5, -0.09, "AI influence"),
        (0.0, 0.0, "AI influence"),
    ],
)
def test_effect_of_an_image_never_contradicts_the_bar(contribution: float, whole: float, said: str) -> None:
    """The words give a direction where image and modality agree on one, and both are worth a word."""
    image = builders.source_image()
    assert WORDS.effect(builders.influence(image, contribution=contribution), whole) == said


def test_question_without_words_is_refused() -> None:
    """No report is written for what the catalogue does not hold."""
    with pytest.raises(Permanent, match="'prognosis'"):
        question_words("prognosis")


def test_unknown_modality_keeps_its_code() -> None:
    """A modality that the catalogue does not name is named by its code."""
    assert WORDS.modality("XA") == "XA"
    assert WORDS.view("XA", "", "") == "Image"
    assert WORDS.images("XA", 2) == "2 images"


def test_no_reason_speaks_of_images_by_a_modality_code() -> None:
    """It would be read as an "MRI image"."""
    said = [text for room in ROOMS for path in (ROOT / "agent" / room).rglob("*.py") for text in texts(path)]
    assert len(said) > 500
    assert [text for text in said if re.search(r"\b(MG|US|MR) images?\b", text)] == []


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("No usable MG arrived within 4 h.", "No usable mammography arrived within 4 h."),
        ("Expected and present: MG, US.", "Expected and present: mammography, ultrasound."),
        ("the model does not use MR", "the model does not use MRI"),
        ("US and MR", "Ultrasound and MRI"),
        ("a scout, by MR [MR-4]", "a scout, by MRI [MR-4]"),
        ("MRI of the AMG study", "MRI of the AMG study"),
        ("", ""),
    ],
)
def test_codes_become_words(said: str, wanted: str) -> None:
    """What other rooms write with modality codes is read in words."""
    assert WORDS.stored(said) == wanted
