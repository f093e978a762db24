"""Operating points: exact intervals, and thresholds that other patients choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed (extra: train)")
metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed (extra: train)")

from models.statistics import operating
from models.statistics.operating import Goal
from tests.predictions import drawn

TRIALS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SENSITIVE, SPECIFIC = Goal("sensitivity", 0.9), Goal("specificity", 0.9)


@given(TRIALS)
def test_intervals_of_shares_are_those_of_scipy(share: tuple[int, int]) -> None:
    """Clopper and Pearson's, at the ends too."""
    exact = stats.binomtest(*share).proportion_ci(0.95, "exact")
    found = operating.clopper_pearson(*share)
    assert (found.value, found.low, found.high) == pytest.approx((share[0] / share[1], exact.low, exact.high), abs=1e-9)


def test_no_trial_says_nothing() -> None:
    """The share of none is undefined and may be anything."""
    found = operating.clopper_pearson(0, 0)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0, 1)


@given(st.integers(0, 100), st.sampled_from([0.2, 0.5, 0.8]))
def test_measures_are_those_of_scikit_learn(seed: int, threshold: float) -> None:
    """Sensitivity, specificity, predictive values and avoided biopsies from another's two-by-two table."""
    p, y = drawn(60, seed)
    found = operating.at_fixed(p, y, threshold)
    tn, fp, fn, tp = metrics.confusion_matrix(y, p >= threshold, labels=[False, True]).ravel()
    wanted = [tp / (tp + fn), tn / (tn + fp), metrics.precision_score(y, p >= threshold, zero_division=np.nan)]
    wanted += [metrics.precision_score(~y, p < threshold, zero_division=np.nan), (tn + fn) / 60]
    assert [i.value for i in found.exact.values()] == pytest.approx(wanted, nan_ok=True)
    assert tuple(found.exact) == operating.MEASURES
    assert found.chosen_again == {}


@given(st.integers(0, 200), st.sampled_from([0.5, 0.9, 0.95, 1.0]), st.booleans())
def test_a_goal_is_reached_where_it_is_set_and_no_further_threshold_reaches_it(
    seed: int, level: float, sensitive: bool
) -> None:
    """The next threshold towards the other measure would miss the goal; probabilities of 0 and 1 are no exception."""
    p, y = drawn(50, seed)
    p = np.round(p, 1)
    measure = "sensitivity" if sensitive else "specificity"
    threshold = Goal(measure, level).threshold(p, y)
    assert operating.at_fixed(p, y, threshold).exact[measure].value >= level - 1e-12
    beyond = np.unique(p[p > threshold])[:1] if sensitive else np.unique(p[p < threshold])[-1:]
    for other in beyond:
        assert operating.at_fixed(p, y, float(other)).exact[measure].value < level


@pytest.mark.parametrize(("measure", "level"), [("accuracy", 0.9), ("sensitivity", 0.0), ("specificity", 1.1)])
def test_a_goal_is_a_sensitivity_or_a_specificity(measure: str, level: float) -> None:
    """Other measures and levels outside (0, 1] are refused."""
    with pytest.raises(ValueError, match="a goal is"):
        Goal(measure, level)


def test_a_threshold_comes_from_those_who_set_it() -> None:
    """What is found on the scored patients does not move it."""
    (before, set_on), (after, scored) = drawn(300, 1), drawn(200, 2)
    (found,) = operating.transported(before, set_on, after, scored, [SENSITIVE], seed=0, draws=50)
    assert found.thresholds == (SENSITIVE.threshold(before, set_on),)
    assert found.counts == operating.count(after, scored, found.thresholds[0])
    assert found.exact == operating.at_fixed(after, scored, found.thresholds[0]).exact


