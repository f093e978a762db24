"""Everything that is asked of one set of held-out predictions, as plain values for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from models.statistics import calibration as c
from models.statistics import delong, operating, reliability, scores
from models.statistics.abstention import SHARES, abstention_curve
from models.statistics.comparison import benjamini_hochberg, holm, paired_auc_test, paired_differences
from models.statistics.decisions import decision_curve
from models.statistics.resampling import bootstrap_all
from models.statistics.subgroups import forest, heterogeneity
from models.statistics.values import Bools, Floats, Rows, grouped, plain, predicted

SENSITIVITIES: Final = (0.90, 0.95, 0.98)
SPECIFICITIES: Final = (0.90,)
THRESHOLDS: Final = tuple(round(0.05 * i, 2) for i in range(1, 20))

Json = dict[str, Any]


def summarise(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    folds: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int,
    set_on: tuple[ArrayLike, ArrayLike] | None = None,
    sensitivities: Sequence[float] = SENSITIVITIES,
    specificities: Sequence[float] = SPECIFICITIES,
    thresholds: Sequence[float] = THRESHOLDS,
    fixed: Mapping[str, float] | None = None,
    subgroups: Mapping[str, ArrayLike] | None = None,
    uncertainty: ArrayLike | None = None,
    against: Mapping[str, ArrayLike] | None = None,
    draws: int = 1000,
) -> Json:
    """Measure discrimination, calibration, operating points, decisions, subgroups and abstention.

    Intervals named `bootstrap` and `chosen_again` draw patients; all others take rows as patients, which
    `rows_are_patients` tells.

    Parameters
    ----------
    labels : array (N,)
        0 or 1.
    probabilities : array (N,)
        Of 1, each by a model that was not fitted on that patient.
    folds : array (N,), optional
        The fold in which each row was held out: thresholds are then chosen on the other folds.
    groups : array (N,), optional
        The patient of each row.
    seed : int
        Of every bootstrap and simulation.
    set_on : labels and probabilities, optional
        Other patients, who choose the thresholds where there are no folds. Without either there are no chosen ones.
    thresholds : sequence of float
        Of the decision curve, inside (0, 1).
    fixed : dict of str to float, optional
        Thresholds that were set before, such as a bundle's.
    subgroups : dict of str to array (N,), optional
        Levels of each variable.
    uncertainty : array (N,), optional
        More is less certain; for the abstention curve.
    against : dict of str to array (N,), optional
        Probabilities of other models for the same rows.

    Returns
    -------
    dict
        Strings, numbers, booleans, lists and None alone; None is what the data do not define.

    Raises
    ------
    ValueError
        If arrays differ in length, labels are not 0 or 1, an outcome is missing, or a probability is outside [0, 1].
    """
    found, positive = predicted(probabilities, labels)
    patients = grouped(groups, len(found))
    goals = [operating.Goal("sensitivity", x) for x in sensitivities]
    goals += [operating.Goal("specificity", x) for x in specificities]
    again = _resampled(found, positive, patients, seed, draws)
    summary: Json = {
        **_counts(positive, patients),
        "discrimination": _discrimination(found, positive, folds) | {"auc_bootstrap": again["auc"]},
        "calibration": _calibration(found, positive, np.random.default_rng(seed), draws)
        | {f"{name}_bootstrap": again[name] for name in ("slope", "intercept", "in_the_large")},
        "scores": _scores(found, positive, again),
        "operating_points": _points(found, positive, goals, folds, set_on, groups=groups, seed=seed, draws=draws),
        "fixed_thresholds": {k: asdict(operating.at_fixed(found, positive, t)) for k, t in (fixed or {}).items()},
        "decision_curve": [
            asdict(d) for d in decision_curve(found, positive, thresholds, groups=groups, seed=seed, draws=draws)
        ],
        **_subgroups(found, positive, subgroups or {}),
        "abstention": _abstention(found, positive, uncertainty, groups=groups, seed=seed, draws=draws),
        "against": _against(found, positive, against or {}, groups=groups, seed=seed, draws=draws),
    }
    known: Json = plain(summary)
    return known


def cautious(point: Json, measure: str) -> Json:
    """Return a measure at an operating point with an interval that reaches as far as both of its own.

    Choosing again ties the measure that the goal holds to the goal, so that the exact interval is the wider one there;
    of the others the exact one lacks the luck of the choice.

    Parameters
    ----------
    point : dict
        One of a summary's `operating_points`.
    """
    exact, again = point["exact"][measure], point["chosen_again"][measure]
    if again["low"] is None:
        return dict(exact)
    low, high = min(exact["low"], again["low"]), max(exact["high"], again["high"])
    return {"value": exact["value"], "low": low, "high": high}


def _counts(positive: Bools, patients: Rows) -> Json:
    return {
        "rows": len(positive),
        "patients": int(patients.max()) + 1,
        "rows_are_patients": bool(patients.max() + 1 == len(positive)),
        "positives": int(positive.sum()),
        "prevalence": asdict(operating.clopper_pearson(int(positive.sum()), len(positive))),
    }


def _scores(found: Floats, positive: Bools, again: Json) -> Json:
    return {
        "brier": again["brier"],
        "brier_parts": asdict(scores.brier_parts(found, positive)),
        "brier_of_prevalence": float(positive.mean() * (1 - positive.mean())),
        "log_loss": again["log_loss"],
    }


def roc_curve(probability: Floats, positive: Bools, points: int = 101) -> list[list[float]]:
    """Corners of the ROC curve at even steps of 1 - specificity, each [1 - specificity, sensitivity]."""
    grid = np.linspace(0, 1, points)
    controls, cases = np.sort(probability[~positive]), np.sort(probability[positive])
    allowed = np.floor(grid * len(controls) + 1e-9).astype(int)
    cut = np.append(-np.inf, controls)[len(controls) - allowed]
    return [
        [float(x), float(y)] for x, y in zip(grid, 1 - np.searchsorted(cases, cut, "right") / len(cases), strict=True)
    ]


def _discrimination(found: Floats, positive: Bools, folds: ArrayLike | None) -> Json:
    parts = np.zeros(len(found)) if folds is None else np.asarray(folds)
    each = [(delong.area(found[parts == k], positive[parts == k]), (parts == k).sum()) for k in np.unique(parts)]
    told = [(a, n) for a, n in each if not np.isnan(a)]
    return {
        "auc": asdict(delong.interval(found, positive)),
        "auc_logit": asdict(delong.interval(found, positive, logit=True)),
        "auc_within_folds": float(np.average([a for a, _ in told], weights=[n for _, n in told])) if told else None,
        "roc": roc_curve(found, positive),
    }


def _calibration(found: Floats, positive: Bools, rng: np.random.Generator, draws: int) -> Json:
    line, large = c.calibration_line(found, positive), c.calibration_in_the_large(found, positive)
    errors = {
        name: reliability.calibration_error(found, positive, rng, width=width, draws=draws)
        for name, width in (("equal_count", False), ("equal_width", True))
    }
    curve = [
        asdict(b) | {"interval": asdict(operating.clopper_pearson(b.positives, b.count))}
        for b in reliability.curve(found, positive)
    ]
    return {
        "slope": asdict(line.slope),
        "intercept": asdict(line.intercept),
        "in_the_large": asdict(large),
        "observed_to_expected": float(positive.sum() / found.sum()) if found.any() else None,
        "slope_covers_1": line.slope.covers(1),
        "ece": {name: asdict(e) | {"within_range": e.within_range} for name, e in errors.items()},
        "reliability": curve,
    }


def _resampled(found: Floats, positive: Bools, patients: Rows, seed: int, draws: int) -> dict[str, Json]:
    """Bootstrap intervals of figures that are single numbers, all on the same samples."""

    def figures(rows: Rows) -> Floats:
        p, y = found[rows], positive[rows]
        line, large = c.calibration_line(p, y), c.calibration_in_the_large(p, y)
        values = (delong.area(p, y), scores.brier(p, y), scores.log_loss(p, y))
        return np.array([*values, line.slope.value, line.intercept.value, large.value])

    names = ("auc", "brier", "log_loss", "slope", "intercept", "in_the_large")
    again = bootstrap_all(figures, positive, groups=patients, seed=seed, draws=draws)
    return {name: asdict(i) for name, i in zip(names, again, strict=True)}


def _points(
    found: Floats,
    positive: Bools,
    goals: Sequence[operating.Goal],
    folds: ArrayLike | None,
    set_on: tuple[ArrayLike, ArrayLike] | None,
    **drawn: Any,
) -> dict[str, Json]:
    """Operating points whose thresholds others chose, by goal."""
    if folds is not None:
        points = operating.cross_fitted(found, positive, folds, goals, **drawn)
    elif set_on is not None:
        others = set_on[1], set_on[0]
        points = operating.transported(*others, found, positive, goals, **drawn)
    else:
        return {}
    return {str(g): asdict(p) for g, p in zip(goals, points, strict=True)}


def _subgroups(found: Floats, positive: Bools, variables: Mapping[str, ArrayLike]) -> Json:
    rows = forest(found, positive, variables)
    return {"subgroups": [asdict(r) for r in rows], "heterogeneity": [asdict(h) for h in heterogeneity(rows)]}


def _abstention(found: Floats, positive: Bools, uncertainty: ArrayLike | None, **drawn: Any) -> list[Json]:
    if uncertainty is None:
        return []
    curve = abstention_curve(found, positive, uncertainty, shares=SHARES, **drawn)
    return [asdict(a) for a in curve]


def _against(
    found: Floats,
    positive: Bools,
    others: Mapping[str, ArrayLike],
    **drawn: Any,
) -> dict[str, Json]:
    """Differences to other models, this one minus the other, with p-values adjusted for how many there are."""
    known = {name: predicted(other, positive)[0] for name, other in others.items()}
    tests = {name: paired_auc_test(found, other, positive) for name, other in known.items()}
    p = [t.p for t in tests.values()]

    measures = {"auc": delong.area, "brier": scores.brier, "log_loss": scores.log_loss}

    def apart(other: Floats) -> Json:
        found_again = paired_differences(tuple(measures.values()), found, other, positive, **drawn)
        return {f"{m}_bootstrap": asdict(i) for m, i in zip(measures, found_again, strict=True)}

    return {
        name: {
            "auc": asdict(tests[name].difference),
            "z": tests[name].z,
            "p": tests[name].p,
            "p_holm": float(by_holm),
            "p_benjamini_hochberg": float(by_share),
            **apart(other),
        }
        for (name, other), by_holm, by_share in zip(known.items(), holm(p), benjamini_hochberg(p), strict=True)
    }
