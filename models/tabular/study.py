"""What is run on which table, spread over processes, and what comes of it."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.tables.catalogue import DATA, load
from models.tables.screen import refuse_leaks
from models.tables.table import NODE_READING, Floats, Table
from models.tabular.nested import Plan, splits, stored_fold
from models.tabular.systems import SIMPLE, SYSTEMS

OUT: Final = Path("var/tables")
SERVED: Final = "served"
"""Of each outer fold the simple system that its inner folds favoured: what would have been served."""


@dataclass(frozen=True, slots=True)
class Question:
    """A table, one of its labels, and the groups of facts that are left out."""

    table: str
    label: str = ""  # the table's own where empty
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As a folder's name."""
        left_out = (f"no-{group.replace('_', '-')}" for group in self.without)
        return "_".join((self.table, *([self.label] if self.label else []), *left_out))

    def load(self, data: Path) -> Table:
        """Read the table and let it through the screen for leaks.

        Raises
        ------
        Leakage
            If a fact tells the outcome too well.
        """
        table = load(self.table, data, self.label or None).without(*self.without)
        refuse_leaks(table)
        return table


@dataclass(frozen=True)
class Study:
    """Where data and results lie, and how much is tried."""

    data: Path = DATA
    out: Path = OUT
    plan: Plan = field(default_factory=Plan)
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)

    def repeats(self, system: str) -> int:
        """Return how often a system runs all outer folds: one that is never served only once, which figures are of."""
        return self.plan.repeats if system in (SERVED, *SIMPLE) else 1

    def train(self, questions: Iterable[Question], systems: Sequence[str]) -> None:
        """Run every outer fold that is not yet there, in a process each."""
        jobs = [
            (self, question, name, number)
            for question in questions
            for name in systems
            for number in range(self.plan.folds * self.repeats(name))
        ]
        progress = Progress("outer folds", len(jobs))
        for done, (index, _) in enumerate(spread(run_fold, jobs, self.processes), start=1):
            _, question, name, number = jobs[index]
            progress.show(done, f"{question.name} {name} {number}")


@cache
def table_of(question: Question, data: Path) -> Table:
    """Return the table of a question, read and screened once in a process."""
    return question.load(data)


def run_fold(study: Study, question: Question, system: str, number: int) -> dict[str, Any]:
    """Run or find one outer fold."""
    if system not in SIMPLE:
        import torch

        torch.set_num_threads(1)  # processes share the machine already
    table = table_of(question, study.data)
    split = splits(table.labels, study.plan)[number]
    return stored_fold(SYSTEMS[system], table, split, study.plan, study.out / question.name)


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one system for patients it did not learn from, by repeat."""

    probabilities: Floats  # (repeats, N)
    widths: Floats  # (repeats, N) of the 95 % intervals; NaN where a system has none
    folds: Floats  # (repeats, N) in which fold each patient was held out
    settings: tuple[str, ...]  # of each outer fold
    cpu_seconds: float  # that all outer folds took


def held_out(study: Study, question: Question, system: str) -> HeldOut:
    """Put the outer folds of a system together."""
    table, repeats = table_of(question, study.data), study.repeats(system)
    shape = (repeats, len(table.labels))
    probabilities, widths, folds, settings = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1.0), []
    seconds = 0.0
    for number in range(study.plan.folds * repeats):
        names = SIMPLE if system == SERVED else (system,)
        tried = {name: run_fold(study, question, name, number) for name in names}
        name = min(tried, key=lambda one: float(tried[one]["inner_log_loss"]))
        found = tried[name]
        at = found["repeat"], found["rows"]
        probabilities[at], folds[at] = found["probabilities"], found["fold"]
        widths[at] = np.array(found["widths"] or np.nan, np.float64)
        settings.append(f"{name} {found['setting']}, {found['recalibration']}")
        seconds += sum(one["cpu_seconds"] for one in tried.values())
    return HeldOut(probabilities, widths, folds, tuple(settings), seconds)


FACTS_ONLY: Final = tuple(Question(name) for name in ("metabric", "tcga", "rotterdam", "wpbc", "gse4335"))
DUKE: Final = Question("duke", without=(NODE_READING,))
BURDEN: Final = (Question("metabric", "burden"), Question("rotterdam", "burden"), Question("gbsg2", "burden"))
EVERY: Final = (*FACTS_ONLY, DUKE, Question("duke"), *BURDEN)
"""Every question on which every system is compared."""
SIMPLER: Final = (
    *(Question(q.table, without=("size",)) for q in FACTS_ONLY),
    Question("duke", without=(NODE_READING, "imaging")),
    Question("duke", without=(NODE_READING, "imaging", "size")),
)
"""Fewer facts, to see what each group is worth; simple systems alone."""
