"""C and CA for `nsln`: facts, and facts with axillary ultrasound, nested, on synthetic patients (row 4 of the systems).

No public table has the label. What comes of it tells whether nested models are compared rightly, nothing of patients.
"""

from typing import Any, Final

import numpy as np

from models.phantom.bayes import CLINICAL, expectation, known_and_rest, normal_cdf, share_of_excess
from models.phantom.latents import NORMALS, OUTCOME, covariance
from models.statistics import delong
from models.statistics.report import summarise
from models.tables.table import NODE_READING, Bools, Floats, Table
from models.tabular.nested import Plan, splits
from models.tabular.sentinel import FURTHER, sentinel_positive
from models.tabular.transport import serve

Json = dict[str, Any]
ARMS: Final = {"C": frozenset({CLINICAL}), "CA": frozenset({CLINICAL, "US"})}


def compared(plan: Plan, patients: int = 1000, draws: int = 1000) -> Json:
    """Judge both arms on the same held-out synthetic patients, beside each other and the best that is possible.

    Returns
    -------
    dict
        `arms`: a summary each, that of CA with the paired difference to C; `best`: Bayes AUC of each arm;
        `share`: of the excess over chance that each keeps.
    """
    table = sentinel_positive(patients, plan.seed)
    told = {"C": table.without(NODE_READING), "CA": table}
    found = {arm: _held_out(one, plan) for arm, one in told.items()}
    best = best_areas(plan.seed)
    arms = {
        arm: summarise(
            table.labels,
            said,
            folds=fold_numbers(table.labels, plan),
            seed=plan.seed,
            against={"C": found["C"]} if arm != "C" else {},
            draws=draws,
        )
        for arm, said in found.items()
    }
    share = {a: share_of_excess(one["discrimination"]["auc"]["value"], best[a]) for a, one in arms.items()}
    return {
        "patients": patients,
        "label": table.label,
        "prevalence": float(table.labels.mean()),
        "arms": arms,
        "best": best,
        "share": share,
    }


def best_areas(seed: int, draws: int = 400_000) -> dict[str, float]:
    """Return the AUC of the true posterior of each arm, by simulation (standard error below 0.002)."""
    rng = np.random.default_rng(seed)
    latents = rng.multivariate_normal(np.zeros(len(NORMALS)), covariance(), draws)
    flags = [rng.random(draws) < p for p in (OUTCOME.lymphovascular_invasion_share, OUTCOME.multifocal_share)]
    told = OUTCOME.lymphovascular_invasion * flags[0] + OUTCOME.multifocal * flags[1]
    score = latents @ OUTCOME.weights + told
    sentinel = score + rng.standard_normal(draws) > OUTCOME.cutoff
    further = (score + rng.standard_normal(draws) > OUTCOME.cutoff + FURTHER)[sentinel]
    return {
        arm: delong.area(_posterior((latents @ expectation(seen) + told)[sentinel], seen), further)
        for arm, seen in ARMS.items()
    }


def _posterior(known: Floats, seen: frozenset[str]) -> Floats:
    """P(further | sentinel positive) where a part of the score is known (N,), the rest of it being normal."""
    _, rest = known_and_rest(seen)
    at, weights = np.polynomial.hermite_e.hermegauss(41)
    grid = np.linspace(known.min(), known.max(), 400)
    score = grid[:, None] + np.sqrt(max(rest.variance - 1, 0.0)) * at  # the noise of an outcome is in the rest
    first, second = (normal_cdf((score - OUTCOME.cutoff - more).ravel()).reshape(score.shape) for more in (0, FURTHER))
    return np.interp(known, grid, (first * second) @ weights / (first @ weights))


def _held_out(table: Table, plan: Plan) -> Floats:
    found = np.empty(len(table.labels))
    for split in splits(table.labels, plan):
        found[split.test] = serve(table, split, plan).probabilities(table.values[split.test])
    return found


def fold_numbers(labels: Bools, plan: Plan) -> Any:
    """Return the outer fold (N,) in which each patient is held out."""
    found = np.empty(len(labels), int)
    for split in splits(labels, plan):
        found[split.test] = split.fold
    return found
