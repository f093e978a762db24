"""The fusion network: an encoder a modality, a presence mask, and evidence that adds up in logit space.

Images become findings described by concepts; facts and findings each give a piece of evidence; prior and evidence add
up to the logit. What is missing gives exactly nothing.
"""

from typing import Final

import torch
from torch import Tensor, nn

from models.fusion.encoder import ImageEncoder
from models.fusion.evidence import Evidence, Recalibration, presence
from models.fusion.settings import Settings

FAINT: Final = 0.002  # below this an image's strongest place is not scaled up to 1
UNSEEN: Final = 0.001  # cells of a finding that every image is taken to show: one that none shows is divided evenly


class FusionNetwork(nn.Module):
    """The graph that is exported; see the README of `models` for its inputs and outputs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        hidden = settings.sizes.concept_hidden
        self.encoders = nn.ModuleList(ImageEncoder(one, hidden) for one in settings.imaging)
        self.evidence = Evidence(settings)
        self.recalibration = Recalibration(self.evidence.width)

    def forward(
        self,
        clinical: Tensor,
        clinical_present: Tensor,
        mammogram: Tensor,
        mammogram_present: Tensor,
        ultrasound: Tensor,
        ultrasound_present: Tensor,
        mri: Tensor,
        mri_present: Tensor,
    ) -> tuple[Tensor, ...]:
        """Estimate one axilla a row from whatever is there.

        Parameters
        ----------
        clinical, clinical_present : (N, F)
        mammogram, ultrasound, mri : (N, images, C, H, W), in [0, 1]
        mammogram_present, ultrasound_present, mri_present : (N, images), 0 or 1

        Returns
        -------
        logit : (N,)
        logit_sd : (N,)
        contributions : (N, 5), of prior, clinical facts, MG, US and MR; their sum is the logit
        mammogram_saliency, ultrasound_saliency, mri_saliency : (N, images, h, w), in [0, 1]
        mammogram_evidence, ultrasound_evidence, mri_evidence : (N, images), what each image shows of its modality's
            contribution; their sum is that contribution
        """
        shown = ((mammogram, mammogram_present), (ultrasound, ultrasound_present), (mri, mri_present))
        there = torch.stack([p.amax(1).clamp(0, 1) for p in (clinical_present, *(p for _, p in shown))], 1)
        mask = presence(there)
        seen = [
            encoder(images * present[:, :, None, None, None], present)
            for encoder, (images, present) in zip(self.encoders, shown, strict=True)
        ]
        concepts = torch.cat([c for c, _ in seen], 1)
        pieces, features = self.evidence(clinical, clinical_present, concepts, mask)
        pieces, deviation = self.recalibration(pieces, features, mask)
        owned = [
            [1 + i for i, owner in enumerate(self.evidence.owners) if owner == modality]
            for modality in range(1 + len(shown))
        ]
        contributions = torch.stack([pieces[:, 0], *(pieces[:, own].sum(1) for own in owned)], 1)
        maps = [
            saliency(gates, pieces[:, own], present, encoder.stack)
            for encoder, (_, gates), own, (_, present) in zip(self.encoders, seen, owned[1:], shown, strict=True)
        ]
        divided = [
            divide(gates, pieces[:, own], present)
            for (_, gates), own, (_, present) in zip(seen, owned[1:], shown, strict=True)
        ]
        return contributions.sum(1), deviation, contributions, *maps, *divided


def saliency(gates: Tensor, evidence: Tensor, present: Tensor, stack: bool) -> Tensor:
    """Where the evidence of images lies: each place's gates, weighted by the size of the evidence each finding gave.

    Parameters
    ----------
    gates : (N, I, K, h, w)
    evidence : (N, K)
    present : (N, I)
    stack : bool
        Whether images are slices of one volume.

    Returns
    -------
    (N, I, h, w), scaled so that the largest of each image, or of each volume, is nearly 1; where no gate opens at all
    it stays faint
    """
    weight = evidence.abs() + 0.05
    weight = (weight / weight.sum(1, keepdim=True))[:, None, :, None, None]
    places = (torch.sigmoid(gates) ** 2 * weight).sum(2) * present[:, :, None, None]
    peak = places.amax((1, 2, 3) if stack else (2, 3), keepdim=True)
    return places / (peak + FAINT)


def divide(gates: Tensor, evidence: Tensor, present: Tensor) -> Tensor:
    """Divide the evidence of each finding among the images that show it, by the area in which they do.

    Parameters
    ----------
    gates : (N, I, K, h, w)
    evidence : (N, K), signed
    present : (N, I)

    Returns
    -------
    (N, I), whose sum over the images is that of the evidence over the findings; 0 for an image that is not there
    """
    shown = ((torch.sigmoid(gates) ** 2).sum((3, 4)) + UNSEEN) * present[:, :, None]  # (N, I, K)
    share = shown / shown.sum(1, keepdim=True).clamp(min=UNSEEN)
    return (share * evidence[:, None]).sum(2)
