"""The fusion network: an encoder a modality, a presence mask, and evidence that adds up in logit space.

A mammogram becomes two findings (mass, node), each seen where its gate opens and described by concepts that a
radiologist can check. Facts and findings each give a piece of evidence; prior and evidence add up to the logit. What
is known of the other modality goes into each piece only as "it is there", so nothing is counted twice.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.fusion.settings import Sizes

FINDINGS: Final = ("mass", "node")
CONCEPTS_OF: Final = (2, 1)  # mass: size, spiculation; node: its conspicuity
FAINT: Final = 0.002  # below this a view's strongest place is not scaled up to 1
MASKS: Final = 4  # bit 0: clinical facts are there; bit 1: mammograms are there


def convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3 x 3 convolution, normalisation, rectifier."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """One hidden layer; the outputs are rectified features."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs), nn.SiLU())


class Backbone(nn.Module):
    """Features of one view, at an eighth of its resolution."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(4), convolution(16, sizes.stem), convolution(sizes.stem, sizes.features, stride=2)
        )
        self.context = nn.ModuleList(convolution(sizes.features, sizes.features, dilation=d) for d in sizes.dilations)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 1, H, W) in [0, 1] to features (B, C, H/8, W/8)."""
        x = self.stem(images * 2 - 1)
        for layer in self.context:
            x = x + layer(x)
        return x


class GatedAttention(nn.Module):
    """How much each place of a view shows each finding (gated attention, Ilse 2018, over places and views)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.what, self.whether = nn.Conv2d(features, features, 1), nn.Conv2d(features, features, 1)
        self.score = nn.Conv2d(features, len(FINDINGS), 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to logits (B, K, h, w), K findings."""
        return self.score(torch.tanh(self.what(features)) * torch.sigmoid(self.whether(features)))


class MammogramEncoder(nn.Module):
    """Views of one side to the concepts of its findings."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.backbone, self.attention = Backbone(sizes), GatedAttention(sizes.features)
        self.describe = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * sizes.features + 1, sizes.concept_hidden),
                nn.SiLU(),
                nn.Linear(sizes.concept_hidden, count),
            )
            for count in CONCEPTS_OF
        )

    def forward(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Describe what V views show.

        Parameters
        ----------
        images : (N, V, 1, H, W)
        present : (N, V), 0 or 1

        Returns
        -------
        concepts : (N, 3), mass size, spiculation, node
        gates : (N, V, K, h, w), logits of "this finding lies here"
        """
        count, views = images.shape[0], images.shape[1]
        features = self.backbone(images.flatten(0, 1))  # (N*V, C, h, w)
        gates = self.attention(features)  # (N*V, K, h, w)
        size = gates.shape[-2:]
        gates = gates.reshape(count, views, len(FINDINGS), *size)
        features = features.reshape(count, views, -1, *size)
        return self.pool(features, gates, present), gates

    def pool(self, features: Tensor, gates: Tensor, present: Tensor) -> Tensor:
        """Average the features of a side where its gates open and around it; describe each finding from them.

        A mass is known by its size inside and by its spicules around.
        """
        inside = torch.sigmoid(gates) ** 2 * present[:, :, None, None, None]  # (N, V, K, h, w)
        around = functional.max_pool2d(inside.flatten(0, 1), 5, 1, 2).unflatten(0, inside.shape[:2]) - inside
        total = inside.sum((1, 3, 4))  # (N, K)
        area = torch.log(total / present.sum(1, keepdim=True).clamp(min=1) + 0.02)
        pooled = torch.cat((area[:, :, None], average(features, inside), average(features, around)), 2)
        return torch.cat([describe(pooled[:, k]) for k, describe in enumerate(self.describe)], 1)


def average(features: Tensor, weight: Tensor) -> Tensor:
    """Average features (N, V, C, h, w) over views and places by weights (N, V, K, h, w): (N, K, C)."""
    summed = torch.matmul(weight.flatten(3), features.flatten(3).transpose(2, 3)).sum(1)
    return summed / (weight.sum((1, 3, 4))[:, :, None] + 0.02)


