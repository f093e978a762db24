"""No patient is on both sides of any split, and every split comes again by its seed."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: train)")

from models.statistics import splits

SEEDS = st.integers(0, 1000)


def table(seed: int, rows: int = 120, patients: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, patients, sites and years of rows, several a patient."""
    rng = np.random.default_rng(seed)
    groups = np.concatenate((np.arange(patients), rng.integers(0, patients, rows - patients)))
    return rng.random(rows) < 0.4, groups, rng.integers(0, 3, rows), rng.integers(2000, 2010, rows)


def assert_apart(found: Iterable[splits.Split], groups: np.ndarray) -> None:
    """Both sides hold somebody, and nobody is on both."""
    for s in found:
        assert len(s.train) and len(s.test)
        assert not set(groups[s.train]) & set(groups[s.test])


@given(SEEDS)
def test_no_patient_is_on_both_sides(seed: int) -> None:
    """Of folds, of folds inside folds, of sites and of times."""
    labels, groups, sites, years = table(seed)
    outer = list(splits.repeated_folds(labels, groups=groups, folds=3, repeats=2, seed=seed))
    assert_apart(outer, groups)
    inner = list(splits.nested(outer[0], labels, groups=groups, folds=3, seed=seed))
    assert_apart(inner, groups)
    assert all(set(s.train) | set(s.test) == set(outer[0].train) for s in inner)
    assert_apart(splits.leave_one_site_out(sites, groups=groups), groups)
    assert_apart([splits.temporal(years, groups=groups)], groups)


@given(SEEDS)
def test_each_row_is_held_out_once_a_repeat(seed: int) -> None:
    """Folds share out all rows, and both sides of a split are all of them."""
    labels, groups, _, _ = table(seed)
    found = list(splits.repeated_folds(labels, groups=groups, folds=4, repeats=2, seed=seed))
    for repeat in (0, 1):
        held = np.concatenate([s.test for s in found if s.repeat == repeat])
        assert np.array_equal(np.sort(held), np.arange(len(labels)))
        folds = splits.fold_of([s for s in found if s.repeat == repeat], len(labels))
        assert all(np.array_equal(np.flatnonzero(folds == s.fold), s.test) for s in found if s.repeat == repeat)
    assert all(len(s.train) + len(s.test) == len(labels) for s in found)


def test_who_is_never_held_out_is_in_no_fold() -> None:
    """A temporal split scores the later rows alone."""
    assert splits.fold_of([splits.temporal([1, 1, 2])], 3).tolist() == [-1, -1, 0]


def test_folds_have_the_same_share_of_positive_patients() -> None:
    """Their numbers differ by one at most."""
    labels = np.arange(103) < 31
    positives = [labels[s.test].sum() for s in splits.repeated_folds(labels, folds=5, seed=0)]
    assert max(positives) - min(positives) <= 1


def test_splits_depend_on_seed_and_repeat_alone() -> None:
    """More repeats leave the first ones as they were; repeats and seeds differ."""
    labels, groups, _, _ = table(0)

    def tests(repeats: int, seed: int) -> list[list[int]]:
        found = splits.repeated_folds(labels, groups=groups, folds=3, repeats=repeats, seed=seed)
        return [s.test.tolist() for s in found]

    assert tests(3, 7)[:3] == tests(1, 7)
    assert tests(2, 7)[:3] != tests(2, 7)[3:]
    assert tests(1, 7) != tests(1, 8)


def test_nested_folds_without_groups_are_of_rows() -> None:
    """A table with one row a patient needs no groups."""
    labels = np.arange(60) % 3 == 0
    (outer, *_) = splits.repeated_folds(labels, folds=3, seed=0)
    inner = list(splits.nested(outer, labels, folds=2, seed=0))
    assert sorted(np.concatenate([s.test for s in inner])) == sorted(outer.train)


def test_too_few_patients_make_no_folds() -> None:
    """Four positive patients cannot be in five folds."""
    with pytest.raises(ValueError, match="5 folds"):
        list(splits.repeated_folds(np.arange(40) < 4, folds=5, seed=0))


def test_each_site_is_scored_by_the_others() -> None:
    """Who was seen at both sites is scored at each and learnt from for neither."""
    sites, groups = np.array(["A", "A", "B", "B", "C"]), np.array([1, 2, 2, 3, 4])
    found = {s.site: (s.train.tolist(), s.test.tolist()) for s in splits.leave_one_site_out(sites, groups=groups)}
    assert found == {"A": ([3, 4], [0, 1]), "B": ([0, 4], [2, 3]), "C": ([0, 1, 2, 3], [4])}


def test_one_site_cannot_be_left_out() -> None:
    """There would be nobody to learn from."""
    with pytest.raises(ValueError, match="at least two"):
        list(splits.leave_one_site_out(["A", "A"]))


def test_later_patients_are_scored_by_earlier_ones() -> None:
    """A moment lies on one side, and who is seen on both sides is scored later and not learnt from."""
    years, groups = np.array([2003, 2001, 2002, 2002, 2001]), np.array([1, 2, 3, 1, 1])
    found = splits.temporal(years, groups=groups, later=0.3)
    assert (found.train.tolist(), found.test.tolist()) == ([1], [0, 2, 3])


def test_dates_are_times() -> None:
    """Days are compared as numbers are."""
    days = np.array(["2020-01-05", "2020-01-01", "2020-02-01"], "datetime64[D]")
    assert splits.temporal(days, later=0.34).test.tolist() == [0, 2]
    assert splits.temporal([1, 1, 1, 2]).test.tolist() == [3]


def test_a_missing_time_is_not_early() -> None:
    """Neither a number nor a date may be missing."""
    with pytest.raises(ValueError, match="every row"):
        splits.temporal([1.0, np.nan])
    with pytest.raises(ValueError, match="every row"):
        splits.temporal(np.array(["2020-01-01", "NaT"], "datetime64[D]"))


def test_one_moment_has_no_later() -> None:
    """There would be nobody to learn from."""
    with pytest.raises(ValueError, match="more than one moment"):
        splits.temporal([3, 3, 3])
