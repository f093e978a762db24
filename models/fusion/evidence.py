"""What facts and findings weigh in logit, recalibrated by what is there, with the interval around their sum."""

from typing import Final

import torch
from torch import Tensor, nn

from models.fusion.settings import Settings

MODALITIES: Final = 4  # bit i of a presence mask: modality i of the manifest is there
MASKS: Final = 2**MODALITIES


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """One hidden layer; the outputs are rectified features."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs), nn.SiLU())


def bits() -> Tensor:
    """Which modalities each mask holds: (16, 4), 0 or 1."""
    return torch.tensor([[float(mask >> i & 1) for i in range(MODALITIES)] for mask in range(MASKS)])


class Evidence(nn.Module):
    """What facts and concepts weigh, in logit; and the features on which that rests.

    Each piece of evidence sees its own facts or concepts, and of the other modalities only whether they are there: so
    the size that several of them measure is not counted several times.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        sizes = settings.sizes
        findings = [(1 + i, concepts) for i, one in enumerate(settings.imaging) for _, concepts in one.findings]
        self.owners = (0, *(owner for owner, _ in findings))  # index of each piece's modality
        self.widths = [len(concepts) for _, concepts in findings]
        others = MODALITIES - 1
        self.clinical = perceptron(2 * sizes.facts + others, sizes.clinical_hidden, sizes.evidence)
        self.findings = nn.ModuleList(
            perceptron(width + others, sizes.finding_hidden, sizes.evidence) for width in self.widths
        )
        self.weigh = nn.ModuleList(nn.Linear(sizes.evidence, 1, bias=False) for _ in self.owners)
        self.prior = nn.Linear(MASKS, 1, bias=False)
        self.register_buffer("bits", bits())
        self.register_buffer("centre", torch.zeros(len(self.owners), MASKS))  # mean of each piece, by mask

    @property
    def width(self) -> int:
        """Number of features of which the logit is a linear function."""
        return len(self.owners) * self.weigh[0].in_features + MASKS

    def forward(self, values: Tensor, known: Tensor, concepts: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh what is there.

        Parameters
        ----------
        values, known : (N, F)
        concepts : (N, concepts of all image modalities in their order)
        mask : (N, 16), one-hot: which modalities are there

        Returns
        -------
        pieces : (N, 1 + P), prior, facts and each finding; a piece that is not there is exactly 0
        features : (N, width), of which the sum of the pieces is a linear function
        """
        there = mask @ self.bits  # (N, 4)
        sources = (torch.cat((values * known, known), 1), *torch.split(concepts, self.widths, 1))
        readers = (self.clinical, *self.findings)
        features = [
            reader(torch.cat((source, _others(there, owner)), 1)) * there[:, owner : owner + 1]
            for reader, source, owner in zip(readers, sources, self.owners, strict=True)
        ]
        raw = torch.cat([weigh(x) for weigh, x in zip(self.weigh, features, strict=True)], 1)  # (N, P)
        centre = mask @ self.centre.T
        prior = self.prior(mask) + centre.sum(1, keepdim=True)
        return torch.cat((prior, raw - centre), 1), torch.cat((*features, mask), 1)


class Recalibration(nn.Module):
    """Scale and shift of the logit by which modalities are there, and the interval around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(MASKS))
        self.register_buffer("shift", torch.zeros(MASKS))
        self.register_buffer("spread", torch.zeros(MASKS))  # deviation that the heads know nothing of
        self.register_buffer("covariance_root", torch.zeros(width, width))  # Laplace: covariance = root root^T

    def forward(self, pieces: Tensor, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return recalibrated pieces (N, 1 + P) and the logit's standard deviation (N,)."""
        scale = (mask @ self.scale)[:, None]
        shift = (mask @ self.shift)[:, None]
        pieces = torch.cat((pieces[:, :1] * scale + shift, pieces[:, 1:] * scale), 1)
        variance = ((features @ self.covariance_root) ** 2).sum(1)
        return pieces, torch.sqrt(variance * scale[:, 0] ** 2 + (mask @ self.spread) ** 2 + 1e-12)


def presence(there: Tensor) -> Tensor:
    """Turn which of the modalities are there (N, 4), 0 or 1, into the one-hot mask (N, 16)."""
    mask = torch.ones_like(there[:, :1])
    for i in range(MODALITIES):
        bit = there[:, i : i + 1]
        mask = torch.cat((mask * (1 - bit), mask * bit), 1)
    return mask


def _others(there: Tensor, owner: int) -> Tensor:
    return torch.cat((there[:, :owner], there[:, owner + 1 :]), 1)
