"""What each input did to an estimate."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.contributions import Part, parts, start
from tests import builders
from tests.unit.report import scenes


def test_inputs_are_named_in_order_and_what_is_missing_has_no_number() -> None:
    """The bundle's order; a missing modality is not one that did nothing."""
    values = {"prior": -0.8, "clinical": 0.3, "MG": 0.5, "US": 0.0, "MR": 0.0}
    image = builders.source_image()
    result = builders.result([builders.estimate(contributions=values)], [image], modalities_missing=("US", "MR", "SM"))
    assert parts(result, result.estimates[0]) == (
        Part("clinical", 0.3),
        Part("MG", 0.5),
        Part("US", None),
        Part("MR", None),
        Part("SM", None),
    )


def test_modality_of_the_other_axilla_alone_was_not_there() -> None:
    """A bilateral patient with images of one side: of the other they say nothing."""
    right = builders.source_image(builders.mammogram("R"))
    answers = [
        builders.estimate("R", contributions={"prior": 0.1, "clinical": 0.0, "MG": 0.4}),
        builders.estimate("L", contributions={"prior": 0.1, "clinical": 0.0, "MG": 0.0}),
    ]
    result = builders.result(answers, [right], modalities_missing=())
    assert parts(result, result.estimates[0])[1] == Part("MG", 0.4)
    assert parts(result, result.estimates[1]) == (Part("clinical", 0.0), Part("MG", None))


def test_used_modality_that_did_nothing_keeps_its_zero() -> None:
    """An image that was used is not "not available"."""
    result, _ = scenes.everything()
    values = scenes.CONTRIBUTIONS | {"MR": 0.0}
    assert parts(result, builders.estimate(contributions=values))[-1] == Part("MR", 0.0)


@pytest.mark.parametrize(
    ("log_odds", "factor", "effect"),
    [
        (1.2, "3.3", "{input} raised the estimate"),
        (3.0, "20", "{input} raised the estimate"),
        (9.0, "> 100", "{input} raised the estimate"),
        (800.0, "> 100", "{input} raised the estimate"),
        (-0.8, "0.45", "{input} lowered the estimate"),
        (-9.0, "< 0.01", "{input} lowered the estimate"),
        (0.02, "1.0", "{input} hardly moved the estimate"),
        (-0.02, "0.98", "{input} hardly moved the estimate"),
        (None, "", "{input} not available"),
    ],
)
def test_factor_and_effect(log_odds: float | None, factor: str, effect: str) -> None:
    """By what the odds were multiplied, in two digits, and in which direction."""
    part = Part("MG", log_odds)
    assert (part.factor, part.effect) == (factor, effect)


@given(st.floats(-800, 800))
def test_start_is_a_probability(prior: float) -> None:
    """Whatever the prior's logit."""
    share = start(builders.estimate(contributions={"prior": prior}))
    assert share is not None and 0 <= share <= 1


def test_start_and_parts_make_the_estimate() -> None:
    """Odds at the start times all factors are the estimate's odds."""
    answer = builders.estimate(probability=0.7312)
    begin = start(answer)
    assert begin is not None
    odds = begin / (1 - begin) * math.exp(sum(v for k, v in answer.contributions.items() if k != "prior"))
    assert odds / (1 + odds) == pytest.approx(0.7312)
    assert start(builders.estimate(contributions={})) is None
