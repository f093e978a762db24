"""Teach the evidence the outcome, on patients whose images no encoder has seen."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.fusion.data import Table, join
from models.fusion.describe import Concepts
from models.fusion.evidence import MASKS, Evidence, bits, presence
from models.fusion.progress import Progress
from models.fusion.settings import Settings

EVERYTHING = 0.3  # share of the training rows that see every modality; the other masks share the rest
ALL_KNOWN = 0.6  # share of the rows in which no fact is left out
CLINICAL_ALONE = 1  # the mask


def train_heads(evidence: Evidence, cohort: Table, concepts: Concepts, told: Table, settings: Settings) -> None:
    """Teach prior and evidence the outcome, with modalities, images and facts left out at random.

    Parameters
    ----------
    cohort, concepts
        Patients whose images no encoder has seen.
    told
        Patients of whom only the facts are used: the encoders know their images too well.
    """
    optimiser = torch.optim.AdamW(evidence.parameters(), settings.heads_rate, weight_decay=settings.heads_decay)
    both = join([cohort, told])
    values, positive = torch.from_numpy(both.values), torch.from_numpy(both.positive).float()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.heads_epochs)
    progress = Progress("train heads", settings.heads_epochs)
    evidence.train()
    for epoch in range(settings.heads_epochs):
        rng = np.random.default_rng([settings.seed, 1, epoch])
        order = np.concatenate(
            (np.tile(np.arange(len(cohort)), settings.heads_masks), np.arange(len(cohort), len(both)))
        )
        for rows in np.array_split(rng.permutation(order), max(1, len(order) // settings.heads_batch)):
            optimiser.zero_grad()
            shown = rows < len(cohort)
            known, mask = drop(rng, shown, values.shape[1])
            seen = concepts.chosen(np.where(shown, rows, 0), rng)
            pieces, _ = evidence(values[rows], known, seen, mask)
            loss = functional.binary_cross_entropy_with_logits(pieces.sum(1), positive[rows])
            loss.backward()
            optimiser.step()
        schedule.step()
        progress.show(epoch + 1, f"loss {loss.item():.3f}")
    evidence.eval()


def drop(rng: np.random.Generator, shown: NDArray[np.bool_], facts: int) -> tuple[Tensor, Tensor]:
    """Leave out modalities and facts at random: known facts (B, F), one-hot mask (B, 16).

    Of a patient who is not `shown` (B,) the facts alone are there.
    """
    share = [(1 - EVERYTHING) / (MASKS - 1)] * (MASKS - 1) + [EVERYTHING]
    drawn = np.where(shown, rng.choice(MASKS, len(shown), p=share), CLINICAL_ALONE)
    there = bits()[torch.from_numpy(drawn)]
    some = np.where(rng.random((len(shown), 1)) < ALL_KNOWN, 1.0, rng.random((len(shown), facts)) < 0.7)
    known = torch.from_numpy(some).float() * there[:, :1]
    return known, presence(torch.cat((known.amax(1, keepdim=True), there[:, 1:]), 1))
