"""The systems that are compared, in the form of `models.tabular`: each sees facts and genes as columns of one table."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from models.genes.fitting import learn, predict, pretrain
from models.genes.gmt import GeneSet, match
from models.genes.modules import modules
from models.genes.network import GeneTransformer
from models.genes.prepare import Flat, Tokenised
from models.genes.settings import GUIDED, Pathwayed, Pretraining, Shape, Training
from models.genes.sparse import PathwayNetwork
from models.statistics.calibration import sigmoid
from models.tables.table import Bools, Fact, Floats
from models.tabular.systems import Model, Setting, System

CLINICAL: Final = "clinical"
ELASTIC_NET: Final = "elastic_net"
TRANSFORMERS: Final = ("transformer", "latents", "guided", "pretrained", "frozen")


@dataclass(frozen=True, slots=True)
class Options:
    """What a run sets for all its systems.

    Attributes
    ----------
    sets : tuple of GeneSet
        For the sparse network; modules of the training patients' expression where there are none.
    modules : int
        How many of those.
    top_genes : int
        How many genes are read, those that vary most; 0 for all.
    """

    training: Training = field(default_factory=lambda: Training(epochs=60, patience=8))
    pretraining: Pretraining = field(default_factory=lambda: Pretraining(epochs=30))
    sets: tuple[GeneSet, ...] = ()
    modules: int = 40
    top_genes: int = 0

    def said(self) -> dict[str, Any]:
        """Return what shapes results, for a setting to carry, so that a stored result tells how it was made."""
        digest = hashlib.sha256(repr(self.sets).encode()).hexdigest()[:12] if self.sets else "none"
        return {
            "epochs": self.training.epochs,
            "patience": self.training.patience,
            "masked_epochs": self.pretraining.epochs,
            "sets": digest,
            "modules": self.modules,
            "top_genes": self.top_genes,
        }


class Linear:
    """Logistic regression under a penalty, on facts and, if asked, expression."""

    def __init__(self, facts: Sequence[Fact], setting: Setting, seed: int, *, genes: bool, top: int = 0) -> None:
        self.flat, ratio = Flat(facts, genes=genes, top=top), setting.get("l1_ratio", 0.0)
        solver = "saga" if ratio else "lbfgs"
        self.model = LogisticRegression(
            C=setting["C"], l1_ratio=ratio, solver=solver, tol=1e-3, max_iter=5000, random_state=seed
        )

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn scales and coefficients."""
        self.model.fit(self.flat.fit(values).transform(values), labels)

    def probabilities(self, values: Floats) -> Floats:
        """Answer."""
        return np.asarray(self.model.predict_proba(self.flat.transform(values))[:, 1], np.float64)


class Pathway:
    """The sparse network, on given gene sets or on modules of the training patients' expression."""

    def __init__(self, facts: Sequence[Fact], setting: Setting, seed: int, *, options: Options) -> None:
        self.flat = Flat(facts, genes=True, top=options.top_genes)
        self.setting, self.seed, self.options = setting, seed, options

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn the gene sets where none are given, and the weights."""
        inputs = self._inputs(values, self.flat.fit(values))
        if self.options.sets:
            names = [self.flat.columns.genes[i] for i in self.flat.expression.kept]
            self.pathways = match(self.options.sets, names)
        else:
            self.pathways = modules(inputs[0].double().numpy(), self.options.modules, self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            size = Pathwayed(self.setting["units"], dropout=self.setting["dropout"])
            self.network = PathwayNetwork(self.pathways, inputs[1].shape[1], size)
            training = _training(self.options.training, self.setting)
            learn(
                self.network, lambda rows: self.network(*(part[rows] for part in inputs)), labels, training, self.seed
            )

    def probabilities(self, values: Floats) -> Floats:
        """Answer."""
        inputs = self._inputs(values, self.flat)
        logits = predict(self.network, lambda rows: self.network(*(part[rows] for part in inputs)), len(values))
        return sigmoid(logits.double().numpy())

    @staticmethod
    def _inputs(values: Floats, flat: Flat) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(flat.expressed(values)).float(), torch.from_numpy(flat.facts(values)).float()


class Transformer:
    """The gene Transformer, pretrained on the training patients' expression if asked."""

    def __init__(
        self,
        facts: Sequence[Fact],
        setting: Setting,
        seed: int,
        *,
        shape: Shape,
        masked: bool = False,
        options: Options,
    ) -> None:
        self.facts, self.tokenised = tuple(facts), Tokenised(facts, options.top_genes)
        self.setting, self.seed = setting, seed
        self.shape, self.options, self.masked = replace(shape, dropout=setting["dropout"]), options, masked

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn scales and weights; the caller's random state is left as it was."""
        inputs = self.tokenised.fit(values).transform(values)
        training = _training(self.options.training, self.setting)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = self.untrained()
            if self.masked:
                pretrain(self.network, inputs, self.options.pretraining, training.batch)
            learn(self.network, lambda rows: self.network(*inputs.rows(rows).tensors()), labels, training, self.seed)

    def untrained(self) -> GeneTransformer:
        """Return the network for the genes that were kept."""
        return GeneTransformer(len(self.tokenised.expression.kept), self.tokenised.slots, self.shape)

    def probabilities(self, values: Floats) -> Floats:
        """Answer."""
        inputs = self.tokenised.transform(values)
        logits = predict(self.network, lambda rows: self.network(*inputs.rows(rows).tensors()), len(values))
        return sigmoid(logits.double().numpy())


