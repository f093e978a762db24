"""What is run on which table under the nested cross-validation of `models.tabular`, and where its results lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.genes.prepare import widen
from models.genes.settings import Pretraining, Training
from models.genes.systems import Options, catalogue, within
from models.tables.catalogue import DATA, load
from models.tables.screen import refuse_leaks
from models.tables.table import Floats, Table
from models.tabular.nested import Plan, splits, stored_fold
from models.tabular.systems import System

OUT: Final = Path("var/tables")
TABLES: Final = ("metabric", "gse4335")
WITHIN: Final = "_within"
PLAN: Final = Plan(repeats=1, inner_folds=2, budget=2)
"""The outer folds of `models.tabular`'s first repeat, with a budget that two cores can pay for."""
QUICK_PLAN: Final = Plan(folds=2, repeats=1, inner_folds=2, budget=1)
QUICK_OPTIONS: Final = Options(Training(epochs=1), Pretraining(epochs=1), modules=10, top_genes=100)


@dataclass(frozen=True)
class Study:
    """One table with its genes, and how much is tried.

    Attributes
    ----------
    processes : int
        How many outer folds run side by side, each on one thread.
    """

    table: str
    data: Path = DATA
    out: Path = OUT
    plan: Plan = PLAN
    options: Options = field(default_factory=Options)
    processes: int = 1

    @property
    def folder(self) -> Path:
        """Where the results of this table with genes lie: a folder a system, a file an outer fold."""
        return self.out / f"{self.table}_genes"

    @property
    def folds(self) -> int:
        """How many outer folds there are over all repeats."""
        return self.plan.folds * self.plan.repeats

    def patients(self) -> Table:
        """Return the table with its genes as facts, after the screen for leaks.

        Raises
        ------
        Leakage
            If a fact tells the outcome too well.
        """
        return _table(self.table, self.data)

    def system(self, name: str) -> System:
        """Return a system by name; with `_within` behind it, the one that learns within each subtype.

        Raises
        ------
        KeyError
            If there is none of this name.
        """
        known = catalogue(self.options)
        return within(known[name.removesuffix(WITHIN)]) if name.endswith(WITHIN) else known[name]

    def evaluate(self, systems: Sequence[str]) -> None:
        """Run every outer fold that is not yet there."""
        jobs = [(self, name, number) for name in systems for number in range(self.folds)]
        progress = Progress("outer folds", len(jobs))
        for done, (index, _) in enumerate(spread(run_fold, jobs, self.processes), start=1):
            _, name, number = jobs[index]
            progress.show(done, f"{self.table} {name} {number}")


@cache
def _table(name: str, data: Path) -> Table:
    table = load(name, data)
    refuse_leaks(table)
    return widen(table)


def run_fold(study: Study, system: str, number: int) -> dict[str, Any]:
    """Run or find one outer fold."""
    import torch

    torch.set_num_threads(1)  # processes share the machine already
    table = study.patients()
    return stored_fold(study.system(system), table, splits(table.labels, study.plan)[number], study.plan, study.folder)


@dataclass(frozen=True)
class HeldOut:
    """What one system said of patients it did not learn from."""

    probabilities: Floats  # (repeats, N)
    folds: Floats  # (repeats, N) in which fold each patient was held out
    settings: tuple[str, ...]  # that each outer fold chose
    cpu_seconds: float  # that all outer folds took


def held_out(study: Study, system: str) -> HeldOut:
    """Put the outer folds of a system together, running those that are not there."""
    shape = (study.plan.repeats, len(study.patients().labels))
    probabilities, folds, settings, seconds = np.full(shape, np.nan), np.full(shape, -1.0), [], 0.0
    for number in range(study.folds):
        found = run_fold(study, system, number)
        at = found["repeat"], found["rows"]
        probabilities[at], folds[at] = found["probabilities"], found["fold"]
        settings.append(f"{found['setting']}, {found['recalibration']}")
        seconds += found["cpu_seconds"]
    return HeldOut(probabilities, folds, tuple(settings), seconds)
