"""Every system by its name: linear, trees, a kernel and networks, each with the same number of settings to try."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from models.statistics.calibration import sigmoid
from models.tables.table import Bools, Fact, Floats
from models.tabular.deep import DEEP, Deep
from models.tabular.encode import Encoder

Setting = Mapping[str, Any]
BUDGET: Final = 4
"""Settings that each system tries in each training part."""


class Model(Protocol):
    """What learns from some rows and then answers for others; it never sees the rows it answers for."""

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn from rows (N, F), NaN where not known, and their labels (N,)."""

    def probabilities(self, values: Floats) -> Floats:
        """Return the probability of a positive label (N,)."""


@dataclass(frozen=True)
class System:
    """One way to learn: settings to choose among, and how a model is made of one."""

    name: str
    settings: tuple[Setting, ...]
    make: Callable[[Sequence[Fact], Setting, int], Model]
    simple: bool = False  # of those that the served model is chosen from


class Encoded:
    """An estimator of scikit-learn on encoded facts."""

    def __init__(self, encoder: Encoder, estimator: Any) -> None:
        self.encoder, self._estimator = encoder, estimator

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn the encoding and the estimator from the same rows."""
        self._estimator.fit(self.encoder.fit(values).transform(values), labels)

    def probabilities(self, values: Floats) -> Floats:
        """Answer by the estimator's logit; a margin counts as one until it is recalibrated."""
        return np.asarray(sigmoid(self._estimator.decision_function(self.encoder.transform(values))))


class Linear(Encoded):
    """A logistic regression on encoded facts, which also says how surely it knows its own logit."""

    covariance: Floats  # (K + 1, K + 1) of the coefficients, the intercept last

    @property
    def weights(self) -> Floats:
        """Coefficients of the encoded columns (K,)."""
        return np.asarray(self._estimator.coef_[0], np.float64)

    @property
    def intercept(self) -> float:
        """Logit of a patient of whom nothing is known."""
        return float(self._estimator.intercept_[0])

    def spreads(self, values: Floats) -> Floats:
        """Return the standard deviation of the logit (N,), by Laplace's approximation around the coefficients."""
        design = with_intercept(self.encoder.transform(values))
        return np.asarray(np.sqrt(np.einsum("nk,kl,nl->n", design, self.covariance, design)))

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn the encoding, the coefficients and their covariance."""
        super().fit(values, labels)
        design = with_intercept(self.encoder.transform(values))
        chance = self.probabilities(values)
        precision = np.eye(design.shape[1]) / self._estimator.C
        precision[-1, -1] = 0  # the intercept is not drawn to 0
        self.covariance = np.linalg.inv((design * (chance * (1 - chance))[:, None]).T @ design + precision)


def with_intercept(design: Floats) -> Floats:
    """Return the columns and, last, ones."""
    return np.column_stack((design, np.ones(len(design))))


class Trees:
    """An ensemble of trees on the values as they are: it deals with what is missing itself."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn."""
        self._estimator.fit(values, labels)

    def probabilities(self, values: Floats) -> Floats:
        """Answer."""
        return np.asarray(self._estimator.predict_proba(values)[:, 1], np.float64)


def linear(facts: Sequence[Fact], setting: Setting, seed: int) -> Model:
    """Make a logistic regression: C its inverse ridge; knots, crossed and gaps those of its encoder."""
    encoder = Encoder(
        facts, setting.get("knots", 0), crossed=setting.get("crossed", False), gaps=setting.get("gaps", True)
    )
    return Linear(encoder, LogisticRegression(C=setting["C"], max_iter=2000))


def _elastic_net(facts: Sequence[Fact], setting: Setting, seed: int) -> Model:
    estimator = LogisticRegression(
        C=setting["C"], l1_ratio=setting["l1_ratio"], solver="saga", tol=1e-3, max_iter=5000, random_state=seed
    )
    return Linear(Encoder(facts, knots=3), estimator)


def _forest(facts: Sequence[Fact], setting: Setting, seed: int) -> Model:
    return Trees(RandomForestClassifier(150, random_state=seed, max_features="sqrt", **setting))


def _boosting(facts: Sequence[Fact], setting: Setting, seed: int) -> Model:
    categories = [fact.is_category for fact in facts]
    return Trees(
        HistGradientBoostingClassifier(
            max_iter=150,
            min_samples_leaf=20,
            l2_regularization=1.0,
            categorical_features=categories,
            early_stopping=True,
            n_iter_no_change=10,
            random_state=seed,
            **setting,
        )
    )


def _svm(facts: Sequence[Fact], setting: Setting, seed: int) -> Model:
    return Encoded(Encoder(facts), SVC(C=setting["C"], gamma=setting["gamma"], random_state=seed))


def grid(**choices: Sequence[Any]) -> tuple[Setting, ...]:
    """Return every combination of choices."""
    names = tuple(choices)
    return tuple(MappingProxyType(dict(zip(names, chosen, strict=True))) for chosen in product(*choices.values()))


_LISTED: Final = (
    System("logistic", grid(C=(0.03, 0.1, 0.3, 1.0)), linear, simple=True),
    System("splines", grid(C=(0.1, 1.0), knots=(3, 4)), linear, simple=True),
    System("interactions", grid(C=(0.03, 0.1), knots=(0, 4), crossed=(True,)), linear, simple=True),
    System("elastic_net", grid(C=(0.1, 0.5), l1_ratio=(0.2, 0.8)), _elastic_net, simple=True),
    System("forest", grid(min_samples_leaf=(5, 10, 20, 40)), _forest),
    System("boosting", grid(learning_rate=(0.03, 0.1), max_leaf_nodes=(4, 12)), _boosting),
    System("svm", grid(C=(0.1, 1.0), gamma=(0.01, 0.05)), _svm),
    *(System(name, grid(rate=(3e-3, 1e-3), dropout=(0.1, 0.4)), partial(Deep, name)) for name in DEEP),
)

SYSTEMS: Final = MappingProxyType({system.name: system for system in _LISTED})
BASELINE: Final = "logistic"
SIMPLE: Final = tuple(system.name for system in _LISTED if system.simple)
