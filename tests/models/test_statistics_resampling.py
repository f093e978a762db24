"""Patients are drawn and dealt whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.statistics import delong, resampling
from tests.predictions import drawn

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30)


@given(ROWS, st.booleans(), st.integers(0, 5))
def test_a_patient_comes_with_all_rows_or_none(rows: list[tuple[int, bool]], stratify: bool, seed: int) -> None:
    """In every sample, each patient's rows appear equally often, and as many patients are drawn as there are."""
    groups, labels = np.array([g for g, _ in rows]), np.array([y for _, y in rows])
    for sample in resampling.samples(labels, groups=groups, seed=seed, draws=3, stratify=stratify):
        times = np.bincount(sample, minlength=len(rows))
        per_patient = [set(times[groups == g]) for g in np.unique(groups)]
        assert all(len(t) == 1 for t in per_patient)
        assert sum(t.pop() for t in per_patient) == len(np.unique(groups))


@given(ROWS, st.integers(0, 5))
def test_stratified_samples_keep_the_number_of_positive_patients(rows: list[tuple[int, bool]], seed: int) -> None:
    """Who has a positive row is replaced by who has one."""
    groups, labels = np.array([g for g, _ in rows]), np.array([y for _, y in rows])
    first = np.array([np.flatnonzero(groups == g)[0] for g in np.unique(groups)])
    some = np.array([labels[groups == groups[r]].any() for r in first])
    for sample in resampling.samples(labels, groups=groups, seed=seed, draws=3, stratify=True):
        assert np.bincount(sample, minlength=len(rows))[first][some].sum() == some.sum()


def test_samples_depend_on_the_seed_alone() -> None:
    """The same seed draws the same, another one other patients."""
    _, y = drawn(50, 0)
    one, same, other = (next(resampling.samples(y, seed=s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_interval_of_a_mean_is_its_standard_error() -> None:
    """Within Monte-Carlo error the percentile interval is the mean ± 1.96 standard errors."""
    x = np.random.default_rng(0).standard_normal(400)
    found = resampling.bootstrap(lambda rows: float(x[rows].mean()), x > 0, seed=0, draws=2000)
    half = 1.96 * x.std() / 20
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.012)


def test_the_interval_of_an_area_agrees_with_delong() -> None:
    """The stratified bootstrap has about the ends of the analytic interval."""
    p, y = drawn(400, 1)
    known = delong.interval(p, y)
    found = resampling.bootstrap(lambda rows: delong.area(p[rows], y[rows]), y, seed=0, draws=600, stratify=True)
    assert (found.value, found.low, found.high) == pytest.approx((known.value, known.low, known.high), abs=0.012)


def test_rows_of_one_patient_say_no_more_than_one_of_them() -> None:
    """Ten copies of each row leave the interval as wide as it was; taken for patients they would narrow it."""
    x = np.random.default_rng(2).standard_normal(200)
    many, patients = np.repeat(x, 10), np.repeat(np.arange(200), 10)

    def width(values: np.ndarray, groups: np.ndarray | None) -> float:
        found = resampling.bootstrap(
            lambda rows: float(values[rows].mean()), values > 0, groups=groups, seed=0, draws=500
        )
        return found.high - found.low

    assert width(many, patients) == pytest.approx(width(x, None), rel=0.1)
    assert width(many, None) == pytest.approx(width(x, None) / np.sqrt(10), rel=0.1)


def test_samples_without_an_answer_are_left_out() -> None:
    """A statistic undefined in few samples has an interval, one undefined in most has none."""
    y = np.arange(10) < 1
    some = resampling.bootstrap(lambda rows: float(len(rows)) if y[rows].any() else np.nan, y, seed=0, draws=200)
    none = resampling.bootstrap(lambda rows: 1.0 if y[rows].sum() > 2 else np.nan, y, seed=0, draws=200)
    assert (some.low, some.high) == (10, 10)
    assert np.isnan([none.low, none.high]).all()


@given(ROWS, st.integers(0, 5))
def test_dealt_outcomes_are_the_same_ones(rows: list[tuple[int, bool]], seed: int) -> None:
    """Patients of as many rows exchange their outcomes whole."""
    groups, labels = np.array([g for g, _ in rows]), np.array([y for _, y in rows])
    dealt = resampling.permuted(labels, groups=groups, seed=seed)

    def hands(known: np.ndarray) -> list[tuple[bool, ...]]:
        return sorted(tuple(known[groups == g].tolist()) for g in np.unique(groups))

    assert hands(dealt) == hands(labels)


def test_permuted_labels_leave_nothing_to_find() -> None:
    """Of 20 seeds at least 17 have 0.5 in their interval, and the mean area is 0.48 to 0.52."""
    p, y = drawn(400, 3, spread=2.0)
    found = [delong.interval(p, resampling.permuted(y, seed=s)) for s in range(20)]
    assert sum(i.covers(0.5) for i in found) >= 17
    assert 0.48 <= np.mean([i.value for i in found]) <= 0.52


def test_a_permutation_test_finds_what_is_there() -> None:
    """A model that knows has the smallest p there is, noise does not."""
    p, y = drawn(200, 4, spread=2.0)
    noise = np.random.default_rng(5).random(200)
    assert resampling.permutation_p(lambda known: delong.area(p, known), y, seed=0, draws=99) == 0.01
    assert resampling.permutation_p(lambda known: delong.area(noise, known), y, seed=0, draws=99) > 0.05


def test_groups_are_one_a_row() -> None:
    """A list of patients that does not fit is refused."""
    with pytest.raises(ValueError, match="groups"):
        next(resampling.samples([0, 1, 1], groups=[1, 2], seed=0))
