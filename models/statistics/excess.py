"""Share of the excess over chance that a model keeps, against the best possible on the same patients."""

import numpy as np
from numpy.typing import NDArray

from models.phantom.bayes import share_of_excess
from models.statistics.delong import area
from models.statistics.values import Bools, Floats, Interval


def paired_share(
    probability: Floats, ideal: Floats, positive: Bools, rng: np.random.Generator, draws: int = 500
) -> Interval:
    """Share of the excess that the true posterior reaches on the same patients, with a bootstrap interval.

    Samples in which even the truth tells nobody apart, or all have one outcome, as a handful of patients may be, are
    left out of the interval.

    Parameters
    ----------
    probability, ideal : array (N,)
        What the model says and what is true, P(positive) given the same evidence.
    positive : array (N,)
    """
    count = len(positive)

    def share(rows: NDArray[np.intp]) -> float:
        known = positive[rows]
        best = area(ideal[rows], known)
        return share_of_excess(area(probability[rows], known), best) if best != 0.5 else np.nan

    low, high = np.nanpercentile([share(rng.integers(0, count, count)) for _ in range(draws)], [2.5, 97.5])
    return Interval(share(np.arange(count)), float(low), float(high))
