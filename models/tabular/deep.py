"""Networks on tables: an MLP, a ResNet and an FT-Transformer (Gorishniy, NeurIPS 2021), small enough for a CPU."""

import copy
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from models.tables.table import Bools, Fact, Floats
from models.tabular.encode import NumberCode

EPOCHS: Final = 40
PATIENCE: Final = 6
BATCH: Final = 256
WATCHED: Final = 0.2  # share of the training rows on which a network is watched, to stop it in time
WIDTH: Final = 32


class Tokens(nn.Module):
    """One token a fact: a number times a vector, or a category's own; what is missing has a vector of its own."""

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)  # number of values of each fact; 0 for a number
        spread = width**-0.5
        self.weight = nn.Parameter(spread * torch.randn(len(sizes), width))
        self.bias = nn.Parameter(spread * torch.randn(len(sizes), width))
        self.missing = nn.Parameter(spread * torch.randn(len(sizes), width))
        self.values = nn.ModuleList(nn.Embedding(max(size, 1), width) for size in sizes)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Return tokens (N, F, width) of standardised numbers or indices (N, F) and whether they are known (N, F)."""
        tokens = values[:, :, None] * self.weight
        chosen = [
            embed(values[:, i].long()) if size else tokens[:, i]
            for i, (size, embed) in enumerate(zip(self.sizes, self.values, strict=True))
        ]
        there = known[:, :, None]
        return torch.stack(chosen, 1) * there + self.missing * (1 - there) + self.bias


class Perceptron(nn.Module):
    """Two hidden layers."""

    def __init__(self, sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.tokens = Tokens(sizes, 8)
        hidden = 2 * WIDTH
        self.layers = nn.Sequential(
            nn.Linear(8 * len(sizes), hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Return logits (N,)."""
        logits: Tensor = self.layers(self.tokens(values, known).flatten(1))
        return logits[:, 0]


class Residual(nn.Module):
    """Two residual blocks, normalised by batch, as the ResNet for tables has them."""

    def __init__(self, sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.tokens = Tokens(sizes, 8)
        width = 2 * WIDTH
        self.enter = nn.Linear(8 * len(sizes), width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width), nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width)
            )
            for _ in range(2)
        )
        self.leave = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Return logits (N,)."""
        x = self.enter(self.tokens(values, known).flatten(1))
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.leave(x)
        return logits[:, 0]


class FTTransformer(nn.Module):
    """A token for each fact and one to read the answer from; attention among them; pre-norm."""

    def __init__(self, sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.tokens = Tokens(sizes, WIDTH)
        self.reader = nn.Parameter(WIDTH**-0.5 * torch.randn(1, 1, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.leave = nn.Sequential(nn.LayerNorm(WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Return logits (N,)."""
        tokens = self.tokens(values, known)
        x = self.layers(torch.cat((self.reader.expand(len(tokens), -1, -1), tokens), 1))
        logits: Tensor = self.leave(x[:, 0])
        return logits[:, 0]


DEEP: Final[Mapping[str, Callable[[Sequence[int], float], nn.Module]]] = MappingProxyType(
    {"mlp": Perceptron, "resnet": Residual, "ft_transformer": FTTransformer}
)


class Deep:
    """A network trained by AdamW and stopped where part of its own training rows are told apart no better.

    Parameters
    ----------
    name : str
        Of DEEP.
    facts : Sequence[Fact]
    setting : Mapping
        `rate`, the learning rate, and `dropout`.
    seed : int
        Of the weights, the batches and which rows are watched. The caller's own random state is left as it was.
    """

    def __init__(self, name: str, facts: Sequence[Fact], setting: Mapping[str, Any], seed: int) -> None:
        self.name, self.facts, self.setting, self.seed = name, tuple(facts), setting, seed

    def fit(self, values: Floats, labels: Bools) -> None:
        """Learn scales and weights."""
        self._codes = [
            None if f.is_category else NumberCode(f, c, 0) for f, c in zip(self.facts, values.T, strict=True)
        ]
        learnt, watched = train_test_split(
            np.arange(len(labels)), test_size=WATCHED, stratify=labels, random_state=self.seed
        )
        inputs, target = self._tensors(values), torch.from_numpy(labels.astype(np.float32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._network = DEEP[self.name]([len(fact.values) for fact in self.facts], self.setting["dropout"])
            _train(self._network, inputs, target, learnt, watched, self.setting["rate"])

    def probabilities(self, values: Floats) -> Floats:
        """Answer."""
        with torch.no_grad():
            logits: Tensor = self._network.eval()(*self._tensors(values))
        return np.asarray(torch.sigmoid(logits).numpy(), np.float64)

    def _tensors(self, values: Floats) -> tuple[Tensor, Tensor]:
        """Return standardised numbers or indices, 0 where not known, and whether they are known; (N, F) each."""
        known = ~np.isnan(values)
        parts = [
            code.columns(column)[:, 0] if code else column for code, column in zip(self._codes, values.T, strict=True)
        ]
        filled = np.where(known, np.column_stack(parts), 0)
        return torch.from_numpy(filled.astype(np.float32)), torch.from_numpy(known.astype(np.float32))


def _train(
    network: nn.Module,
    inputs: tuple[Tensor, Tensor],
    target: Tensor,
    learnt: Sequence[int],
    watched: Sequence[int],
    rate: float,
) -> None:
    """Leave the network with the weights that were best for the watched rows."""
    loss = nn.BCEWithLogitsLoss()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    best, kept, since = np.inf, copy.deepcopy(network.state_dict()), 0
    for _ in range(EPOCHS):
        network.train()
        shuffled = torch.as_tensor(learnt)[torch.randperm(len(learnt))]
        for rows in shuffled.tensor_split(max(1, len(learnt) // BATCH)):
            optimiser.zero_grad()
            loss(network(inputs[0][rows], inputs[1][rows]), target[rows]).backward()
            optimiser.step()
        network.eval()
        with torch.no_grad():
            found = float(loss(network(inputs[0][watched], inputs[1][watched]), target[watched]))
        since += 1
        if found < best:
            best, kept, since = found, copy.deepcopy(network.state_dict()), 0
        if since >= PATIENCE:
            break
    network.load_state_dict(kept)
