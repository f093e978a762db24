"""The image encoder that every image modality uses: images of one side to the concepts of its findings.

A finding is seen where its gate opens and described by concepts that a radiologist can check: size, spiculation,
cortical thickness, wash-out. Concepts and places are what the encoder is trained on; the outcome is not.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.fusion.settings import Imaging


def convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3 x 3 convolution, normalisation, rectifier."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


class Backbone(nn.Module):
    """Features of one image, at 1/(2 unshuffle) of its resolution."""

    def __init__(self, imaging: Imaging) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(imaging.unshuffle),
            convolution(imaging.shape[0] * imaging.unshuffle**2, imaging.stem),
            convolution(imaging.stem, imaging.features, stride=2),
        )
        self.context = nn.ModuleList(
            convolution(imaging.features, imaging.features, dilation=d) for d in imaging.dilations
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1] to features (B, features, h, w)."""
        x = self.stem(images * 2 - 1)
        for layer in self.context:
            x = x + layer(x)
        return x


class GatedAttention(nn.Module):
    """How much each place of an image shows each finding (gated attention, Ilse 2018, over places and images)."""

    def __init__(self, features: int, findings: int) -> None:
        super().__init__()
        self.what, self.whether = nn.Conv2d(features, features, 1), nn.Conv2d(features, features, 1)
        self.score = nn.Conv2d(features, findings, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to logits (B, K, h, w), K findings."""
        return self.score(torch.tanh(self.what(features)) * torch.sigmoid(self.whether(features)))


class ImageEncoder(nn.Module):
    """Any number of images of one side to the concepts of its findings."""

    def __init__(self, imaging: Imaging, hidden: int) -> None:
        super().__init__()
        self.findings, self.stack, self.ring = len(imaging.findings), imaging.stack, imaging.ring
        self.backbone = Backbone(imaging)
        self.attention = GatedAttention(imaging.features, self.findings)
        self.describe = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * imaging.features + 2, hidden), nn.SiLU(), nn.Linear(hidden, len(concepts)))
            for _, concepts in imaging.findings
        )

    def forward(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Describe what I images show.

        Parameters
        ----------
        images : (N, I, C, H, W), in [0, 1]
        present : (N, I), 0 or 1

        Returns
        -------
        concepts : (N, concepts), finding after finding, standardised
        gates : (N, I, K, h, w), logits of "this finding lies here"
        """
        features, gates = self.look(images)
        return self.pool(features, gates, present), gates

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, I, C, h, w) and gates (N, I, K, h, w) of each image by itself."""
        count, number = images.shape[0], images.shape[1]
        features = self.backbone(images.flatten(0, 1))  # (N*I, C, h, w)
        gates = self.attention(features)  # (N*I, K, h, w)
        size = gates.shape[-2:]
        return features.reshape(count, number, -1, *size), gates.reshape(count, number, self.findings, *size)

    def pool(self, features: Tensor, gates: Tensor, present: Tensor) -> Tensor:
        """Average the features of a side where its gates open and around it; describe each finding from them.

        A mass is known by what is inside and, by its spicules or its capsule, by what is around. How large it is, is
        said by its largest area in one image and by the sum of the areas of slices, or else by the area in the images
        that show it: more views of the same mass do not make it larger.
        """
        inside = torch.sigmoid(gates) ** 2 * present[:, :, None, None, None]  # (N, I, K, h, w)
        around = functional.max_pool2d(inside.flatten(0, 1), 2 * self.ring + 1, 1, self.ring)
        around = around.reshape(inside.shape) - inside
        areas = inside.sum((3, 4))  # (N, I, K)
        total = areas.sum(1)
        seen = total if self.stack else (areas**2).sum(1) / (total + 0.02)
        sizes = torch.log(torch.stack((areas.amax(1), seen), 2) + 0.02)  # (N, K, 2)
        pooled = torch.cat((sizes, average(features, inside), average(features, around)), 2)
        return torch.cat([describe(pooled[:, k]) for k, describe in enumerate(self.describe)], 1)


def average(features: Tensor, weight: Tensor) -> Tensor:
    """Average features (N, I, C, h, w) over images and places by weights (N, I, K, h, w): (N, K, C)."""
    summed = torch.matmul(weight.flatten(3), features.flatten(3).transpose(2, 3)).sum(1)
    return summed / (weight.sum((1, 3, 4))[:, :, None] + 0.02)