def test_each_fold_is_judged_by_the_thresholds_of_the_others() -> None:
    """Outcomes of a fold do not touch the threshold that judges it."""
    p, y = drawn(200, 3)
    folds = np.arange(200) % 4
    sensitive, specific = operating.cross_fitted(p, y, folds, [SENSITIVE, SPECIFIC], seed=0, draws=20)
    counts = np.zeros(4, int)
    for k in range(4):
        threshold = SENSITIVE.threshold(p[folds != k], y[folds != k])
        assert sensitive.thresholds[k] == threshold
        c = operating.count(p[folds == k], y[folds == k], threshold)
        counts += [c.true_positive, c.false_positive, c.true_negative, c.false_negative]
    assert sensitive.counts == operating.Counts(*counts.tolist())
    assert specific.thresholds[0] == SPECIFIC.threshold(p[folds != 0], y[folds != 0])
    turned = np.where(folds == 0, ~y, y)
    assert (
        operating.cross_fitted(p, turned, folds, [SENSITIVE], seed=0, draws=2)[0].thresholds[0]
        == (sensitive.thresholds[0])
    )


def test_choosing_a_threshold_is_uncertain_too() -> None:
    """The interval that chooses again is wider than the exact one, which takes the threshold as given."""
    (before, set_on), (after, scored) = drawn(80, 4), drawn(2000, 5)
    (found,) = operating.transported(before, set_on, after, scored, [SENSITIVE], seed=0, draws=200)
    again, exact = found.chosen_again["biopsies_avoided"], found.exact["biopsies_avoided"]
    assert again.low <= again.value <= again.high
    assert again.high - again.low > 2 * (exact.high - exact.low)


def test_the_interval_that_chooses_again_covers_what_choosing_gives() -> None:
    """Of 60 studies of 150 patients about 95 % of its intervals hold what studies give on average."""
    folds = np.arange(150) % 3
    studies = [
        operating.cross_fitted(*drawn(150, s), folds, [SENSITIVE], seed=0, draws=60)[0].chosen_again["biopsies_avoided"]
        for s in range(60)
    ]
    truth = float(np.mean([i.value for i in studies]))
    assert np.mean([i.covers(truth) for i in studies]) >= 0.85


def test_patients_of_several_rows_are_drawn_whole() -> None:
    """Groups of either part are other patients, even where they are named alike."""
    p, y = drawn(120, 6)
    groups = np.arange(120) // 2
    found = operating.transported(p, y, p, y, [SENSITIVE], set_groups=groups, groups=groups, seed=0, draws=20)
    alone = operating.transported(p, y, p, y, [SENSITIVE], seed=0, draws=20)
    assert found[0].counts == alone[0].counts
    assert found[0].chosen_again != alone[0].chosen_again


def test_a_patient_is_in_one_fold() -> None:
    """Otherwise the threshold would be chosen on the patient it judges."""
    p, y = drawn(20, 7)
    (fine,) = operating.cross_fitted(p, y, np.arange(20) // 10, [SENSITIVE], groups=np.arange(20) // 2, seed=0, draws=2)
    assert len(fine.thresholds) == 2
    with pytest.raises(ValueError, match="two folds"):
        operating.cross_fitted(p, y, np.arange(20) % 2, [SENSITIVE], groups=np.arange(20) // 2, seed=0)


def test_one_fold_has_no_others() -> None:
    """There is nobody else to choose on."""
    p, y = drawn(20, 8)
    with pytest.raises(ValueError, match="two folds"):
        operating.cross_fitted(p, y, np.zeros(20), [SENSITIVE], seed=0)


def test_folds_without_positives_leave_a_sensitivity_unknown() -> None:
    """A threshold that nobody can choose is NaN, calls nobody and has no interval."""
    (found,) = operating.cross_fitted([0.1, 0.9, 0.2, 0.8], [0, 1, 0, 1], [0, 1, 0, 1], [SENSITIVE], seed=0, draws=5)
    assert np.isnan(found.thresholds[1])
    assert np.isnan(found.chosen_again["sensitivity"].low)
