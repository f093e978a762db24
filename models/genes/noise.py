"""The planted noise predictor: a fact without meaning, whose importance must not exceed chance (S0b)."""

import json
import time
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.genes.study import Study
from models.statistics.delong import area
from models.tables.table import Bools, Fact, Floats, Table
from models.tabular.nested import Trained, splits, tune
from models.tabular.systems import Model

NOISE: Final = "noise_predictor"
Json = dict[str, Any]


def plant(table: Table, seed: int) -> Table:
    """Return the table with standard normal numbers as its first fact."""
    noise = np.random.default_rng(seed).standard_normal(len(table.labels))
    return replace(
        table, facts=(Fact(NOISE, "1", -10, 10), *table.facts), values=np.column_stack((noise, table.values))
    )


def shuffled_areas(
    model: Model | Trained, values: Floats, labels: Bools, column: int, rng: np.random.Generator, shuffles: int
) -> tuple[float, Floats]:
    """Return the AUC of held-out patients, and the AUCs (shuffles,) when one column is dealt out to them anew."""
    areas = np.empty(shuffles)
    for i in range(shuffles):
        dealt = values.copy()
        dealt[:, column] = rng.permutation(values[:, column])
        areas[i] = area(model.probabilities(dealt), labels)
    return area(model.probabilities(values), labels), areas


def importance(true: Floats, shuffled: Floats) -> Json:
    """Judge a column by mean AUCs over the same folds, its own and those of its shuffles.

    What a column without meaning says is as good as any of its shuffles, so that p is exact (a permutation test).

    Parameters
    ----------
    true : array (K,)
        AUC of each fold.
    shuffled : array (K, shuffles)

    Returns
    -------
    dict
        `drop`, the mean loss of AUC; `chance`, its 95th percentile were the column meaningless; `p`, one-sided.
    """
    own, dealt = float(true.mean()), shuffled.mean(0)
    return {
        "drop": own - float(dealt.mean()),
        "chance": float(np.percentile(dealt, 95) - dealt.mean()),
        "p": float((1 + (dealt >= own - 1e-12).sum()) / (1 + len(dealt))),
    }


def check(study: Study, system: str, facts: tuple[str, ...] = (), shuffles: int = 200) -> Json:
    """Train with the noise predictor in the outer folds of the first repeat, and measure its importance.

    Parameters
    ----------
    facts : tuple of str
        Whose importance is measured beside it.

    Returns
    -------
    dict
        By fact what `importance` says; also kept as JSON, fold by fold, so that a stopped run goes on.
    """
    asked = (NOISE, *facts)
    jobs = [(study, system, asked, shuffles, number) for number in range(study.plan.folds)]
    progress, kept = Progress("noise predictor", len(jobs)), []
    for _, areas in spread(stored_areas, jobs, study.processes):
        kept.append(areas)
        progress.show(len(kept), f"{study.table} {system}")
    return {
        name: importance(np.array([one[name][0] for one in kept]), np.array([one[name][1] for one in kept]))
        for name in asked
    }


def stored_areas(study: Study, system: str, asked: tuple[str, ...], shuffles: int, number: int) -> Json:
    """Return by fact the AUC of one outer fold and those of its shuffles, as a stopped run left them or made anew."""
    path = study.folder / f"{system}_noise" / f"{number}.json"
    made_of = [study.options.said(), shuffles, study.plan.seed, study.plan.budget, study.plan.folds, list(asked)]
    if path.exists():
        known: Json = json.loads(path.read_text())
        if known["made_of"] == made_of:
            areas: Json = known["areas"]
            return areas
    torch.set_num_threads(1)  # processes share the machine already
    started = time.process_time()
    table = plant(study.patients(), study.plan.seed)
    split, names = splits(table.labels, study.plan)[number], [fact.name for fact in table.facts]
    model = tune(study.system(system), table, split, study.plan, study.plan.seed)
    rng = np.random.default_rng([study.plan.seed, number])
    held_out, labels = table.values[split.test], table.labels[split.test]
    found = {name: shuffled_areas(model, held_out, labels, names.index(name), rng, shuffles) for name in asked}
    areas = {name: [true, shuffled.tolist()] for name, (true, shuffled) in found.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = round(time.process_time() - started, 2)
    path.write_text(json.dumps({"made_of": made_of, "areas": areas, "cpu_seconds": seconds}))
    return areas
