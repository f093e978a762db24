"""Abstention: are those whom a model is sure of really told apart better."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.statistics.delong import area
from models.statistics.resampling import bootstrap_all
from models.statistics.values import Bools, Floats, Interval, Rows, scored

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class Abstained:
    """What is left when the least certain get no estimate.

    Attributes
    ----------
    asked, share : float
        Share to abstain, and the share that did: patients of equal uncertainty are treated alike, so it may be less.
    gain : Interval
        AUC of the rest minus AUC of all, on the same bootstrap samples.
    """

    asked: float
    share: float
    auc: Interval
    gain: Interval


def abstention_curve(
    scores: ArrayLike,
    labels: ArrayLike,
    uncertainty: ArrayLike,
    *,
    shares: Sequence[float] = SHARES,
    groups: ArrayLike | None = None,
    seed: int,
    draws: int = 1000,
) -> list[Abstained]:
    """Find the AUC of those still answered over the share abstained.

    Every bootstrap sample decides again who abstains.

    Parameters
    ----------
    uncertainty : array (N,)
        Such as the width of each interval; more is less certain.
    """
    found, positive = scored(scores, labels)
    unsure = scored(uncertainty, labels)[0]

    def reached(rows: Rows) -> Floats:
        s, y, u = found[rows], positive[rows], unsure[rows]
        rest = np.array([area(s[k], y[k]) for k in (answered(u, share) for share in shares)])
        return np.concatenate((rest, rest - area(s, y)))

    values = bootstrap_all(reached, positive, groups=groups, seed=seed, draws=draws, stratify=True)
    left = [1 - float(answered(unsure, share).mean()) for share in shares]
    return [Abstained(*one) for one in zip(shares, left, values[: len(shares)], values[len(shares) :], strict=True)]


def answered(uncertainty: Floats, share: float) -> Bools:
    """Tell who is answered when at most this share, the least certain, is not."""
    ordered = np.sort(uncertainty)
    last = int(np.ceil((1 - share) * len(ordered) - 1e-9)) - 1
    return np.asarray(uncertainty <= ordered[max(0, last)])
