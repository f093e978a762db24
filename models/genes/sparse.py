"""The biologically informed network: genes to pathways through a mask, several units a pathway, then dense layers."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from models.genes.gmt import Pathways
from models.genes.settings import Pathwayed


class PathwayLayer(nn.Module):
    """A linear layer in which a unit sees the genes of its pathway only.

    Parameters
    ----------
    members : (P, G) of bool
    units : int
        Of each pathway.
    """

    def __init__(self, members: Tensor, units: int) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", members.float().repeat_interleave(units, 0))
        # each unit starts at the scale of a layer with as many inputs as its pathway has genes
        reach = self.mask.sum(1, keepdim=True).clamp_min(1).rsqrt()
        self.weight = nn.Parameter((torch.rand_like(self.mask) * 2 - 1) * reach * self.mask)
        self.bias = nn.Parameter(torch.zeros(len(self.mask)))

    def forward(self, values: Tensor) -> Tensor:
        """Return (N, P · units) of genes (N, G)."""
        return linear(values, self.weight * self.mask, self.bias)


class PathwayNetwork(nn.Module):
    """Pathway layer on expression, encoded facts beside it, dense layers, one logit."""

    def __init__(self, pathways: Pathways, facts: int, size: Pathwayed) -> None:
        super().__init__()
        self.pathways = PathwayLayer(torch.from_numpy(pathways.members), size.units)
        widths = (len(self.pathways.bias) + facts, *size.hidden)
        self.dense = nn.Sequential()
        for before, after in pairwise(widths):
            self.dense.extend([nn.Linear(before, after), nn.ReLU(), nn.Dropout(size.dropout)])
        self.dense.append(nn.Linear(widths[-1], 1))

    def forward(self, values: Tensor, facts: Tensor) -> Tensor:
        """Return logits (N,) of expression (N, G), 0 (the mean) where not known, and encoded facts (N, K)."""
        logit: Tensor = self.dense(torch.cat((torch.relu(self.pathways(values)), facts), 1))
        return logit.squeeze(1)
