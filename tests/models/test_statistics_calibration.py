"""Calibration against scikit-learn, statsmodels and what was put in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra: train)")
sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed (group: dev)")
sklearn_calibration = pytest.importorskip("sklearn.calibration")

from models.statistics import calibration as c
from models.statistics import reliability, scores
from models.statistics.values import Z95
from tests.predictions import drawn

SEEDS = st.integers(0, 500)


@given(SEEDS)
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    """Brier and logarithmic, with a certain prediction among them."""
    p, y = drawn(40, seed)
    p[0] = 0.0
    assert scores.brier(p, y) == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    inside = np.clip(p, 1e-15, 1 - 1e-15)
    assert scores.log_loss(p, y) == pytest.approx(metrics.log_loss(y, inside, labels=[False, True]), abs=1e-9)


@given(SEEDS)
def test_the_parts_of_the_brier_score_add_up(seed: int) -> None:
    """Whatever the bins leave out stands in `within`."""
    p, y = drawn(45, seed)
    parts = scores.brier_parts(np.round(p, 1), y)
    total = parts.miscalibration - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(scores.brier(np.round(p, 1), y), abs=1e-12)
    assert min(parts.miscalibration, parts.resolution, parts.uncertainty) >= 0


def test_a_brier_score_by_hand() -> None:
    """Two forecasts, 0.2 for five of which one happens and 0.8 for five of which three do (Murphy's formula)."""
    p, y = np.repeat([0.2, 0.8], 5), np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0])
    parts = scores.brier_parts(p, y, bins=2)
    found = (parts.miscalibration, parts.resolution, parts.uncertainty, parts.within)
    assert found == pytest.approx((0.02, 0.04, 0.24, 0.0))


@pytest.mark.parametrize("seed", range(4))
def test_the_calibration_line_is_that_of_statsmodels(seed: int) -> None:
    """Slope and intercept with their intervals, to 1e-6."""
    p, y = drawn(400, seed, spread=1.3, centre=-0.5)
    x = c.logit(np.sqrt(p))
    known = sm.Logit(y.astype(float), sm.add_constant(x)).fit(disp=0, tol=1e-12)
    line = c.calibration_line(np.sqrt(p), y)
    for found, value, deviation in zip((line.intercept, line.slope), known.params, known.bse, strict=True):
        wanted = (value, value - Z95 * deviation, value + Z95 * deviation)
        assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_calibration_in_the_large_is_that_of_statsmodels(seed: int) -> None:
    """An intercept alone, the logits as offset."""
    p, y = drawn(300, seed, centre=-1)
    known = sm.GLM(y.astype(float), np.ones(300), family=sm.families.Binomial(), offset=c.logit(p**2)).fit(tol=1e-12)
    found = c.calibration_in_the_large(p**2, y)
    wanted = (known.params[0], *known.conf_int()[0])
    assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=1e-6)


def test_a_line_needs_two_outcomes_and_two_predictions() -> None:
    """Otherwise it is undefined and covers nothing."""
    one_outcome, one_prediction = c.calibration_line([0.2, 0.4], [0, 0]), c.calibration_line([0.2, 0.2], [0, 1])
    assert np.isnan([one_outcome.slope.value, one_prediction.slope.value]).all()
    assert not one_outcome.slope.covers(1)
    assert np.isnan(c.calibration_in_the_large([0.2, 0.4], [0, 0]).value)


def test_wild_predictions_do_not_lead_newton_astray() -> None:
    """Predictions of 0 and 1 that are often wrong have a finite line, the one statsmodels finds."""
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.5
    p = np.where(rng.random(300) < 0.8, y, ~y) * 1.0
    p[:100] = rng.random(100) ** 8
    known = sm.Logit(y.astype(float), sm.add_constant(c.logit(p))).fit(disp=0, tol=1e-12)
    line = c.calibration_line(p, y)
    assert (line.intercept.value, line.slope.value) == pytest.approx(tuple(known.params), abs=1e-5)
    offset = np.where(y, -30.0, 30.0)
    offset[:3] *= -1
    shift = c.logistic_towards(np.empty((300, 0)), y, np.zeros(1), 1e-9, offset=offset)
    assert abs(float((c.sigmoid(offset + shift) - y).sum())) < 1e-4


@given(SEEDS)
def test_bins_of_equal_width_are_those_of_scikit_learn(seed: int) -> None:
    """The same points of the reliability curve, and the ECE that follows from them."""
    p, y = drawn(80, seed)
    share, mean = sklearn_calibration.calibration_curve(y, p, n_bins=10)
    points = reliability.curve(p, y, width=True)
    assert [b.observed for b in points] == pytest.approx(share)
    assert [b.predicted for b in points] == pytest.approx(mean)
    by_hand = sum(b.count * abs(b.predicted - b.observed) for b in points) / 80
    assert reliability.expected_calibration_error(p, y, width=True) == pytest.approx(by_hand)


@given(SEEDS)
def test_bins_of_equal_count_are_those_of_scikit_learn(seed: int) -> None:
    """As long as nothing is tied."""
    p, y = drawn(80, seed)
    share, mean = sklearn_calibration.calibration_curve(y, p, n_bins=10, strategy="quantile")
    points = reliability.curve(p, y)
    assert [b.count for b in points] == [8] * 10
    assert [b.observed for b in points] == pytest.approx(share)
    assert [b.predicted for b in points] == pytest.approx(mean)


@given(SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    """Ties stay in one bin, so that a sorted table has the ECE of a shuffled one."""
    p, y = drawn(50, seed)
    p = np.round(p, 1)
    order = np.lexsort((y, p))
    found = reliability.expected_calibration_error(p, y)
    assert reliability.expected_calibration_error(p[order], y[order]) == pytest.approx(found)
    assert sum(b.count for b in reliability.curve(p, y)) == 50
    assert sum(b.positives for b in reliability.curve(p, y)) == y.sum()


def test_ece_by_luck_is_that_of_outcomes_drawn_one_by_one() -> None:
    """Mean and 95th percentile agree with a plain simulation within its error."""
    p, y = drawn(300, 1)
    found = reliability.calibration_error(p, y, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    plain = [reliability.expected_calibration_error(p, rng.random(300) < p) for _ in range(1000)]
    assert found.value == pytest.approx(reliability.expected_calibration_error(p, y))
    assert found.by_luck_mean == pytest.approx(np.mean(plain), rel=0.03)
    assert found.by_luck == pytest.approx(np.percentile(plain, 95), rel=0.05)


@pytest.mark.parametrize("width", [False, True])
def test_luck_explains_a_calibrated_model_and_not_a_bold_one(width: bool) -> None:
    """Of 40 calibrated sets about 38 are within range, of 40 with tripled logits none is."""
    sets = [drawn(300, s) for s in range(40)]
    rng = np.random.default_rng(0)
    good = [reliability.calibration_error(p, y, rng, width=width, draws=200).within_range for p, y in sets]
    bold = [c.sigmoid(3 * c.logit(p)) for p, _ in sets]
    bad = [
        reliability.calibration_error(b, y, rng, width=width, draws=200).within_range
        for b, (_, y) in zip(bold, sets, strict=True)
    ]
    assert sum(good) >= 34
    assert not any(bad)


def test_probabilities_stay_in_their_range() -> None:
    """A percentage is not one."""
    with pytest.raises(ValueError, match="lie in"):
        scores.brier([0.2, 30.0], [0, 1])
