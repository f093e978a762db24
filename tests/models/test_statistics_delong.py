"""Areas under ROC curves against their definition, published figures and other implementations."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.statistics import delong
from models.statistics.values import Bools, Floats
from tests.predictions import drawn

scipy_stats = pytest.importorskip("scipy.stats", reason="scipy is not installed (extra: train)")
metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra: train)")

from models.statistics import comparison

# Hanley and McNeil, Radiology 1982;143:29-36: five-point ratings of CT images, of 58 normal and 51 abnormal
RATINGS = np.repeat([1, 2, 3, 4, 5] * 2, [33, 6, 6, 11, 2, 3, 2, 2, 11, 33]).astype(float)
ABNORMAL = np.arange(109) >= 58


def by_definition(scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """Areas (K,) and covariance (K, K) from all pairs, as DeLong 1988 (section 2) defines them."""
    kernels = [
        np.sign(row[positive][:, None] - row[~positive][None, :]) / 2 + 0.5 for row in scores
    ]  # (K) of (cases, controls)
    areas = np.array([k.mean() for k in kernels])

    def covariance(axis: int) -> Floats:
        parts = [k.mean(axis) for k in kernels]
        size = len(parts[0])
        centred = [p - a for p, a in zip(parts, areas, strict=True)]
        return np.array([[(a * b).sum() / (size - 1) / size for b in centred] for a in centred])

    return areas, covariance(1) + covariance(0)


TIED = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=5, max_size=40)


@given(TIED)
def test_areas_and_covariance_are_those_of_all_pairs(rows: list[tuple[int, int, bool]]) -> None:
    """Midranks give what counting every pair gives, ties included."""
    table = np.array(rows, float)
    positive = table[:, 2] == 1
    assume(2 <= positive.sum() <= len(positive) - 2)
    found, (areas, covariance) = delong.areas(table[:, :2].T, positive), by_definition(table[:, :2].T, positive)
    assert found.values == pytest.approx(areas, abs=1e-12)
    assert found.covariance == pytest.approx(covariance, abs=1e-12)


@given(TIED)
def test_the_area_alone_is_that_of_scikit_learn(rows: list[tuple[int, int, bool]]) -> None:
    """The quick area for resampling, and the one with an interval, agree with `roc_auc_score`."""
    table = np.array(rows, float)
    positive = table[:, 2] == 1
    assume(positive.any() and not positive.all())
    known = metrics.roc_auc_score(positive, table[:, 0])
    assert delong.area(table[:, 0], positive) == pytest.approx(known, abs=1e-12)
    assert delong.interval(table[:, 0], positive).value == pytest.approx(known, abs=1e-12)


def test_a_published_interval_is_found_again() -> None:
    """Stata's manual (roctab) has area 0.8932 and interval 0.83295 to 0.95339 for these ratings."""
    found = delong.interval(RATINGS, ABNORMAL)
    assert (found.value, found.low, found.high) == pytest.approx((0.89317, 0.83295, 0.95339), abs=5e-6)


def test_an_interval_on_the_logit_scale_is_the_delta_method() -> None:
    """Its logits are symmetric about the estimate, and its width there is that of the plain one over p(1 - p)."""
    plain, found = delong.interval(RATINGS, ABNORMAL), delong.interval(RATINGS, ABNORMAL, logit=True)
    middle, low, high = (np.log(x / (1 - x)) for x in (found.value, found.low, found.high))
    assert middle - low == pytest.approx(high - middle)
    assert high - middle == pytest.approx((plain.high - plain.value) / (plain.value * (1 - plain.value)))


def test_perfect_order_still_has_an_interval() -> None:
    """Ten of ten in order leave room for chance: the exact bound of the rarer outcome."""
    found = delong.interval(np.arange(40.0), np.arange(40) >= 30)
    exact = scipy_stats.binomtest(10, 10).proportion_ci(0.95, "exact")
    assert (found.value, found.low, found.high) == pytest.approx((1, exact.low, 1))
    reverse = delong.interval(-np.arange(40.0), np.arange(40) >= 30)
    assert (reverse.value, reverse.low, reverse.high) == pytest.approx((0, 0, 1 - exact.low))


@pytest.mark.parametrize("measure", [delong.areas, delong.interval])
@pytest.mark.parametrize("scores", [[1.0, np.nan, 2.0], [1.0, 2.0]])
def test_scores_must_be_finite_and_as_many_as_labels(scores: list[float], measure: Callable[..., object]) -> None:
    """Neither a missing score nor a missing label is passed over."""
    with pytest.raises(ValueError, match=r"finite|labels"):
        measure(scores, [0, 1, 0])


def test_labels_are_not_scores() -> None:
    """Arguments the wrong way round are refused."""
    p, y = drawn(20, 0)
    with pytest.raises(ValueError, match="0 or 1"):
        delong.interval(y, p)


def test_the_paired_test_is_that_of_all_pairs() -> None:
    """Difference, z and p from the covariance of the definition."""
    p, y = drawn(150, 1)
    q = np.round(p + np.random.default_rng(1).normal(0, 0.2, 150), 1)
    areas, covariance = by_definition(np.array([p, q]), y)
    z = (areas[0] - areas[1]) / np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    found = comparison.paired_auc_test(p, q, y)
    assert found.difference.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert (found.z, found.p) == pytest.approx((z, 2 * scipy_stats.norm.sf(abs(z))), abs=1e-9)
    assert found.difference.covers(0) == (found.p > 0.05)


def test_two_scores_of_one_order_do_not_differ() -> None:
    """A rising change of scale leaves z at 0 and p at 1."""
    p, y = drawn(60, 2)
    found = comparison.paired_auc_test(p, p**3, y)
    assert (found.difference.value, found.z, found.p) == (0, 0, 1)


def test_equality_of_two_areas_is_the_paired_test() -> None:
    """With two scores chi-squared is z squared, and both p-values are one."""
    p, y = drawn(120, 3)
    q = p + np.random.default_rng(3).normal(0, 0.3, 120)
    both, pair = comparison.equal_areas([p, q], y), comparison.paired_auc_test(p, q, y)
    assert (both.chi_squared, both.p) == pytest.approx((pair.z**2, pair.p))
    assert both.degrees_of_freedom == 1


def test_equality_of_many_areas_does_not_depend_on_their_order() -> None:
    """Any of them may be the one that the others are compared with; a copy adds no degree of freedom."""
    rng = np.random.default_rng(4)
    p, y = drawn(200, 4)
    scores = p + rng.normal(0, 0.3, (3, 200))
    found, turned = comparison.equal_areas(scores, y), comparison.equal_areas(scores[::-1], y)
    assert found.chi_squared == pytest.approx(turned.chi_squared)
    assert found.degrees_of_freedom == 2
    assert comparison.equal_areas([scores[0], scores[0], scores[1]], y).degrees_of_freedom == 1
    assert comparison.equal_areas([p, p], y).p == 1