class Evidence(nn.Module):
    """What facts and concepts weigh, in logit; and the features on which that rests."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.clinical = perceptron(2 * sizes.facts + 1, sizes.clinical_hidden, sizes.evidence)
        self.findings = nn.ModuleList(perceptron(count + 1, 16, sizes.evidence) for count in CONCEPTS_OF)
        self.weigh = nn.ModuleList(nn.Linear(sizes.evidence, 1, bias=False) for _ in range(1 + len(FINDINGS)))
        self.prior = nn.Linear(MASKS, 1, bias=False)
        self.register_buffer("centre", torch.zeros(1 + len(FINDINGS), MASKS))  # mean of each piece, by mask

    def forward(self, values: Tensor, known: Tensor, concepts: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Weigh what is there.

        Parameters
        ----------
        values, known : (N, F)
        concepts : (N, 3)
        mask : (N, 4), one-hot: which modalities are there

        Returns
        -------
        pieces : (N, 4), prior, clinical facts, mass, node; a piece that is not there is exactly 0
        features : (N, 3 * evidence + 4), of which the sum of the pieces is a linear function
        """
        has_facts, has_images = mask[:, 1:2] + mask[:, 3:4], mask[:, 2:3] + mask[:, 3:4]
        mass, node = torch.split(concepts, CONCEPTS_OF, 1)
        features = [
            self.clinical(torch.cat((values * known, known, has_images), 1)) * has_facts,
            self.findings[0](torch.cat((mass, has_facts), 1)) * has_images,
            self.findings[1](torch.cat((node, has_facts), 1)) * has_images,
        ]
        raw = torch.cat([weigh(x) for weigh, x in zip(self.weigh, features, strict=True)], 1)  # (N, 3)
        centre = mask @ self.centre.T
        prior = self.prior(mask) + centre.sum(1, keepdim=True)
        return torch.cat((prior, raw - centre), 1), torch.cat((*features, mask), 1)


class Recalibration(nn.Module):
    """Scale and shift of the logit by which modalities are there, and the interval around it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = (1 + len(FINDINGS)) * sizes.evidence + MASKS
        self.register_buffer("scale", torch.ones(MASKS))
        self.register_buffer("shift", torch.zeros(MASKS))
        self.register_buffer("spread", torch.zeros(MASKS))  # deviation that the heads know nothing of
        self.register_buffer("covariance_root", torch.zeros(width, width))  # Laplace: covariance = root root^T

    def forward(self, pieces: Tensor, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return recalibrated pieces (N, P) and the logit's standard deviation (N,)."""
        scale = (mask @ self.scale)[:, None]
        shift = (mask @ self.shift)[:, None]
        pieces = torch.cat((pieces[:, :1] * scale + shift, pieces[:, 1:] * scale), 1)
        variance = ((features @ self.covariance_root) ** 2).sum(1)
        return pieces, torch.sqrt(variance * scale[:, 0] ** 2 + (mask @ self.spread) ** 2 + 1e-12)


class FusionNetwork(nn.Module):
    """The graph that is exported; see the README of `models` for its inputs and outputs."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder, self.evidence, self.recalibration = MammogramEncoder(sizes), Evidence(sizes), Recalibration(sizes)

    def forward(
        self, clinical: Tensor, clinical_present: Tensor, mammogram: Tensor, mammogram_present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Estimate one axilla a row from whatever is there.

        Parameters
        ----------
        clinical, clinical_present : (N, F)
        mammogram : (N, V, 1, H, W)
        mammogram_present : (N, V)

        Returns
        -------
        logit : (N,)
        logit_sd : (N,)
        contributions : (N, 3), of prior, clinical facts and mammograms; their sum is the logit
        saliency : (N, V, h, w), in [0, 1]
        """
        mask = presence(clinical_present, mammogram_present)
        concepts, gates = self.encoder(mammogram * mammogram_present[:, :, None, None, None], mammogram_present)
        pieces, features = self.evidence(clinical, clinical_present, concepts, mask)
        pieces, deviation = self.recalibration(pieces, features, mask)
        contributions = torch.cat((pieces[:, :2], pieces[:, 2:].sum(1, keepdim=True)), 1)
        return contributions.sum(1), deviation, contributions, saliency(gates, pieces[:, 2:], mammogram_present)


def presence(clinical_present: Tensor, mammogram_present: Tensor) -> Tensor:
    """Return which modalities are there, one-hot (N, 4)."""
    facts = clinical_present.amax(1, keepdim=True).clamp(0, 1)
    images = mammogram_present.amax(1, keepdim=True).clamp(0, 1)
    return torch.cat(((1 - facts) * (1 - images), facts * (1 - images), (1 - facts) * images, facts * images), 1)


def saliency(gates: Tensor, evidence: Tensor, present: Tensor) -> Tensor:
    """Where a view's evidence lies: each place's gates, weighted by the size of the evidence each finding gave.

    Parameters
    ----------
    gates : (N, V, K, h, w)
    evidence : (N, K)
    present : (N, V)

    Returns
    -------
    (N, V, h, w), scaled so that the largest of each view is nearly 1; where no gate opens at all it stays faint
    """
    weight = evidence.abs() + 0.05
    weight = (weight / weight.sum(1, keepdim=True))[:, None, :, None, None]
    places = (torch.sigmoid(gates) ** 2 * weight).sum(2)
    peak = places.amax((2, 3), keepdim=True)
    return places / (peak + FAINT) * present[:, :, None, None]
