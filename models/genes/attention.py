"""Attention of a few readers over many gene tokens, at a cost linear in genes and without a tensor of tokens.

A gene's token is x · weight + bias. Its normalised form is (x · w + b) · r(x), where w and b are weight and bias
without their means and r is one number, the reciprocal of the token's deviation: the square root of a quadratic in x.
Its key is (x · Kw + Kb) · r, its value (x · Vw + Vb) · r, so that the four projections are made once for all patients.
A reader's score of a gene is r · (x · q·Kw + q·Kb), and the mean that attention takes of the genes is two matrix
products. Nothing of shape (patients, genes, width) exists. This computes what a pre-norm attention layer computes for
its readers, to rounding; it isn't an approximation.

Only the readers are updated. The published Transformer has one layer and answers from CLS, so CLS is the only token
whose output matters (as in the last layer of FT-Transformer, Gorishniy 2021): with CLS as the one reader this is that
network, for O(genes) instead of O(genes²). With learned latents or clinical facts beside it, it is the cross-attention
of Perceiver (Jaegle 2021) or of Set Transformer's inducing points (Lee 2019, section 3.3).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, softmax

EPS = 1e-5


class GeneTokens(nn.Module):
    """One token a gene: value × weight + bias.

    Parameters
    ----------
    genes, width : int
    """

    def __init__(self, genes: int, width: int) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.empty(genes, width)) for _ in range(2))
        for one in (self.weight, self.bias):
            nn.init.uniform_(one, -(width**-0.5), width**-0.5)

    def centred(self) -> tuple[Tensor, Tensor]:
        """Return weights and biases (G, D) without their means."""
        return self.weight - self.weight.mean(1, keepdim=True), self.bias - self.bias.mean(1, keepdim=True)


def reciprocal_deviation(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return 1 / deviation of the tokens of values (N, G), whose centred parts are (G, D)."""
    square, product, rest = (weight**2).mean(1), 2 * (weight * bias).mean(1), (bias**2).mean(1)
    return torch.rsqrt(((square * values + product) * values + rest).clamp_min(0) + EPS)


class GeneAttention(nn.Module):
    """Heads that read genes and some tokens more; layer normalisation of what is read is part of it, without affine.

    Keys have no bias, which softmax would cancel, and values none, which `out` has.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not share a width of {width}")
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.query = nn.Linear(width, width)
        self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.out = nn.Linear(width, width)

    def forward(self, readers: Tensor, tokens: GeneTokens, values: Tensor, known: Tensor, others: Tensor) -> Tensor:
        """Read.

        Parameters
        ----------
        readers : (N or 1, S, D)
            Normalised; 1 where the readers are the same for all patients, which is cheaper.
        values : (N, G)
            Expression; anything where not known.
        known : (N, G) of bool
            Which genes are read.
        others : (N, K, D)
            Normalised tokens that are read beside the genes.

        Returns
        -------
        (N, S, D)
        """
        weight, bias = tokens.centred()
        scale = reciprocal_deviation(values, weight, bias)[:, None]
        query = self._heads(self.query(readers)) / math.sqrt(weight.shape[1] // self.heads)
        scores = torch.addcmul(self._asked(query, bias), values[:, None], self._asked(query, weight)) * scale
        scores = scores.masked_fill(~known[:, None], -torch.inf)
        beside = query @ self._heads(self.key(others)).transpose(2, 3)
        share = self.dropout(softmax(torch.cat((scores, beside), 3), 3))
        of_genes, of_others = share.split((values.shape[1], others.shape[1]), 3)
        of_genes = of_genes * scale
        read = (
            (of_genes * values[:, None]).flatten(1, 2) @ self._heads(self.value(weight))
            + of_genes.flatten(1, 2) @ self._heads(self.value(bias))
        ).unflatten(1, of_genes.shape[1:3]) + of_others @ self._heads(self.value(others))
        answer: Tensor = self.out(read.permute(1, 2, 0, 3).flatten(2))
        return answer

    def _asked(self, query: Tensor, part: Tensor) -> Tensor:
        """Return what a query scores of part of every gene's token (G, D): (H, N or 1, S, G).

        Readers that all patients share go back through the key projection; there are fewer of them than genes.
        """
        if query.shape[1] == 1:
            weight: Tensor = self.key.weight.unflatten(0, (self.heads, 1, -1))
            return query @ weight @ part.T
        scores = query.flatten(1, 2) @ self._heads(self.key(part)).transpose(1, 2)
        return scores.reshape(*query.shape[:3], -1)

    def _heads(self, x: Tensor) -> Tensor:
        """Bring the heads to the front, (H, ..., D / H)."""
        parted: Tensor = x.unflatten(-1, (self.heads, -1))
        return parted.movedim(-2, 0)


class ReGLU(nn.Module):
    """Feed-forward layer gated by a ReLU (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return as much as came in."""
        plain, gate = self.into(x).chunk(2, -1)
        found: Tensor = self.out(self.dropout(plain * torch.relu(gate)))
        return found


def normed(x: Tensor) -> Tensor:
    """Layer normalisation without affine: the projections that follow hold one."""
    return layer_norm(x, x.shape[-1:], eps=EPS)
