"""The Transformer over gene tokens with facts fused, and its head for masked genes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.genes.attention import GeneAttention, GeneTokens, ReGLU, normed
from models.genes.settings import GUIDED, Shape


class FactTokens(nn.Module):
    """One token a fact: an embedding of its slot, and a number's value × weight.

    Parameters
    ----------
    slots : Sequence[int]
        How many each fact has: its values, or 1 for a number, and one that says "not known".
    """

    def __init__(self, slots: Sequence[int], width: int) -> None:
        super().__init__()
        starts = torch.tensor([0, *slots]).cumsum(0)
        self.starts: Tensor
        self.register_buffer("starts", starts[:-1])
        self.slot = nn.Embedding(int(starts[-1]), width)
        self.weight = nn.Parameter(torch.empty(len(slots), width))
        for one in (self.slot.weight, self.weight):
            nn.init.uniform_(one, -(width**-0.5), width**-0.5)

    def forward(self, numbers: Tensor, slots: Tensor) -> Tensor:
        """Return tokens (N, F, D) of numbers (N, F), 0 where not known or no number, and slots (N, F)."""
        found: Tensor = self.slot(slots + self.starts) + numbers[:, :, None] * self.weight
        return found


class GeneTransformer(nn.Module):
    """Reads expression and facts, any of them missing, and answers with a logit.

    A gene that is not known is left out of the attention; a fact that is not known has a token that says so.
    """

    def __init__(self, genes: int, slots: Sequence[int], shape: Shape) -> None:
        super().__init__()
        width, hidden = shape.width, round(shape.width * shape.hidden)
        self.guided = shape.variant == GUIDED
        if self.guided and not slots:
            raise ValueError("without facts nothing guides the attention")
        self.genes, self.facts = GeneTokens(genes, width), FactTokens(slots, width)
        self.learned = nn.Parameter(torch.randn(1, 1 if self.guided else 1 + shape.latents, width) * width**-0.5)
        self.read = GeneAttention(width, shape.heads, shape.attention_dropout)
        self.think = ReGLU(width, hidden, shape.dropout)
        self.twice = self.guided or shape.latents > 0
        if self.twice:
            self.gather = nn.MultiheadAttention(width, shape.heads, shape.attention_dropout, batch_first=True)
            self.conclude = ReGLU(width, hidden, shape.dropout)
        self.dropout = nn.Dropout(shape.dropout)
        self.norm, self.answer = nn.LayerNorm(width), nn.Linear(width, 1)
        self.offset = nn.Parameter(torch.zeros(genes))

    def forward(self, values: Tensor, known: Tensor, numbers: Tensor, slots: Tensor) -> Tensor:
        """Return logits (N,) of expression (N, G), which of it is known, and facts as `FactTokens` takes them."""
        logit: Tensor = self.answer(torch.relu(self.norm(self.summary(values, known, numbers, slots))))
        return logit.squeeze(1)

    def summary(self, values: Tensor, known: Tensor, numbers: Tensor, slots: Tensor) -> Tensor:
        """Return CLS (N, D) after reading."""
        facts = self.facts(numbers, slots)
        readers = facts if self.guided else self.learned
        others = facts if self.guided else torch.cat((self.learned.expand(len(values), -1, -1), facts), 1)
        x = readers + self.dropout(self.read(normed(readers), self.genes, values, known, normed(others)))
        x = x + self.dropout(self.think(normed(x)))
        if self.twice:
            if self.guided:
                x = torch.cat((self.learned.expand(len(values), -1, -1), x), 1)
            seen = normed(x)
            gathered, _ = self.gather(seen[:, :1], seen, seen, need_weights=False)
            x = x[:, :1] + self.dropout(gathered)
            x = x + self.dropout(self.conclude(normed(x)))
        summary: Tensor = x[:, 0]
        return summary

    def guess(self, values: Tensor, known: Tensor, numbers: Tensor, slots: Tensor) -> Tensor:
        """Return what every gene would be expressed as (N, G), from the genes that are known.

        The weights that made a gene's token read it out again, so that what is learnt here stays in the tokens.
        """
        read = normed(self.summary(values, known, numbers, slots))
        return torch.addmm(self.offset, read, self.genes.weight.T)
