"""One Transformer for all patients of a table, kept as tensors and plain values: no pickle is ever read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.genes.settings import Shape
from models.genes.study import Study
from models.genes.systems import Options, Transformer
from models.statistics.recalibration import Logistic
from models.statistics.splits import Split
from models.tables.table import Fact, Floats
from models.tabular.encode import NumberCode
from models.tabular.nested import tune


@dataclass(frozen=True)
class Kept:
    """A Transformer with its recalibration."""

    model: Transformer
    map: Logistic

    def probabilities(self, values: Floats) -> Floats:
        """Answer for rows of the widened table."""
        return self.map.predict(self.model.probabilities(values))


def train(study: Study, name: str) -> Path:
    """Fit one Transformer on all patients, with the setting that inner cross-validation chooses, and keep it.

    Raises
    ------
    ValueError
        If the system is no Transformer.
    """
    table = study.patients()
    everybody = np.arange(len(table.labels))
    trained = tune(study.system(name), table, Split(everybody, everybody[:0]), study.plan, study.plan.seed)
    if not isinstance(trained.model, Transformer):
        raise ValueError(f"{name} is evaluated, not kept")
    mapped = trained.recalibration.map
    path = study.folder / f"{name}.pt"
    save(path, Kept(trained.model, mapped if isinstance(mapped, Logistic) else Logistic(1.0, 1.0, 0.0)))
    return path


def save(path: Path, kept: Kept) -> None:
    """Write weights, scales, genes and facts."""
    model, tokenised = kept.model, kept.model.tokenised
    codes = [(code.mean, code.sd) if code else (0.0, 1.0) for code in tokenised.codes]
    state: dict[str, Any] = {
        "facts": [asdict(fact) | {"values": list(fact.values)} for fact in model.facts],
        "setting": dict(model.setting),
        "seed": model.seed,
        "shape": asdict(model.shape),
        "kept": torch.from_numpy(tokenised.expression.kept),
        "mean": torch.from_numpy(tokenised.expression.mean),
        "deviation": torch.from_numpy(tokenised.expression.deviation),
        "codes": codes,
        "map": asdict(kept.map),
        "network": model.network.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def load(path: Path) -> Kept:
    """Read what `save` wrote."""
    state = torch.load(path, weights_only=True)
    facts = [Fact(**one | {"values": tuple(one["values"])}) for one in state["facts"]]
    model = Transformer(facts, state["setting"], state["seed"], shape=Shape(**state["shape"]), options=Options())
    tokenised = model.tokenised
    expression = tokenised.expression
    expression.kept, expression.mean, expression.deviation = (
        state[name].numpy() for name in ("kept", "mean", "deviation")
    )
    tokenised.codes = []
    for fact, (mean, sd) in zip(tokenised.columns.facts, state["codes"], strict=True):
        code = None if fact.is_category else NumberCode(fact, np.empty(0), 0)
        if code:
            code.mean, code.sd = mean, sd
        tokenised.codes.append(code)
    model.network = model.untrained()
    model.network.load_state_dict(state["network"])
    return Kept(model, Logistic(**state["map"]))
