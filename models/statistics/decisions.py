"""Decision curves: what acting on a model is worth, against biopsying everyone and no one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.resampling import bootstrap_all
from models.statistics.values import Bools, Floats, Interval, Rows, predicted


@dataclass(frozen=True, slots=True)
class Decision:
    """Net benefit at one threshold probability, in true positives a patient.

    Attributes
    ----------
    advantage : Interval
        Of the model over the better of treating all and none.
    interventions_avoided : Interval
        Against treating all, in 100 patients, without missing a positive more.
    """

    threshold: float
    model: Interval
    treat_all: Interval
    advantage: Interval
    interventions_avoided: Interval
    treat_none: float = 0.0


def decision_curve(
    probabilities: ArrayLike,
    labels: ArrayLike,
    thresholds: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> list[Decision]:
    """Find the net benefit over thresholds (Vickers and Elkin 2006; avoided interventions as Vickers 2008).

    Parameters
    ----------
    thresholds : array (T,)
        Probabilities in (0, 1); who is at or above is treated.

    Raises
    ------
    ValueError
        If a threshold is not inside (0, 1).
    """
    found, positive = predicted(probabilities, labels)
    at = np.asarray(thresholds, np.float64)
    if ((at <= 0) | (at >= 1)).any():
        raise ValueError("threshold probabilities lie inside (0, 1)")

    def benefits(rows: Rows) -> Floats:
        model, everyone = net_benefit(found[rows], positive[rows], at), treat_all(positive[rows], at)
        avoided = 100 * (model - everyone) * (1 - at) / at
        return np.concatenate((model, everyone, model - np.maximum(everyone, 0.0), avoided))

    rows = bootstrap_all(benefits, positive, groups=groups, seed=seed, draws=draws)
    columns = [rows[i * len(at) : (i + 1) * len(at)] for i in range(4)]
    return [Decision(float(t), *parts) for t, *parts in zip(at, *columns, strict=True)]


def net_benefit(probability: Floats, positive: Bools, thresholds: Floats) -> Floats:
    """Net benefit TP/N - FP/N · t/(1 - t) of treating at or above each threshold (T,)."""
    called = len(probability) - np.searchsorted(np.sort(probability), thresholds)
    hits = int(positive.sum()) - np.searchsorted(np.sort(probability[positive]), thresholds)
    return np.asarray((hits - (called - hits) * thresholds / (1 - thresholds)) / len(probability))


def treat_all(positive: Bools, thresholds: Floats) -> Floats:
    """Net benefit of treating everyone (T,)."""
    prevalence = positive.mean()
    return np.asarray(prevalence - (1 - prevalence) * thresholds / (1 - thresholds))
