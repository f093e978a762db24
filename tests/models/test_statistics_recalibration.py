"""Recalibration against scikit-learn and what was distorted."""

import json
from dataclasses import asdict

import numpy as np
import pytest

linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed (extra: train)")
sklearn_isotonic = pytest.importorskip("sklearn.isotonic")

from models.statistics import recalibration as r
from models.statistics.calibration import logit, sigmoid
from models.statistics.scores import log_loss
from tests.predictions import drawn

GRID = np.linspace(0, 1, 41)


def unpenalised(x: np.ndarray, y: np.ndarray) -> "linear.LogisticRegression":
    """Another's logistic regression, without a penalty."""
    return linear.LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(x, y)


def test_platt_is_a_logistic_regression_on_the_logit() -> None:
    """The same curve as scikit-learn's without a penalty."""
    p, y = drawn(500, 0)
    known = unpenalised(logit(p)[:, None], y).predict_proba(logit(GRID)[:, None])[:, 1]
    assert r.platt(p, y).predict(GRID) == pytest.approx(known, abs=1e-5)


def test_beta_is_a_logistic_regression_on_both_logarithms() -> None:
    """The same curve as scikit-learn's, where both weights are positive."""
    p, y = drawn(800, 1)
    inside = GRID[1:-1]
    x, at = (np.column_stack((np.log(v), -np.log1p(-v))) for v in (p, inside))
    assert r.beta(p, y).predict(inside) == pytest.approx(unpenalised(x, y).predict_proba(at)[:, 1], abs=1e-4)


@pytest.mark.parametrize(("outcome", "zero"), [(0, "on_log"), (1, "on_log_complement")])
def test_beta_never_falls(outcome: int, zero: str) -> None:
    """A weight that would be negative is 0, on either side."""
    p = np.concatenate((np.linspace(0.02, 0.98, 200), np.full(30, 0.01 if outcome == 0 else 0.99)))
    y = np.concatenate((np.linspace(0.02, 0.98, 200) > 0.5, np.full(30, outcome == 0)))
    y[:200] ^= np.random.default_rng(0).random(200) < 0.2
    found = r.beta(p, y)
    assert isinstance(found, r.Logistic)
    assert getattr(found, zero) == 0
    assert (np.diff(found.predict(GRID)) >= 0).all()


def test_beta_of_what_is_wrong_way_round_is_the_prevalence() -> None:
    """Nothing is left to learn but how many there are."""
    p, y = drawn(400, 2, spread=2)
    assert r.beta(1 - p, y).predict(GRID) == pytest.approx(np.full(41, y.mean()))


def test_isotonic_is_that_of_scikit_learn() -> None:
    """The same rising curve, off 0 and 1 by Laplace's rule, so that its log loss is finite."""
    p, y = drawn(300, 3)
    known = sklearn_isotonic.IsotonicRegression(out_of_bounds="clip").fit(p, y * 1.0).predict(GRID)
    assert r.isotonic(p, y).predict(GRID) == pytest.approx(np.clip(known, 1 / 302, 301 / 302), abs=1e-9)


def test_bold_predictions_are_calmed_and_good_ones_left() -> None:
    """Of tripled logits the loss on new patients falls to nearly the best possible."""
    (p, y), (fresh, known) = drawn(1500, 4), drawn(3000, 5)
    bold, new = sigmoid(3 * logit(p)), sigmoid(3 * logit(fresh))
    fitted = r.Recalibration(seed=0).fit(bold, y)
    assert fitted.method in ("platt", "beta")
    assert fitted.losses["none"] > fitted.losses[fitted.method] + 0.05
    assert log_loss(fitted.predict(new), known) < log_loss(fresh, known) + 0.005
    assert r.Recalibration(seed=0).fit(p, y).losses["none"] < fitted.losses["none"]


def test_a_bent_curve_needs_isotonic() -> None:
    """Where a step is the truth no smooth map is chosen."""
    rng = np.random.default_rng(6)
    p = rng.random(3000)
    y = rng.random(3000) < np.where(p < 0.3, 0.1, np.where(p < 0.7, 0.5, 0.55))
    assert r.Recalibration(seed=0).fit(p, y).method == "isotonic"


def test_the_choice_depends_on_the_seed_alone_and_predicting_fits_nothing() -> None:
    """Fitted twice it is the same; a prediction does not depend on who else is scored."""
    p, y = drawn(200, 7)
    one, same = (r.Recalibration(seed=3).fit(p, y) for _ in range(2))
    assert one == same
    assert one.predict(p)[:5] == pytest.approx(one.predict(p[:5]))
    assert json.dumps(asdict(one))


def test_the_choice_is_among_what_is_asked_for() -> None:
    """A bundle that can only scale and shift asks for Platt alone."""
    p, y = drawn(100, 8)
    assert r.Recalibration(seed=0, methods=("platt",)).fit(p, y).method == "platt"


def test_none_leaves_probabilities_as_they_are() -> None:
    """Chosen where nothing else does better."""
    p, y = drawn(100, 9)
    fitted = r.Recalibration(seed=0, methods=("none",)).fit(p, y)
    assert np.array_equal(fitted.predict(p), p)
