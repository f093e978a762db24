"""Statistics against their definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.statistics import discrimination as d
from models.statistics.calibration import (
    calibration,
    expected_calibration_error,
    logistic,
    logistic_towards,
    logit,
    sigmoid,
)
from models.statistics.excess import paired_share

SCORED = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30)


@given(SCORED)
def test_auc_is_the_share_of_pairs_in_order(scored: list[tuple[int, bool]]) -> None:
    """Ties count half."""
    scores, positive = np.array([s for s, _ in scored], float), np.array([y for _, y in scored])
    assume(positive.any() and not positive.all())
    pairs = list(itertools.product(scores[positive], scores[~positive]))
    found = d.auc(scores, positive)
    assert found.value == pytest.approx(np.mean([(a > b) + (a == b) / 2 for a, b in pairs]))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_auc_needs_both_outcomes() -> None:
    """Without a negative there is nothing to tell apart."""
    with pytest.raises(ValueError, match="negatives"):
        d.auc(np.array([1.0, 2.0]), np.array([True, True]))


def test_the_interval_of_an_auc_covers_it() -> None:
    """Of 300 samples of a known AUC about 95 % of the intervals hold it."""
    rng, truth = np.random.default_rng(0), 0.7602499  # Phi(1 / sqrt 2)
    positive = np.arange(120) < 50
    held = [
        i.low <= truth <= i.high for i in (d.auc(rng.standard_normal(120) + positive, positive) for _ in range(300))
    ]
    assert 0.91 <= np.mean(held) <= 0.985


def test_thresholds_keep_their_promise() -> None:
    """At the thresholds found, sensitivity and specificity are at least what was asked for, and barely more."""
    rng = np.random.default_rng(1)
    positive = rng.random(400) < 0.4
    p = sigmoid(rng.standard_normal(400) + positive)
    sensitive = d.at_threshold(p, positive, d.threshold_for_sensitivity(p, positive, 0.95))
    specific = d.at_threshold(p, positive, d.threshold_for_specificity(p, positive, 0.90))
    assert 0.95 <= sensitive.sensitivity < 0.96
    assert 0.90 <= specific.specificity < 0.91


def test_counts_at_a_threshold() -> None:
    """A hand-made table of two by two."""
    p, y = np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, True, False, True])
    at = d.at_threshold(p, y, 0.5)
    assert (at.sensitivity, at.specificity, at.negative_predictive_value, at.biopsies_avoided) == (0.5, 0.5, 0.5, 0.5)
    assert d.at_threshold(p, y, 0.0).negative_predictive_value == 1
    spared = d.biopsies_avoided(p, y, 0.5, np.random.default_rng(0))
    assert 0 <= spared.low <= spared.value == 0.5 <= spared.high <= 1


def test_a_calibrated_model_is_found_to_be_one() -> None:
    """Outcomes drawn from the predictions give slope 1, intercept 0 and an ECE within luck."""
    rng = np.random.default_rng(2)
    p = sigmoid(rng.normal(0, 1.5, 8000))
    found = calibration(p, rng.random(8000) < p, rng, draws=200)
    assert found.slope == pytest.approx(1, abs=0.1)
    assert found.intercept == pytest.approx(0, abs=0.1)
    assert found.ece <= 1.2 * found.ece_by_luck
    assert found.brier == pytest.approx(float((p * (1 - p)).mean()), abs=0.01)


def test_overconfidence_is_found() -> None:
    """Doubled logits give a slope of a half and an ECE beyond luck."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1.5, 8000)
    y = rng.random(8000) < sigmoid(x)
    found = calibration(sigmoid(2 * x), y, rng, draws=200)
    assert found.slope == pytest.approx(0.5, abs=0.06)
    assert found.ece > 2 * found.ece_by_luck


def test_ece_of_a_constant() -> None:
    """Predicting 0.5 for outcomes half of which happen errs nowhere, in whatever order they come."""
    assert expected_calibration_error(np.full(40, 0.5), np.arange(40) < 20, bins=1) == 0
    assert expected_calibration_error(np.full(40, 0.5), np.arange(40) < 20, bins=2) == 0
    assert expected_calibration_error(np.repeat([0.2, 0.5], 20), np.arange(40) < 20, bins=2) == pytest.approx(0.65)


def test_logistic_finds_what_made_the_data() -> None:
    """Newton's method recovers coefficients and intercept."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((20000, 2))
    y = rng.random(20000) < sigmoid(x @ [1.0, -0.5] + 0.3)
    assert logistic(x, y) == pytest.approx([1.0, -0.5, 0.3], abs=0.08)


def test_logit_undoes_sigmoid_and_stays_finite() -> None:
    """0 and 1 have no infinite logit."""
    x = np.linspace(-10, 10, 21)
    assert logit(sigmoid(x)) == pytest.approx(x)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_the_truth_keeps_all_of_the_excess_and_noise_dilutes_it() -> None:
    """Against itself the share is exactly 1; with noise it is less, and its interval holds it."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(1500)
    ideal, noisy = sigmoid(1.5 * x), sigmoid(1.5 * (x + 0.7 * rng.standard_normal(1500)))
    positive = rng.random(1500) < ideal
    itself = paired_share(ideal, ideal, positive, rng, draws=50)
    assert (itself.low, itself.value, itself.high) == (1, 1, 1)
    diluted = paired_share(noisy, ideal, positive, rng, draws=50)
    assert 0.7 < diluted.low < diluted.value < diluted.high < 0.95


def test_a_share_of_a_few_patients_has_an_interval() -> None:
    """Samples in which the truth tells nobody apart are left out."""
    ideal, positive = np.array([0.4, 0.4, 0.6, 0.6] * 5), np.array([False, True, True, True] * 5)
    found = paired_share(ideal, ideal, positive, np.random.default_rng(0), draws=200)
    assert (found.low, found.high) == (1, 1)


def test_coefficients_are_drawn_to_where_they_are_expected() -> None:
    """A weak penalty changes nothing, a strong one everything."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((4000, 1))
    y = rng.random(4000) < sigmoid(2 * x[:, 0])
    expected = np.array([1.0, 0.0])
    weak, middle, strong = (logistic_towards(x, y, expected, precision)[0] for precision in (1e-6, 400.0, 1e7))
    assert weak == pytest.approx(logistic(x, y)[0], abs=1e-4)
    assert strong == pytest.approx(1, abs=0.01)
    assert 1.1 < middle < weak
