"""Subgroups and abstention: who is told apart how well, and who cannot be judged."""

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed (extra: train)")

from models.statistics import calibration, delong, subgroups
from models.statistics.abstention import abstention_curve, answered
from tests.predictions import drawn


def test_a_subgroup_has_the_figures_of_its_patients() -> None:
    """The same AUC and calibration as those patients have alone."""
    p, y = drawn(300, 0)
    sex = np.where(np.arange(300) % 3 == 0, "a", "b")
    first, _ = subgroups.forest(p, y, {"kind": sex})
    inside = sex == "a"
    assert (first.level, first.rows, first.positives) == ("a", 100, int(y[inside].sum()))
    assert first.auc == delong.interval(p[inside], y[inside], logit=True)
    assert first.line == calibration.calibration_line(p[inside], y[inside])
    assert first.in_the_large == calibration.calibration_in_the_large(p[inside], y[inside])


def test_a_small_subgroup_is_said_to_be_small_and_not_dropped() -> None:
    """Nine negatives are too few, ten are enough."""
    p, y = np.linspace(0.1, 0.9, 60), np.tile([True, False], 30)
    site = np.where(np.arange(60) < 18, "small", "large")
    large, small = subgroups.forest(p, y, {"site": site})
    assert (small.level, small.rows, small.positives, small.too_small) == ("small", 18, 9, True)
    assert small.auc is small.in_the_large is small.line is None
    assert not large.too_small
    assert not subgroups.forest(p, y, {"site": site}, fewest=9)[1].too_small


def test_missing_is_a_level_and_comes_last() -> None:
    """None, NaN and nothing are one level; numbers are levels too."""
    p, y = drawn(6, 1)
    rows = subgroups.forest(p, y, {"grade": np.array([None, "z", "", float("nan"), "a", 2], object)})
    assert [(r.level, r.rows) for r in rows] == [("2", 1), ("a", 1), ("z", 1), ("missing", 3)]


def test_every_row_has_a_level() -> None:
    """A variable of other rows is refused by name."""
    with pytest.raises(ValueError, match="levels of grade"):
        subgroups.forest([0.1, 0.2], [0, 1], {"grade": ["a"]})


def test_a_model_that_fails_one_kind_of_patient_is_found_out() -> None:
    """Noise in one half differs from knowledge in the other; halves at random do not; both p-values are adjusted."""
    p, y = drawn(600, 2, spread=2)
    rng = np.random.default_rng(0)
    half = np.arange(600) < 300
    p[half] = rng.random(300)
    rows = subgroups.forest(p, y, {"half": half, "random": rng.random(600) < 0.5, "few": np.arange(600)})
    differs, same, few = subgroups.heterogeneity(rows)
    assert differs.p_holm == pytest.approx(2 * differs.p)
    assert differs.p < 1e-6
    assert same.p > 0.05
    assert (few.levels, np.isnan(few.p), np.isnan(few.p_holm)) == (0, True, True)


def test_two_levels_are_compared_as_two_independent_areas() -> None:
    """Cochran's Q of two is the squared z of their logits."""
    p, y = drawn(400, 3)
    rows = subgroups.forest(p, y, {"half": np.arange(400) < 150})
    ends = [np.array([r.auc.low, r.auc.value, r.auc.high]) for r in rows if r.auc]
    low, value, high = np.log(np.array(ends) / (1 - np.array(ends))).T
    z = (value[0] - value[1]) / np.hypot(*((high - low) / (2 * 1.959963984540054)))
    assert subgroups.heterogeneity(rows)[0].p == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_nobody_asked_nothing_tested() -> None:
    """Without variables there is no forest."""
    p, y = drawn(20, 4)
    assert subgroups.forest(p, y, {}) == subgroups.heterogeneity([]) == []


def test_leaving_out_whom_the_model_knows_nothing_of_helps() -> None:
    """Where uncertainty marks the noise, the rest is told apart better, and the interval says so."""
    p, y = drawn(600, 5, spread=2)
    unsure = np.random.default_rng(1).random(600)
    p[unsure > 0.7] = np.random.default_rng(2).random(int((unsure > 0.7).sum()))
    (found,) = abstention_curve(p, y, unsure, shares=[0.3], seed=0, draws=200)
    rest = answered(unsure, 0.3)
    assert found.auc.value == pytest.approx(delong.interval(p[rest], y[rest]).value)
    assert found.gain.value == pytest.approx(found.auc.value - delong.interval(p, y).value)
    assert found.gain.low > 0
    assert found.share == pytest.approx(0.3)


def test_uncertainty_that_means_nothing_gains_nothing() -> None:
    """A random order of leaving out has a gain whose interval holds 0."""
    p, y = drawn(400, 6)
    curve = abstention_curve(p, y, np.random.default_rng(3).random(400), seed=0, draws=100)
    assert [a.asked for a in curve] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert all(a.gain.covers(0) for a in curve)


def test_patients_alike_are_treated_alike() -> None:
    """Equal uncertainty leaves all in or all out, and never more out than asked for."""
    unsure = np.array([1.0, 2, 2, 2, 3])
    assert answered(unsure, 0.2).tolist() == [True, True, True, True, False]
    assert answered(unsure, 0.5).sum() == 4
    assert answered(unsure, 0.8).tolist() == [True, False, False, False, False]
    assert answered(np.ones(4), 0.5).all()
    assert answered(unsure, 1.0).sum() == 1