class Within:
    """A model for each value of a fact, such as the subtype, and one for all where a value has too few patients."""

    def __init__(
        self, facts: Sequence[Fact], setting: Setting, seed: int, *, system: System, by: str, fewest: int
    ) -> None:
        self.column = [fact.name for fact in facts].index(by)
        self.groups, self.fewest = range(len(facts[self.column].values)), fewest
        self._make = partial(system.make, facts, setting, seed)

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn from everybody, and from each group with `fewest` patients of either outcome."""
        self.across: Model = self._make()
        self.across.fit(values, labels)
        self.own: dict[int, Model] = {}
        for group in self.groups:
            rows = values[:, self.column] == group
            if min(labels[rows].sum(), (~labels[rows]).sum()) >= self.fewest:
                self.own[group] = self._make()
                self.own[group].fit(values[rows], labels[rows])

    def probabilities(self, values: Floats) -> Floats:
        """Answer by the group's own model, or by the one for all."""
        found = self.across.probabilities(values)
        for group, model in self.own.items():
            rows = values[:, self.column] == group
            if rows.any():
                found[rows] = model.probabilities(values[rows])
        return found


def _training(training: Training, setting: Setting) -> Training:
    return replace(training, rate=setting["rate"], weight_decay=setting["weight_decay"])


_RIDGE: Final = tuple({"C": c} for c in (0.1, 0.01, 1.0, 0.001))
_NET: Final = tuple({"C": c, "l1_ratio": ratio} for c, ratio in ((0.01, 0.1), (0.03, 0.5), (0.003, 0.1), (0.1, 0.5)))
_SPARSE: Final = (
    {"units": 16, "dropout": 0.2, "rate": 1e-3, "weight_decay": 1e-4},  # as published
    {"units": 4, "dropout": 0.5, "rate": 1e-3, "weight_decay": 1e-2},
    {"units": 4, "dropout": 0.2, "rate": 3e-4, "weight_decay": 1e-2},
    {"units": 16, "dropout": 0.5, "rate": 3e-4, "weight_decay": 1e-1},
)
_DEEP: Final = (
    {"dropout": 0.1, "rate": 1e-3, "weight_decay": 1e-2},
    {"dropout": 0.1, "rate": 1e-4, "weight_decay": 1e-4},  # as published
    {"dropout": 0.3, "rate": 3e-4, "weight_decay": 1e-1},
    {"dropout": 0.3, "rate": 1e-3, "weight_decay": 1e-1},
)


def catalogue(options: Options) -> Mapping[str, System]:
    """Return every system by name, with four settings each."""
    deep = partial(Transformer, options=options)
    frozen = replace(options, pretraining=replace(options.pretraining, frozen=True))
    listed = (
        System(CLINICAL, _RIDGE, partial(Linear, genes=False), simple=True),
        System(ELASTIC_NET, _NET, partial(Linear, genes=True, top=options.top_genes), simple=True),
        System("pathways", _SPARSE, partial(Pathway, options=options)),
        System("transformer", _DEEP, partial(deep, shape=Shape())),
        System("latents", _DEEP, partial(deep, shape=Shape(latents=8))),
        System("guided", _DEEP, partial(deep, shape=Shape(variant=GUIDED))),
        System("pretrained", _DEEP, partial(deep, shape=Shape(), masked=True)),
        System("frozen", _DEEP, partial(Transformer, shape=Shape(), masked=True, options=frozen)),
    )
    told = options.said()
    return MappingProxyType(
        {one.name: replace(one, settings=tuple({**setting, **told} for setting in one.settings)) for one in listed}
    )


def within(system: System, by: str = "subtype", fewest: int = 20) -> System:
    """Return the system that learns within each value of a fact instead of across them."""
    make = partial(Within, system=system, by=by, fewest=fewest)
    return System(f"{system.name}_within", system.settings, make, system.simple)
