"""Harder than cross-validation: another table, another site, later years; and shuffled labels, which must fail."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from models.fusion.progress import Progress
from models.statistics import delong
from models.statistics.report import summarise
from models.statistics.resampling import permuted
from models.statistics.splits import Split, leave_one_site_out, temporal
from models.tables.table import Table
from models.tabular.nested import Plan, Trained, splits, tune
from models.tabular.pooled import SHARED, band_medians, harmonise
from models.tabular.systems import SIMPLE, SYSTEMS

Json = dict[str, Any]
_FEWEST_AT_A_SITE: Final = 40


def serve(table: Table, split: Split, plan: Plan) -> Trained:
    """Train every simple system on a split's training rows; return the one that their inner folds favour."""
    return min((tune(SYSTEMS[name], table, split, plan, plan.seed) for name in SIMPLE), key=lambda one: one.inner_loss)


def across_tables(metabric: Table, tcga: Table, plan: Plan, draws: int = 1000) -> Json:
    """Train on one table and score the other, and back, with the facts that both have; beside it what stays inside."""
    medians = band_medians(metabric)
    tables = {table.name: harmonise(table, SHARED, medians) for table in (metabric, tcga)}
    found: Json = {"facts": [fact.name for fact in SHARED]}
    for source, target in (("metabric", "tcga"), ("tcga", "metabric")):
        learnt, scored = tables[source], tables[target]
        model = serve(learnt, Split(np.arange(len(learnt.labels)), np.arange(0)), plan)
        own = np.empty(len(scored.labels))
        for split in splits(scored.labels, replace(plan, repeats=1)):
            own[split.test] = _scored(scored, split, plan)
        summary = summarise(
            scored.labels, model.probabilities(scored.values), seed=plan.seed, against={"own": own}, draws=draws
        )
        found[f"{source} to {target}"] = {
            "auc": summary["discrimination"]["auc"],
            "slope": summary["calibration"]["slope"],
            "in_the_large": summary["calibration"]["in_the_large"],
            "auc_of_its_own": delong.area(own, scored.labels),
            "drop": summary["against"]["own"]["auc"],
        }
    return found


def other_places(table: Table, plan: Plan) -> Json:
    """Leave out one site at a time (the small ones together), or score the later years by the earlier."""
    if table.site is not None:
        names, index, counts = np.unique(table.site, return_inverse=True, return_counts=True)
        sites = np.where(counts[index] >= _FEWEST_AT_A_SITE, names[index], "smaller sites")
        how: list[tuple[str, Split]] = [(f"without {split.site}", split) for split in leave_one_site_out(sites)]
    elif table.time is not None:
        split = temporal(table.time)
        how = [(f"from {np.nanmin(table.time[split.test]):.0f} on", split)]
    else:
        how = []
    found = {}
    for name, split in how:
        predicted = _scored(table, split, plan)
        found[name] = {"patients": len(split.test), "auc": _area(predicted, table, split)}
    return found


def shuffled(table: Table, plan: Plan, seeds: int = 20) -> Json:
    """Run the most flexible of the simple systems on labels dealt anew: it must find nothing.

    An AUC over patients of several folds would be below one half by construction, as each fold's training part is
    richer in the outcome that its test part is poorer in; so each fold is judged for itself and their mean is taken.
    """
    progress, found = Progress("shuffled labels", seeds), []
    for seed in range(seeds):
        dealt = replace(table, labels=permuted(table.labels, seed=seed))
        found.append(_mean_area(dealt, replace(plan, repeats=1, seed=seed)))
        progress.show(seed + 1)
    areas = np.array([area for area, _ in found])
    inside = [abs(area - 0.5) <= 1.96 * sd for area, sd in found]
    return {"seeds": seeds, "mean_auc": float(areas.mean()), "inside": int(sum(inside)), "aucs": areas.tolist()}


def _mean_area(table: Table, plan: Plan) -> tuple[float, float]:
    """Mean AUC over folds and its standard deviation, folds being other patients."""
    areas, variances = [], []
    for split in splits(table.labels, plan):
        trained = tune(SYSTEMS["interactions"], table, split, plan, plan.seed)
        one = delong.interval(trained.model.probabilities(table.values[split.test]), table.labels[split.test])
        areas.append(one.value)
        variances.append(((one.high - one.low) / 2 / 1.96) ** 2)
    return float(np.mean(areas)), float(np.sqrt(np.sum(variances)) / len(variances))


def _scored(table: Table, split: Split, plan: Plan) -> Any:
    return serve(table, split, plan).probabilities(table.values[split.test])


def _area(predicted: Any, table: Table, split: Split) -> Json:
    found = delong.interval(predicted, table.labels[split.test])
    return {"value": found.value, "low": found.low, "high": found.high}
