"""Nested cross-validation: settings and recalibration are chosen inside the training part of each outer fold."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.statistics.calibration import logit, sigmoid
from models.statistics.recalibration import Recalibrated, Recalibration
from models.statistics.recalibration import platt as fit_platt
from models.statistics.scores import log_loss
from models.statistics.splits import Split, nested, repeated_folds
from models.tables.table import Bools, Floats, Table
from models.tabular.systems import Linear, Model, Setting, System

RECALIBRATIONS: Final = ("platt", "none", "beta")  # no isotonic: some hundred patients are too few for it
Z_95: Final = 1.96
_VERSION: Final = 1  # of what is written; raise it where training changes


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried."""

    seed: int = 1
    folds: int = 5
    repeats: int = 2
    inner_folds: int = 3
    budget: int = 4  # settings tried by each system


QUICK: Final = Plan(folds=3, repeats=1, inner_folds=2, budget=1)


@dataclass(frozen=True)
class Trained:
    """A model with the setting and the recalibration that its own training rows chose."""

    model: Model
    setting: Setting
    recalibration: Recalibrated
    inner_loss: float  # log loss of the recalibrated inner predictions

    def probabilities(self, values: Floats) -> Floats:
        """Answer for other rows."""
        return self.recalibration.predict(self.model.probabilities(values))

    def widths(self, values: Floats) -> Floats:
        """Return the width of each 95 % interval (N,), of probabilities; NaN of a model that knows no spread."""
        if not isinstance(self.model, Linear):
            return np.full(len(values), np.nan)
        centre, spread = logit(self.model.probabilities(values)), Z_95 * self.model.spreads(values)
        low, high = (self.recalibration.predict(sigmoid(centre + side * spread)) for side in (-1, 1))
        return np.asarray(high - low)


def tune(
    system: System, table: Table, rows: Split, plan: Plan, seed: int, methods: tuple[str, ...] = RECALIBRATIONS
) -> Trained:
    """Choose a setting and a recalibration by inner cross-validation over the training rows, then fit on all of them.

    Settings are compared by log loss after scale and shift are set, so that a margin competes with a probability.
    """
    inside = rows.train
    inner = list(nested(rows, table.labels, folds=plan.inner_folds, seed=seed))
    held_out = [_held_out(system, setting, table, inner, seed) for setting in system.settings[: plan.budget]]
    labels = table.labels[inside]
    losses = [log_loss(fit_platt(found[inside], labels).predict(found[inside]), labels) for found in held_out]
    best = int(np.argmin(losses))
    recalibration = Recalibration(seed, methods=methods).fit(held_out[best][inside], labels)
    model = system.make(table.facts, system.settings[best], seed)
    model.fit(table.values[inside], labels)
    return Trained(model, system.settings[best], recalibration, min(recalibration.losses.values()))


def _held_out(system: System, setting: Setting, table: Table, inner: Iterable[Split], seed: int) -> Floats:
    """Inner predictions (N,) of one setting; NaN outside the training rows."""
    found = np.full(len(table.labels), np.nan)
    for split in inner:
        model = system.make(table.facts, setting, seed)
        model.fit(table.values[split.train], table.labels[split.train])
        found[split.test] = model.probabilities(table.values[split.test])
    return found


def splits(labels: Bools, plan: Plan) -> list[Split]:
    """Outer folds: the same for every system."""
    return list(repeated_folds(labels, folds=plan.folds, repeats=plan.repeats, seed=plan.seed))


def fold(system: System, table: Table, split: Split, plan: Plan) -> dict[str, Any]:
    """Train on one outer fold's training rows and answer for the others."""
    started = time.process_time()
    seed = int(np.random.SeedSequence([plan.seed, split.repeat, split.fold]).generate_state(1)[0] % 2**31)
    trained = tune(system, table, split, plan, seed)
    return {
        "repeat": split.repeat,
        "fold": split.fold,
        "rows": split.test.tolist(),
        "probabilities": trained.probabilities(table.values[split.test]).tolist(),
        "widths": [None if np.isnan(w) else w for w in trained.widths(table.values[split.test]).tolist()],
        "setting": dict(trained.setting),
        "recalibration": trained.recalibration.method,
        "inner_log_loss": trained.inner_loss,
        "cpu_seconds": round(time.process_time() - started, 2),
    }


def stored_fold(system: System, table: Table, split: Split, plan: Plan, folder: Path) -> dict[str, Any]:
    """Return one outer fold's result: as a stopped run left it, if it did the very same, else made and kept."""
    path = folder / system.name / f"{split.repeat}-{split.fold}.json"
    made_of = fingerprint(system, table, split, plan)
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        if known["made_of"] == made_of:
            return known
    found = {"made_of": made_of, **fold(system, table, split, plan)}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{split.repeat}.part")
    unfinished.write_text(json.dumps(found))
    unfinished.replace(path)
    return found


def fingerprint(system: System, table: Table, split: Split, plan: Plan) -> str:
    """Digest of everything that a fold's result depends on, the code apart."""
    said = [_VERSION, system.name, [dict(s) for s in system.settings], asdict(plan), [asdict(f) for f in table.facts]]
    digest = hashlib.sha256(json.dumps(said).encode())
    for array in (table.values, table.labels, split.train, split.test):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
