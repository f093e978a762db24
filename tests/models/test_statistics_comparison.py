"""Adjusted p-values and paired differences against other implementations."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed (extra: train)")
multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed (group: dev)")

from models.statistics import comparison, delong, scores
from tests.predictions import drawn

P_VALUES = pytest.mark.parametrize("p", [np.round(np.random.default_rng(i).random(i + 1) ** 3, 2) for i in range(8)])


@P_VALUES
def test_holm_is_that_of_statsmodels(p: np.ndarray) -> None:
    """In the order given, never above 1."""
    assert comparison.holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], abs=1e-9)


@P_VALUES
def test_benjamini_hochberg_is_that_of_statsmodels(p: np.ndarray) -> None:
    """In the order given, never above 1."""
    known = multitest.multipletests(p, method="fdr_bh")[1]
    assert comparison.benjamini_hochberg(p) == pytest.approx(known, abs=1e-9)


def test_no_question_needs_no_adjustment() -> None:
    """Without p-values there is nothing to adjust."""
    assert comparison.holm([]).size == comparison.benjamini_hochberg([]).size == 0


def test_a_bootstrap_difference_agrees_with_delong() -> None:
    """The two intervals of the same difference have about the same ends."""
    p, y = drawn(500, 5)
    q = p + np.random.default_rng(5).normal(0, 0.3, 500)
    known = comparison.paired_auc_test(p, q, y).difference
    (found,) = comparison.paired_differences([delong.area], p, q, y, seed=0, draws=400)
    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.015)


def test_a_model_does_not_differ_from_itself() -> None:
    """Pairing leaves no luck: every sample's difference is 0."""
    p, y = drawn(100, 6)
    for found in comparison.paired_differences([scores.brier, scores.log_loss], p, p, y, seed=0, draws=20):
        assert (found.value, found.low, found.high) == (0, 0, 0)
