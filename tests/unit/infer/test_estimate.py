"""The graph's numbers become a probability, an interval and a category."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import Permanent
from agent.core.manifest import parse_manifest
from agent.core.prediction import Category, OperatingPoint, Side, categorise
from agent.infer.estimate import estimate_axilla, log_odds, prior_shift, shifted_points, sigmoid
from tests.builders_bundle import manifest

MANIFEST = parse_manifest(manifest(files={}))
ALL = ("clinical", "MG")
LOGITS = st.floats(-50, 50)


def outputs(logit: float, spread: float = 0.5, parts: tuple[float, ...] = (-1.0, 0.5, 0.5)) -> dict[str, Any]:
    """What the graph answers for one axilla."""
    return {
        "logit": np.array([logit], np.float32),
        "logit_sd": np.array([spread], np.float32),
        "contributions": np.array([parts], np.float32),
    }


@given(st.floats(-1000, 1000))
def test_a_probability_lies_within_0_and_1(logit: float) -> None:
    """Whatever the logit; and the two signs mirror each other."""
    assert 0 <= sigmoid(logit) <= 1
    assert sigmoid(logit) + sigmoid(-logit) == pytest.approx(1)


@given(st.floats(0.001, 0.999))
def test_log_odds_are_the_inverse(probability: float) -> None:
    """There and back."""
    assert sigmoid(log_odds(probability)) == pytest.approx(probability)


@given(LOGITS, st.floats(0, 20), st.floats(-5, 5))
def test_the_interval_holds_the_probability(logit: float, spread: float, shift: float) -> None:
    """And the prior's part of the logit takes the shift."""
    estimate = estimate_axilla(Side.L, MANIFEST, outputs(logit, spread), 0, present=ALL, shift=shift)
    assert 0 <= estimate.low <= estimate.probability <= estimate.high <= 1
    assert estimate.contributions == pytest.approx({"prior": -1.0 + shift, "clinical": 0.5, "MG": 0.5})


@pytest.mark.parametrize(
    ("probability", "category"),
    [(0.19, Category.LOW), (0.21, Category.NOT_LOW), (0.69, Category.NOT_LOW), (0.71, Category.HIGH)],
)
def test_the_category_is_that_of_the_operating_points(probability: float, category: Category) -> None:
    """0.2 and 0.7 in the tiny bundle."""
    assert (
        estimate_axilla(Side.R, MANIFEST, outputs(log_odds(probability)), 0, present=ALL, shift=0.0).category
        is category
    )


def test_an_estimate_says_what_its_thresholds_achieve_given_its_inputs() -> None:
    """Where the bundle measured it; else what they achieve given everything."""
    measured = {"clinical": (0.97, 0.2), "clinical+MG": (0.95, 0.4)}
    manifest = replace(MANIFEST, operating_points=(OperatingPoint("low", 0.2, 0.95, 0.4, measured),))
    (alone,) = estimate_axilla(Side.L, manifest, outputs(0.0), 0, present={"clinical"}, shift=0.0).points
    assert (alone.threshold, alone.sensitivity, alone.specificity, alone.inputs) == (0.2, 0.97, 0.2, "clinical")
    (both,) = estimate_axilla(Side.L, manifest, outputs(0.0), 0, present={"MG", "clinical"}, shift=0.0).points
    assert (both.specificity, both.inputs) == (0.4, "clinical+MG")
    (other,) = estimate_axilla(Side.L, manifest, outputs(0.0), 0, present={"MG"}, shift=0.0).points
    assert (other.specificity, other.inputs) == (0.4, "")


@given(LOGITS, st.floats(0.01, 0.99))
def test_a_sites_prevalence_moves_thresholds_with_the_answer(logit: float, prevalence: float) -> None:
    """Who is LOW stays LOW: the points' sensitivity is that of the same rule."""
    shift = prior_shift(prevalence, MANIFEST.training_prevalence)
    estimate = estimate_axilla(Side.L, MANIFEST, outputs(logit), 0, present=ALL, shift=shift)
    points = shifted_points(MANIFEST.operating_points, shift)
    assert estimate.category is categorise(estimate.probability, points)
    plain = estimate_axilla(Side.L, MANIFEST, outputs(logit), 0, present=ALL, shift=0.0)
    if min(abs(plain.probability - p.threshold) for p in MANIFEST.operating_points) > 1e-6:
        assert estimate.category is plain.category


def test_the_training_prevalence_itself_shifts_nothing() -> None:
    """Nor does none at all."""
    assert prior_shift(0.25, 0.25) == 0
    assert prior_shift(None, 0.25) == 0
    assert shifted_points(MANIFEST.operating_points, 0.0) == MANIFEST.operating_points


@pytest.mark.parametrize(("site", "training"), [(0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (math.nan, 0.5)])
def test_a_prevalence_that_cannot_be_is_refused(site: float, training: float) -> None:
    """Its logit would be infinite."""
    with pytest.raises(Permanent, match="prevalence"):
        prior_shift(site, training)


@pytest.mark.parametrize(
    "broken",
    [outputs(math.nan), outputs(math.inf), outputs(0, math.nan), outputs(0, -0.1), outputs(0, 1, (0.0, math.nan, 0.0))],
)
def test_what_is_no_number_is_refused(broken: dict[str, Any]) -> None:
    """It never reaches a report."""
    with pytest.raises(Permanent, match="number that is none"):
        estimate_axilla(Side.L, MANIFEST, broken, 0, present=ALL, shift=0.0)
