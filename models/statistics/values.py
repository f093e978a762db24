"""What statistics take and give: arrays of scores and outcomes, and values with intervals."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

Z95: Final = 1.959963984540054  # 97.5th percentile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval; NaN where the data do not define one."""

    value: float
    low: float
    high: float

    def covers(self, truth: float) -> bool:
        """Tell whether the interval holds a number."""
        return self.low <= truth <= self.high


def outcomes(labels: ArrayLike, length: int) -> Bools:
    """Take outcomes as booleans.

    Parameters
    ----------
    labels : array (N,)
        0 or 1, or booleans.

    Raises
    ------
    ValueError
        If another number is among them, or if there are not `length` of them.
    """
    known = np.asarray(labels)
    if known.shape != (length,):
        raise ValueError(f"{length} scores need as many labels, not an array of shape {known.shape}")
    if not np.isin(known, (0, 1)).all():
        raise ValueError("labels are 0 or 1")
    return known.astype(bool)


def scored(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Bools]:
    """Take scores of any scale and their outcomes.

    Raises
    ------
    ValueError
        If a score is not finite, or the labels are not 0 or 1 and as many.
    """
    found = np.asarray(scores, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("scores are one finite number a row")
    return found, outcomes(labels, len(found))


def predicted(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Bools]:
    """Take probabilities and their outcomes.

    Raises
    ------
    ValueError
        If a probability lies outside [0, 1], or the labels are not 0 or 1 and as many.
    """
    found, known = scored(probabilities, labels)
    if found.size and (found.min() < 0 or found.max() > 1):
        raise ValueError("probabilities lie in [0, 1]")
    return found, known


def grouped(groups: ArrayLike | None, length: int) -> Rows:
    """Number the patients that rows belong to; without groups each row is a patient.

    Returns
    -------
    array (N,)
        From 0 without gaps.

    Raises
    ------
    ValueError
        If there is not one group a row.
    """
    if groups is None:
        return np.arange(length)
    named = np.asarray(groups)
    if named.shape != (length,):
        raise ValueError(f"{length} rows need as many groups, not an array of shape {named.shape}")
    return np.asarray(np.unique(named, return_inverse=True)[1], np.intp)


def plain(value: Any) -> Any:
    """Turn arrays and NumPy scalars into what JSON can say; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
