"""Subgroups: does a model hold for each kind of patient, and which kinds are too few to tell."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.statistics import delong
from models.statistics.calibration import Line, calibration_in_the_large, calibration_line
from models.statistics.comparison import holm
from models.statistics.values import Bools, Floats, Interval, predicted

FEWEST = 10  # patients of either outcome, below which an interval says nothing
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Subgroup:
    """What a model does in one subgroup.

    Attributes
    ----------
    too_small : bool
        Whether either outcome has fewer than the asked-for rows; there are no figures then.
    """

    variable: str
    level: str
    rows: int
    positives: int
    too_small: bool
    auc: Interval | None
    in_the_large: Interval | None
    line: Line | None


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Cochran's test that the AUC is the same at all levels of a variable.

    Attributes
    ----------
    p : float
        NaN where fewer than two levels are large enough.
    p_holm : float
        The same, adjusted for the number of variables asked about.
    """

    variable: str
    levels: int
    p: float
    p_holm: float


def forest(
    probabilities: ArrayLike, labels: ArrayLike, variables: Mapping[str, ArrayLike], *, fewest: int = FEWEST
) -> list[Subgroup]:
    """Measure AUC (DeLong, on the logit scale) and calibration at each level of each variable.

    Parameters
    ----------
    variables : dict of str to array (N,)
        Level of each row; None, NaN and the empty string are the level "missing".
    fewest : int
        Rows of either outcome that figures need.
    """
    found, positive = predicted(probabilities, labels)
    rows = []
    for name, given in variables.items():
        levels = levels_of(given)
        if len(levels) != len(found):
            raise ValueError(f"{len(found)} rows need as many levels of {name}")
        for level in sorted(set(levels.tolist()), key=lambda v: (v == MISSING, v)):
            rows.append(_subgroup(name, level, found, positive, levels == level, fewest))
    return rows


def heterogeneity(rows: list[Subgroup]) -> list[Heterogeneity]:
    """Test each variable of a forest; levels are different patients, so their AUCs are independent."""
    names = list(dict.fromkeys(r.variable for r in rows))
    tested = [_cochran([r.auc for r in rows if r.variable == name and r.auc]) for name in names]
    p = np.array([t[1] for t in tested])
    adjusted = np.full(len(p), np.nan)
    adjusted[~np.isnan(p)] = holm(p[~np.isnan(p)])
    return [Heterogeneity(name, t[0], t[1], float(a)) for name, t, a in zip(names, tested, adjusted, strict=True)]


def levels_of(given: ArrayLike) -> NDArray[np.object_]:
    """Name levels as text."""
    values = np.asarray(given).tolist()
    return np.array([MISSING if v is None or v != v or v == "" else str(v) for v in values], dtype=object)


def _subgroup(name: str, level: str, found: Floats, positive: Bools, inside: Bools, fewest: int) -> Subgroup:
    p, y = found[inside], positive[inside]
    cases = int(y.sum())
    if min(cases, len(y) - cases) < fewest:
        return Subgroup(name, level, len(y), cases, True, None, None, None)
    figures = delong.interval(p, y, logit=True), calibration_in_the_large(p, y), calibration_line(p, y)
    return Subgroup(name, level, len(y), cases, False, *figures)


def _cochran(found: list[Interval]) -> tuple[int, float]:
    """Number of levels and p of Cochran's Q on the logit scale, where intervals are symmetric."""
    inside = [a for a in found if a.low > 0 and a.high < 1 and a.value < 1]
    if len(inside) < 2:
        return len(inside), float("nan")
    low, value, high = (np.log(x / (1 - x)) for x in np.array([[a.low, a.value, a.high] for a in inside]).T)
    weight = ((high - low) / (2 * stats.norm.ppf(0.975))) ** -2.0
    q = float((weight * (value - np.average(value, weights=weight)) ** 2).sum())
    return len(inside), float(stats.chi2.sf(q, len(inside) - 1))
