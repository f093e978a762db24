"""Recalibration: Platt, isotonic or beta, whichever does best on patients it was not fitted on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from sklearn.isotonic import IsotonicRegression

from models.statistics.calibration import logistic, logit, sigmoid
from models.statistics.scores import log_loss
from models.statistics.splits import Split, repeated_folds
from models.statistics.values import Bools, Floats, predicted


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Leave probabilities as they are."""

    def predict(self, probability: Floats) -> Floats:
        """Return what is given."""
        return probability


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model of ln p and -ln(1 - p); with equal weights it is Platt's, scale and shift of the logit."""

    on_log: float
    on_log_complement: float
    shift: float

    def predict(self, probability: Floats) -> Floats:
        """Map probabilities (N,) to probabilities (N,)."""
        return sigmoid(_logs(probability) @ [self.on_log, self.on_log_complement] + self.shift)


@dataclass(frozen=True, slots=True)
class Steps:
    """A rising curve through knots, straight between them and flat outside."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def predict(self, probability: Floats) -> Floats:
        """Map probabilities (N,) to probabilities (N,)."""
        return np.interp(probability, self.knots, self.values)


Map = Unchanged | Logistic | Steps


def platt(probability: Floats, positive: Bools) -> Map:
    """Fit scale and shift of the logit (Platt 1999, without his smoothing of the targets)."""
    scale, shift = logistic(logit(probability)[:, None], positive)
    return Logistic(float(scale), float(scale), float(shift))


def beta(probability: Floats, positive: Bools) -> Map:
    """Fit a beta calibration map (Kull 2017): a weight that would be negative is 0 and the rest is fitted again."""
    logs = _logs(probability)
    a, b, shift = logistic(logs, positive)
    if a < 0:
        (b, shift), a = logistic(logs[:, 1:], positive), 0.0
    elif b < 0:
        (a, shift), b = logistic(logs[:, :1], positive), 0.0
    if min(a, b) < 0:  # predictions that are wrong way round: only the prevalence is left
        a, b, shift = 0.0, 0.0, logit(np.array([positive.mean()]))[0]
    return Logistic(float(a), float(b), float(shift))


def isotonic(probability: Floats, positive: Bools) -> Map:
    """Fit the best rising curve (Zadrozny and Elkan 2002), kept off 0 and 1 by Laplace's rule: 1 in N + 2."""
    edge = 1 / (len(positive) + 2)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(probability, positive.astype(float))
    return Steps(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


def unchanged(probability: Floats, positive: Bools) -> Map:
    """Fit nothing."""
    return Unchanged()


METHODS: Mapping[str, Callable[[Floats, Bools], Map]] = {
    "none": unchanged,
    "platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """A fitted recalibration.

    Attributes
    ----------
    method : str
        Which of `METHODS` won.
    losses : dict of str to float
        Log loss of each on held-out patients of the fitting set.
    """

    method: str
    map: Map
    losses: dict[str, float]

    def predict(self, probabilities: ArrayLike) -> Floats:
        """Map probabilities (N,) to recalibrated ones (N,); nothing is fitted."""
        return self.map.predict(np.asarray(probabilities, np.float64))


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Chooses among methods by cross-validated log loss, then fits the best on all it was given.

    Give it held-out predictions of training patients and never those that are scored.
    """

    seed: int
    folds: int = 5
    repeats: int = 2
    methods: tuple[str, ...] = field(default=tuple(METHODS))

    def fit(self, probabilities: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None) -> Recalibrated:
        """Choose and fit; of equals the first in `methods` wins.

        Parameters
        ----------
        probabilities, labels : array (N,)
        groups : array (N,), optional
            The patient of each row.

        Raises
        ------
        ValueError
            If an outcome has fewer patients than there are folds.
        """
        found, positive = predicted(probabilities, labels)
        splits = list(repeated_folds(positive, groups=groups, folds=self.folds, repeats=self.repeats, seed=self.seed))
        losses = {name: _held_out_loss(METHODS[name], found, positive, splits) for name in self.methods}
        best = min(losses, key=losses.__getitem__)
        return Recalibrated(best, METHODS[best](found, positive), losses)


def _held_out_loss(fit: Callable[[Floats, Bools], Map], found: Floats, positive: Bools, splits: list[Split]) -> float:
    parts = [log_loss(fit(found[s.train], positive[s.train]).predict(found[s.test]), positive[s.test]) for s in splits]
    return float(np.average(parts, weights=[len(s.test) for s in splits]))


def _logs(probability: Floats) -> Floats:
    """Logarithms ln p and -ln(1 - p) (N, 2), finite at 0 and 1; their sum is the logit."""
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.column_stack((np.log(inside), -np.log1p(-inside)))
